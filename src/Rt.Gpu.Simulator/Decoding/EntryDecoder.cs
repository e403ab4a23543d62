// Decodes an entry: every statement becomes an instruction with a handler, or is refused by name.
using System.Runtime.CompilerServices;
using Rt.Gpu.Simulator.Execution;
using Rt.Gpu.Simulator.Text;

namespace Rt.Gpu.Simulator.Decoding;

internal sealed unsafe partial class EntryDecoder
{
    private readonly EntryText _entry;
    private readonly Dictionary<Register, Slot> _registerSlots = [];
    private readonly Dictionary<Constant, Slot> _constantSlots = [];
    private readonly Dictionary<Register, int> _predicates = [];
    private readonly List<Conversion> _conversions = [];
    private int _sharedGranule = 16;
    private int _globalGranule = 4;

    private EntryDecoder(EntryText entry) => _entry = entry;

    public static EntryProgram Decode(EntryText entry) => new EntryDecoder(entry).Build();

    private EntryProgram Build()
    {
        if (_entry.GroupSize.Length == 0)
        {
            throw new SimulatorException($"entry {_entry.Name} has no .reqntid", _entry.Line);
        }
        if (_entry.GroupSize.Skip(1).Any(size => size != 1))
        {
            throw new SimulatorException($"entry {_entry.Name}: groups must have one dimension", _entry.Line);
        }
        var drafts = new List<Draft>();
        foreach (var statement in _entry.Statements)
        {
            var draft = new Draft(statement);
            DecodeStatement(draft);
            if (statement.Guard is { } guard)
            {
                draft.Instruction.Guard = Predicate(guard);
                draft.Instruction.GuardFlip = statement.GuardNegated ? Lanes.All : 0;
                draft.Reads.Add(guard);
            }
            drafts.Add(draft);
        }
        ResolveLabels(drafts);
        var tracked = new ControlFlow(drafts).FindPossiblyUnwritten(_entry.Registers.Count);
        var names = new List<string>();
        drafts = AddRegisterChecks(drafts, tracked, names);
        var flow = new ControlFlow(drafts);
        flow.SetReconvergence();
        return Place(drafts, names, flow.FindLiveness(_entry.Registers.Count));
    }

    private void ResolveLabels(List<Draft> drafts)
    {
        bool needsEnd = drafts.Count == 0 || drafts[^1].Statement.Guard is not null
            || drafts[^1].Instruction.Control is not (Control.Return or Control.Branch);
        foreach (var draft in drafts)
        {
            if (draft.Label is { } label)
            {
                draft.Instruction.Target = draft.Statement.Scope.FindLabel(label)
                    ?? throw Refuse(draft, $"label {label} is not there");
                needsEnd |= draft.Instruction.Target == drafts.Count;
            }
        }
        if (needsEnd)
        {
            int line = drafts.Count == 0 ? _entry.Line : drafts[^1].Statement.Line;
            var end = new Draft(new Statement(line, null, "end of the entry", null, false, "ret", [], new Scope(null)));
            end.Instruction.Control = Control.Return;
            drafts.Add(end);
        }
    }

    /// <summary>Registers that some path leaves unwritten are checked where they are read and marked where they are written.</summary>
    private static List<Draft> AddRegisterChecks(List<Draft> drafts, HashSet<Register> tracked, List<string> names)
    {
        if (tracked.Count == 0)
        {
            return drafts;
        }
        var numbers = new Dictionary<Register, int>();
        foreach (var register in tracked.OrderBy(register => register.Index))
        {
            numbers.Add(register, names.Count);
            names.Add(register.Name);
        }
        var result = new List<Draft>();
        var moved = new int[drafts.Count];
        for (int i = 0; i < drafts.Count; i++)
        {
            moved[i] = result.Count;
            var draft = drafts[i];
            foreach (var register in draft.Reads.Where(tracked.Contains).Distinct())
            {
                // The guard itself is read by all lanes.
                result.Add(Tracking(draft, &Worker.RequireRegister, numbers[register], guarded: register != draft.Statement.Guard));
            }
            foreach (var register in draft.Writes.Where(tracked.Contains).Distinct())
            {
                result.Add(Tracking(draft, &Worker.MarkRegister, numbers[register], guarded: true));
            }
            result.Add(draft);
        }
        foreach (var draft in result)
        {
            if (draft.Label is not null)
            {
                draft.Instruction.Target = moved[draft.Instruction.Target];
            }
        }
        return result;
    }

