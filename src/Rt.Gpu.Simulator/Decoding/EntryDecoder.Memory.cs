// Which instruction a statement is: loads, stores, atomic operations, matrices and copies.
// Source: PTX ISA, "ld", "ld.global.nc", "st", "atom", "ldmatrix", "mma", "cp.async".
using Rt.Gpu.Simulator.Execution;
using Rt.Gpu.Simulator.Text;
using unsafe Handler = delegate*<Rt.Gpu.Simulator.Execution.Worker, Rt.Gpu.Simulator.Execution.Instruction*, uint, void>;

namespace Rt.Gpu.Simulator.Decoding;

internal sealed unsafe partial class EntryDecoder
{
    private static Handler LoadOf<T>(string space) where T : unmanaged, System.Numerics.IBinaryInteger<T> => space switch
    {
        "global" => &Worker.LoadGlobal<T>,
        "shared" => &Worker.LoadShared<T>,
        _ => &Worker.LoadParameter<T>,
    };

    private static Handler StoreOf<T>(string space) where T : unmanaged, System.Numerics.IBinaryInteger<T> =>
        space == "global" ? &Worker.StoreGlobal<T> : &Worker.StoreShared<T>;

    private void DecodeAccess(Draft draft)
    {
        var statement = draft.Statement;
        string[] parts = statement.Parts;
        Expect(draft, 2);
        bool load = parts[0] == "ld";
        string space = parts.Length > 2 ? parts[1] : "";
        if (space is not ("global" or "shared" or "param") || (space == "param" && !load))
        {
            throw Unknown(draft);
        }
        int count = 1;
        bool cached = false;
        foreach (string modifier in parts[2..^1])
        {
            switch (modifier)
            {
                case "nc" when load && space == "global" && !cached && count == 1:
                    cached = true;
                    break;
                case "v2" or "v4" when count == 1:
                    count = modifier[1] - '0';
                    break;
                default:
                    throw Unknown(draft);
            }
        }
        string type = parts[^1];
        int bits = TypeBits(draft, type);
        if (type is "f16" or "bf16" or "f16x2" or "bf16x2" or "tf32" || bits * count > 128)
        {
            throw Unknown(draft);
        }
        ref var instruction = ref draft.Instruction;
        instruction.First = cached ? 1 : 0;
        instruction.Second = count;
        var data = statement.Operands[load ? 0 : 1];
        var items = count == 1 ? [data] : data.Kind == OperandKind.Vector && data.Items.Length == count ? data.Items
            : throw Refuse(draft, $"expected {count} registers in braces");
        AddressOf(draft, statement.Operands[load ? 1 : 0], space);
        int laneBytes = 4;
        bool narrow = false;
        foreach (var item in items)
        {
            if (load && item.Kind == OperandKind.Sink)
            {
                throw Refuse(draft, "a load into nothing");
            }
            var slot = load ? Write(draft, item, Math.Max(bits, 16), wider: true) : Read(draft, item, bits < 16 ? 16 : bits, wider: true);
            laneBytes = slot.Bytes == 256 ? 8 : 4;
            narrow |= slot.Register?.Bits == 16;
            draft.Registers.Add((slot, 0));
        }
        instruction.Third = laneBytes;
        // Into a register of 16 bits the sign goes no further than bit 15.
        bool signed = type[0] == 's' && !(narrow && bits == 16);
        if (signed && narrow && load)
        {
            throw Refuse(draft, "loads of s8 go to registers of 32 bits");
        }
        instruction.Handler = load
            ? bits switch
            {
                8 => signed ? LoadOf<sbyte>(space) : LoadOf<byte>(space),
                16 => signed ? LoadOf<short>(space) : LoadOf<ushort>(space),
                32 => signed ? LoadOf<int>(space) : LoadOf<uint>(space),
                _ => LoadOf<ulong>(space),
            }
            : bits switch
            {
                8 => StoreOf<byte>(space),
                16 => StoreOf<ushort>(space),
                32 => StoreOf<uint>(space),
                _ => StoreOf<ulong>(space),
            };
        draft.Kind = (load, space) switch
        {
            (true, "global") => InstructionKind.LoadGlobal,
            (true, "shared") => InstructionKind.LoadShared,
            (true, _) => InstructionKind.LoadParameter,
            (false, "global") => InstructionKind.StoreGlobal,
            _ => InstructionKind.StoreShared,
        };
        if (space == "shared")
        {
            _sharedGranule = Math.Min(_sharedGranule, bits * count / 8);
        }
        if (space == "global")
        {
            _globalGranule = Math.Min(_globalGranule, bits * count / 8);
        }
        if (space == "param" && (instruction.Immediate < 0 || instruction.Immediate + (bits * count / 8) > ParameterEnd(statement.Operands[1].Name)))
        {
            throw Refuse(draft, "the load passes the end of the parameter");
        }
        if (space == "param" && instruction.Immediate % (bits * count / 8) != 0)
        {
            throw Refuse(draft, "the load of the parameter is not aligned");
        }
    }

