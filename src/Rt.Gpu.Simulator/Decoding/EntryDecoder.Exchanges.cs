// Which instruction a statement is: barriers, fences, and exchanges within the warp.
// Source: PTX ISA, "Parallel Synchronization and Communication Instructions".
using Rt.Gpu.Simulator.Execution;
using Rt.Gpu.Simulator.Text;

namespace Rt.Gpu.Simulator.Decoding;

internal sealed unsafe partial class EntryDecoder
{
    private void DecodeBarrier(Draft draft)
    {
        var operands = draft.Statement.Operands;
        ref var instruction = ref draft.Instruction;
        draft.Kind = InstructionKind.Barrier;
        instruction.A = -1;
        switch (draft.Statement.Opcode)
        {
            case "bar.sync" or "barrier.sync" or "barrier.sync.aligned":
                RequireBarrierZero(draft, operands.Length == 1 ? operands[0] : null);
                instruction.Control = Control.Barrier;
                break;
            case "bar.red.popc.u32" or "barrier.red.popc.aligned.u32":
                Expect(draft, 3);
                RequireBarrierZero(draft, operands[1]);
                instruction.Control = Control.Barrier;
                instruction.First = 1;
                SetBarrierPredicate(draft, operands[2]);
                draft.Destination = Write(draft, operands[0], 32);
                break;
            case "bar.red.and.pred" or "bar.red.or.pred":
                Expect(draft, 3);
                RequireBarrierZero(draft, operands[1]);
                instruction.Control = Control.Barrier;
                instruction.First = draft.Statement.Parts[2] == "and" ? 2 : 3;
                SetBarrierPredicate(draft, operands[2]);
                instruction.Destination = WritePredicate(draft, operands[0]);
                break;
            case "bar.warp.sync":
                Expect(draft, 1);
                instruction.Handler = &Worker.WarpBarrier;
                draft.A = Read(draft, operands[0], 32);
                break;
            case "membar.cta" or "membar.gl" or "membar.sys" or "fence.acq_rel.cta" or "fence.acq_rel.gpu" or "fence.acq_rel.sys"
                or "fence.sc.cta" or "fence.sc.gpu" or "fence.sc.sys":
                Expect(draft, 0);
                instruction.Handler = &Worker.Fence;
                instruction.First = draft.Statement.Opcode.EndsWith(".cta", StringComparison.Ordinal) ? 0 : 1;
                break;
            default:
                throw Unknown(draft);
        }
    }

    private static void RequireBarrierZero(Draft draft, Operand? operand)
    {
        if (operand is null || operand.Kind != OperandKind.Immediate || operand.Bits != 0)
        {
            throw Refuse(draft, "only barrier 0 of the whole group is known");
        }
    }

    private void SetBarrierPredicate(Draft draft, Operand operand)
    {
        var (index, flip) = ReadPredicate(draft, operand);
        draft.Instruction.A = index;
        draft.Instruction.Second = (int)flip;
    }

    private void DecodeExchange(Draft draft)
    {
        var statement = draft.Statement;
        var operands = statement.Operands;
        ref var instruction = ref draft.Instruction;
        draft.Kind = InstructionKind.Exchange;
        switch (statement.Opcode)
        {
            case "shfl.sync.idx.b32" or "shfl.sync.up.b32" or "shfl.sync.down.b32" or "shfl.sync.bfly.b32":
                Expect(draft, 5);
                instruction.Handler = &Worker.Shuffle;
                instruction.First = Array.IndexOf(["idx", "up", "down", "bfly"], statement.Parts[2]);
                draft.A = Read(draft, operands[1], 32);
                draft.B = Read(draft, operands[2], 32);
                draft.C = Read(draft, operands[3], 32);
                draft.Registers.Add((Read(draft, operands[4], 32), 0));
                draft.Destination = Write(draft, operands[0], 32);
                instruction.Second = operands[0].Second is { } second ? WritePredicate(draft, second) : -1;
                break;
            case "vote.sync.all.pred" or "vote.sync.any.pred" or "vote.sync.uni.pred" or "vote.sync.ballot.b32":
                Expect(draft, 3);
                instruction.Handler = &Worker.Vote;
                instruction.First = Array.IndexOf(["all", "any", "uni", "ballot"], statement.Parts[2]);
                var (index, flip) = ReadPredicate(draft, operands[1]);
                instruction.A = index;
                instruction.Second = (int)flip;
                draft.B = Read(draft, operands[2], 32);
                if (instruction.First == 3)
                {
                    draft.Destination = Write(draft, operands[0], 32);
                }
                else
                {
                    instruction.Destination = WritePredicate(draft, operands[0]);
                }
                break;
            case "redux.sync.add.u32" or "redux.sync.add.s32" or "redux.sync.max.u32" or "redux.sync.max.s32" or "redux.sync.min.u32"
                or "redux.sync.min.s32" or "redux.sync.and.b32" or "redux.sync.or.b32" or "redux.sync.xor.b32":
                Expect(draft, 3);
                instruction.Handler = &Worker.Reduce;
                instruction.First = (int)AtomicOf(draft, statement.Parts[2], statement.Parts[3]);
                draft.A = Read(draft, operands[1], 32);
                draft.B = Read(draft, operands[2], 32);
                draft.Destination = Write(draft, operands[0], 32);
                break;
            default:
                throw Unknown(draft);
        }
    }

    private static AtomicOperation AtomicOf(Draft draft, string name, string type) => (name, type) switch
    {
        ("add", "u32" or "s32") => AtomicOperation.Add,
        ("max", "u32") => AtomicOperation.Max,
        ("max", "s32") => AtomicOperation.MaxSigned,
        ("min", "u32") => AtomicOperation.Min,
        ("min", "s32") => AtomicOperation.MinSigned,
        ("and", "b32") => AtomicOperation.And,
        ("or", "b32") => AtomicOperation.Or,
        ("xor", "b32") => AtomicOperation.Xor,
        ("exch", "b32") => AtomicOperation.Exchange,
        ("cas", "b32") => AtomicOperation.CompareExchange,
        _ => throw Unknown(draft),
    };
}