    private static Draft Tracking(Draft of, delegate*<Worker, Instruction*, uint, void> handler, int number, bool guarded)
    {
        var draft = new Draft(guarded ? of.Statement : of.Statement with { Guard = null });
        draft.Instruction.Handler = handler;
        draft.Instruction.First = number;
        if (guarded)
        {
            draft.Instruction.Guard = of.Instruction.Guard;
            draft.Instruction.GuardFlip = of.Instruction.GuardFlip;
        }
        return draft;
    }

    /// <summary>Gives every slot its offset and makes the program.</summary>
    private EntryProgram Place(List<Draft> drafts, List<string> names, Liveness liveness)
    {
        int bytes = 0;
        foreach (var (constant, slot) in _constantSlots)
        {
            slot.Offset = bytes;
            constant.Offset = bytes;
            bytes += slot.Bytes;
        }
        // A register may take the place of one of its width whose last use lies before its first.
        var free = new Dictionary<int, PriorityQueue<int, int>> { [128] = new(), [256] = new() };
        foreach (var slot in _registerSlots.Values.OrderBy(slot => liveness.Start(slot.Register!)).ThenBy(slot => slot.Register!.Index))
        {
            var places = free[slot.Bytes];
            if (places.TryPeek(out int place, out int end) && end < liveness.Start(slot.Register!))
            {
                places.Dequeue();
                slot.Offset = place;
            }
            else
            {
                slot.Offset = bytes;
                bytes += slot.Bytes;
            }
            places.Enqueue(slot.Offset, liveness.End(slot.Register!));
        }
        var code = GC.AllocateArray<Instruction>(drafts.Count, pinned: true);
        var lists = GC.AllocateArray<int>(drafts.Sum(draft => draft.Registers.Count) + 1, pinned: true);
        var lines = new LineInfo[drafts.Count];
        int list = 0;
        int patterns = 0;
        for (int i = 0; i < drafts.Count; i++)
        {
            var draft = drafts[i];
            var instruction = draft.Instruction;
            instruction.Index = i;
            instruction.Pattern = patterns;
            patterns += draft.Kind is InstructionKind.LoadShared or InstructionKind.StoreShared or InstructionKind.MatrixLoad
                or InstructionKind.AsyncCopy ? 1 : 0;
            instruction.Destination = draft.Destination?.Offset ?? instruction.Destination;
            instruction.A = draft.A?.Offset ?? instruction.A;
            instruction.B = draft.B?.Offset ?? instruction.B;
            instruction.C = draft.C?.Offset ?? instruction.C;
            instruction.Second = draft.Second?.Offset ?? instruction.Second;
            instruction.Registers = (int*)Unsafe.AsPointer(ref lists[list]);
            foreach (var (slot, number) in draft.Registers)
            {
                lists[list++] = slot?.Offset ?? number;
            }
            code[i] = instruction;
            lines[i] = new LineInfo(draft.Statement.Line, draft.Statement.Text, draft.Statement.Source, draft.Kind, draft.Flops)
            {
                Reads = [.. draft.Reads.Distinct().Select(PlaceOf)],
                Writes = [.. draft.Writes.Distinct().Select(PlaceOf)],
            };
        }
        return new EntryProgram
        {
            Name = _entry.Name,
            Code = code,
            RegisterLists = lists,
            Lines = lines,
            RegisterBytes = bytes,
            PredicateCount = _predicates.Count + 1,
            PatternCount = patterns,
            TrackedNames = names,
            Constants = [.. _constantSlots.Keys],
            Conversions = [.. _conversions],
            Shared = _entry.Shared,
            SharedGranule = Math.Min(_sharedGranule, 4),
            GlobalGranuleShift = System.Numerics.BitOperations.Log2((uint)_globalGranule),
            Parameters = _entry.Parameters,
            GroupSize = _entry.GroupSize[0],
        };
    }

    private RegisterPlace PlaceOf(Register register) =>
        new(register.Name, register.Type, register.Bits, register.Bits == 1 ? Predicate(register) : SlotOf(register).Offset);

    private static SimulatorException Refuse(Draft draft, string problem) =>
        new($"{problem}: \"{draft.Statement.Text}\"", draft.Statement.Line);

    private int Predicate(Register register)
    {
        if (!_predicates.TryGetValue(register, out int index))
        {
            index = _predicates.Count + 1;
            _predicates.Add(register, index);
        }
        return index;
    }

    private Slot SlotOf(Register register)
    {
        if (!_registerSlots.TryGetValue(register, out var slot))
        {
            slot = new Slot(register, null, register.Bits);
            _registerSlots.Add(register, slot);
        }
        return slot;
    }

    private Slot SlotOf(Constant constant)
    {
        if (!_constantSlots.TryGetValue(constant, out var slot))
        {
            slot = new Slot(null, constant, constant.Bits);
            _constantSlots.Add(constant, slot);
        }
        return slot;
    }