    private long ParameterEnd(string name)
    {
        var parameter = _entry.Parameters.Find(parameter => parameter.Name == name)!;
        return parameter.Offset + parameter.Bytes;
    }

    /// <summary>Address register into A and offset into Immediate; for shared memory the bytes of a lane of the address into C.</summary>
    private void AddressOf(Draft draft, Operand operand, string space)
    {
        if (operand.Kind != OperandKind.Address)
        {
            throw Refuse(draft, "expected an address in brackets");
        }
        ref var instruction = ref draft.Instruction;
        instruction.Immediate = operand.Offset;
        if (space == "param")
        {
            var parameter = _entry.Parameters.Find(parameter => parameter.Name == operand.Name)
                ?? throw Refuse(draft, $"parameter {operand.Name} is not declared");
            instruction.Immediate += parameter.Offset;
            return;
        }
        if (operand.Register is { } register)
        {
            if (space == "global" || register.Bits == 64)
            {
                RequireWidth(draft, register, 64, wider: false);
            }
            else
            {
                RequireWidth(draft, register, 32, wider: false);
            }
            draft.Reads.Add(register);
            draft.A = SlotOf(register);
            instruction.C = register.Bits / 8;
            return;
        }
        int variable = _entry.Shared.FindIndex(shared => shared.Name == operand.Name);
        if (space != "shared" || variable < 0)
        {
            throw Refuse(draft, $"{operand.Name} is no variable of {space} memory");
        }
        draft.A = SlotOf(new Constant(ConstantKind.Variable, (ulong)variable, 0, 32));
        instruction.C = 4;
    }

    private void DecodeAtomic(Draft draft)
    {
        var statement = draft.Statement;
        var operands = statement.Operands;
        string[] parts = statement.Parts;
        var rest = parts[1..^2].Where(part => part is not ("relaxed" or "acq_rel" or "acquire" or "release" or "cta" or "gpu" or "sys")).ToArray();
        if (parts.Length < 4 || rest.Length != 1 || rest[0] is not ("global" or "shared"))
        {
            throw Unknown(draft);
        }
        var operation = AtomicOf(draft, parts[^2], parts[^1]);
        Expect(draft, operation == AtomicOperation.CompareExchange ? 4 : 3);
        ref var instruction = ref draft.Instruction;
        draft.Kind = InstructionKind.Atomic;
        AddressOf(draft, operands[1], rest[0]);
        instruction.Third = instruction.C;
        instruction.First = (int)operation;
        instruction.Handler = rest[0] == "global" ? &Worker.AtomicGlobal : &Worker.AtomicShared;
        draft.B = Read(draft, operands[2], 32);
        draft.C = operation == AtomicOperation.CompareExchange ? Read(draft, operands[3], 32) : draft.B;
        draft.Destination = Write(draft, operands[0], 32);
        if (rest[0] == "shared")
        {
            _sharedGranule = Math.Min(_sharedGranule, 4);
        }
    }