    private static void Expect(Draft draft, int operands)
    {
        if (draft.Statement.Operands.Length != operands)
        {
            throw Refuse(draft, $"expected {operands} operands, found {draft.Statement.Operands.Length}");
        }
    }

    private Slot Write(Draft draft, Operand operand, int bits, bool wider = false)
    {
        if (operand.Kind != OperandKind.Register || operand.Negated || operand.Register!.Bits == 1)
        {
            throw Refuse(draft, $"expected a register of {bits} bits as result");
        }
        RequireWidth(draft, operand.Register, bits, wider);
        draft.Writes.Add(operand.Register);
        return SlotOf(operand.Register);
    }

    private static void RequireWidth(Draft draft, Register register, int bits, bool wider)
    {
        if (register.Bits != bits && !(wider && register.Bits > bits))
        {
            throw Refuse(draft, $"register {register.Name} has {register.Bits} bits, expected {bits}");
        }
    }

    private Slot Read(Draft draft, Operand operand, int bits, bool wider = false)
    {
        switch (operand.Kind)
        {
            case OperandKind.Register when operand.Register!.Bits > 1 && !operand.Negated:
                RequireWidth(draft, operand.Register, bits, wider);
                draft.Reads.Add(operand.Register);
                return SlotOf(operand.Register);
            case OperandKind.Immediate:
                return SlotOf(new Constant(ConstantKind.Value, ImmediateBits(draft, operand, bits), 0, bits == 64 ? 64 : 32));
            case OperandKind.Special:
                return SlotOf(Special(draft, operand, bits));
            case OperandKind.Name:
                int variable = _entry.Shared.FindIndex(shared => shared.Name == operand.Name);
                return variable >= 0
                    ? SlotOf(new Constant(ConstantKind.Variable, (ulong)variable, operand.Offset, bits == 64 ? 64 : 32))
                    : throw Refuse(draft, $"{operand.Name} is no register and no shared variable");
            default:
                throw Refuse(draft, $"expected a value of {bits} bits");
        }
    }

    private static ulong ImmediateBits(Draft draft, Operand operand, int bits)
    {
        if (operand.FloatBits == 64 && bits == 32)
        {
            return BitConverter.SingleToUInt32Bits((float)BitConverter.UInt64BitsToDouble(operand.Bits));
        }
        if (operand.FloatBits == 32 && bits != 32)
        {
            throw Refuse(draft, $"a float of 32 bits stands where {bits} bits are asked for");
        }
        return bits == 64 ? operand.Bits : operand.Bits & ((1UL << bits) - 1);
    }

    private static Constant Special(Draft draft, Operand operand, int bits)
    {
        var (kind, value) = operand.Name switch
        {
            "%tid.x" => (ConstantKind.ThreadIndex, 0UL),
            "%ntid.x" => (ConstantKind.GroupSize, 0UL),
            "%tid.y" or "%tid.z" => (ConstantKind.Value, 0UL),
            "%ntid.y" or "%ntid.z" => (ConstantKind.Value, 1UL),
            "%ctaid.x" => (ConstantKind.GroupX, 0UL),
            "%ctaid.y" => (ConstantKind.GroupY, 0UL),
            "%ctaid.z" => (ConstantKind.GroupZ, 0UL),
            "%nctaid.x" => (ConstantKind.GridSizeX, 0UL),
            "%nctaid.y" => (ConstantKind.GridSizeY, 0UL),
            "%nctaid.z" => (ConstantKind.GridSizeZ, 0UL),
            "%laneid" => (ConstantKind.Lane, 0UL),
            "%warpid" => (ConstantKind.WarpIndex, 0UL),
            _ => throw Refuse(draft, $"special register {operand.Name} is not known"),
        };
        return bits == 32 ? new Constant(kind, value, 0, 32) : throw Refuse(draft, $"special register {operand.Name} has 32 bits, expected {bits}");
    }

    private int WritePredicate(Draft draft, Operand operand)
    {
        if (operand.Kind != OperandKind.Register || operand.Register!.Bits != 1 || operand.Negated)
        {
            throw Refuse(draft, "expected a predicate as result");
        }
        draft.Writes.Add(operand.Register);
        return Predicate(operand.Register);
    }

    private (int Index, uint Flip) ReadPredicate(Draft draft, Operand operand)
    {
        if (operand.Kind != OperandKind.Register || operand.Register!.Bits != 1)
        {
            throw Refuse(draft, "expected a predicate");
        }
        draft.Reads.Add(operand.Register);
        return (Predicate(operand.Register), operand.Negated ? Lanes.All : 0);
    }
}