    private void DecodeMatrix(Draft draft)
    {
        var statement = draft.Statement;
        var operands = statement.Operands;
        ref var instruction = ref draft.Instruction;
        if (statement.Parts[0] == "ldmatrix")
        {
            string opcode = statement.Opcode.Replace(".trans", "", StringComparison.Ordinal);
            int count = opcode switch
            {
                "ldmatrix.sync.aligned.m8n8.x1.shared.b16" => 1,
                "ldmatrix.sync.aligned.m8n8.x2.shared.b16" => 2,
                "ldmatrix.sync.aligned.m8n8.x4.shared.b16" => 4,
                _ => throw Unknown(draft),
            };
            Expect(draft, 2);
            draft.Kind = InstructionKind.MatrixLoad;
            instruction.Handler = &Worker.LoadMatrix;
            instruction.First = count;
            instruction.Second = opcode.Length == statement.Opcode.Length ? 0 : 1;
            AddressOf(draft, operands[1], "shared");
            Fragment(draft, operands[0], count, write: true);
            return;
        }
        draft.Kind = InstructionKind.Matrix;
        draft.Flops = 128;
        switch (statement.Opcode)
        {
            case "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32":
                instruction.Handler = &Worker.Mma16;
                break;
            case "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32":
                instruction.Handler = &Worker.Mma16;
                instruction.First = 1;
                break;
            case "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32":
                instruction.Handler = &Worker.Mma8;
                draft.Flops = 64;
                break;
            default:
                throw Unknown(draft);
        }
        Expect(draft, 4);
        Fragment(draft, operands[0], 4, write: true);
        Fragment(draft, operands[1], 4, write: false);
        Fragment(draft, operands[2], 2, write: false);
        Fragment(draft, operands[3], 4, write: false);
    }

    private void Fragment(Draft draft, Operand operand, int count, bool write)
    {
        var items = operand.Kind == OperandKind.Vector ? operand.Items : [operand];
        if (items.Length != count)
        {
            throw Refuse(draft, $"expected {count} registers in braces, found {items.Length}");
        }
        foreach (var item in items)
        {
            draft.Registers.Add((write ? Write(draft, item, 32) : Read(draft, item, 32), 0));
        }
    }

    private void DecodeCopy(Draft draft)
    {
        var statement = draft.Statement;
        var operands = statement.Operands;
        ref var instruction = ref draft.Instruction;
        draft.Kind = InstructionKind.AsyncCopy;
        switch (statement.Opcode)
        {
            case "cp.async.commit_group":
                Expect(draft, 0);
                instruction.Handler = &Worker.CommitCopies;
                break;
            case "cp.async.wait_all":
                Expect(draft, 0);
                instruction.Handler = &Worker.WaitCopies;
                instruction.First = -1;
                break;
            case "cp.async.wait_group":
                Expect(draft, 1);
                instruction.Handler = &Worker.WaitCopies;
                instruction.First = operands[0].Kind == OperandKind.Immediate && operands[0].Bits < 1024
                    ? (int)operands[0].Bits : throw Refuse(draft, "expected a constant number of groups");
                break;
            case "cp.async.cg.shared.global" or "cp.async.ca.shared.global":
                bool first = statement.Parts[2] == "ca";
                if (operands.Length is not (3 or 4) || operands[2].Kind != OperandKind.Immediate
                    || !(operands[2].Bits == 16 || (first && operands[2].Bits is 4 or 8)))
                {
                    throw Refuse(draft, first ? "expected 4, 8 or 16 bytes" : "expected 16 bytes");
                }
                instruction.Handler = &Worker.CopyAsync;
                instruction.First = (int)operands[2].Bits;
                instruction.Second = -1;
                if (operands.Length == 4)
                {
                    draft.Second = Read(draft, operands[3], 32);
                }
                AddressOf(draft, operands[0], "shared");
                var source = operands[1];
                if (source.Kind != OperandKind.Address || source.Register is not { Bits: 64 } register)
                {
                    throw Refuse(draft, "expected a global address of 64 bits");
                }
                draft.Reads.Add(register);
                draft.B = SlotOf(register);
                draft.Registers.Add((null, checked((int)source.Offset)));
                _sharedGranule = Math.Min(_sharedGranule, instruction.First);
                break;
            default:
                throw Unknown(draft);
        }
    }
}
