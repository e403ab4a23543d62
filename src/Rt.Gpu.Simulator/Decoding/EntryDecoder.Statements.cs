// Which instruction a statement is: moves, comparisons, conversions and control.
// Source: PTX ISA, chapter "Instruction Set".
using Rt.Gpu.Simulator.Execution;
using Rt.Gpu.Simulator.Text;

namespace Rt.Gpu.Simulator.Decoding;

internal sealed unsafe partial class EntryDecoder
{
    private void DecodeStatement(Draft draft)
    {
        var statement = draft.Statement;
        if (Forms.Find(statement.Opcode) is { } form)
        {
            DecodeForm(draft, form);
            return;
        }
        switch (statement.Parts[0])
        {
            case "mov":
                DecodeMove(draft);
                break;
            case "ld" or "st":
                DecodeAccess(draft);
                break;
            case "cvta" when statement.Opcode == "cvta.to.global.u64":
                Expect(draft, 2);
                Unary64(draft);
                break;
            case "setp":
                DecodeSetPredicate(draft);
                break;
            case "selp":
                DecodeSelect(draft);
                break;
            case "and" or "or" or "xor" or "not" when statement.Opcode.EndsWith(".pred", StringComparison.Ordinal) && statement.Parts.Length == 2:
                DecodePredicateLogic(draft);
                break;
            case "lop3" when statement.Opcode == "lop3.b32":
                DecodeLogic3(draft);
                break;
            case "bfi" when statement.Opcode is "bfi.b32" or "bfi.b64":
                DecodeInsert(draft);
                break;
            case "cvt":
                DecodeConversion(draft);
                break;
            case "bra" when statement.Opcode is "bra" or "bra.uni":
                Expect(draft, 1);
                draft.Kind = InstructionKind.Branch;
                draft.Instruction.Control = Control.Branch;
                draft.Label = statement.Operands[0].Kind == OperandKind.Name ? statement.Operands[0].Name : throw Refuse(draft, "expected a label");
                break;
            case "ret" or "exit" when statement.Parts.Length == 1:
                Expect(draft, 0);
                draft.Kind = InstructionKind.Branch;
                draft.Instruction.Control = Control.Return;
                break;
            case "bar" or "barrier" or "membar" or "fence":
                DecodeBarrier(draft);
                break;
            case "shfl" or "vote" or "redux":
                DecodeExchange(draft);
                break;
            case "atom":
                DecodeAtomic(draft);
                break;
            case "ldmatrix" or "mma":
                DecodeMatrix(draft);
                break;
            case "cp":
                DecodeCopy(draft);
                break;
            default:
                throw Unknown(draft);
        }
    }

    private static SimulatorException Unknown(Draft draft) => Refuse(draft, $"instruction {draft.Statement.Opcode} is not known to the simulator");

    private void DecodeForm(Draft draft, Form form)
    {
        var operands = draft.Statement.Operands;
        Expect(draft, form.Operands.Length + 1);
        draft.Instruction.Handler = form.Handler;
        draft.Kind = form.Kind;
        draft.Flops = form.Flops;
        draft.A = Read(draft, operands[1], form.Operands[0]);
        draft.B = form.Operands.Length > 1 ? Read(draft, operands[2], form.Operands[1]) : null;
        draft.C = form.Operands.Length > 2 ? Read(draft, operands[3], form.Operands[2]) : null;
        draft.Destination = Write(draft, operands[0], form.Result);
    }

    private void Unary64(Draft draft)
    {
        draft.Kind = InstructionKind.Move;
        draft.A = Read(draft, draft.Statement.Operands[1], 64);
        draft.Destination = Write(draft, draft.Statement.Operands[0], 64);
        draft.Instruction.Handler = &Lanes.Unary<Move<ulong>, ulong>;
    }

    private static int TypeBits(Draft draft, string type) => type switch
    {
        "b8" or "u8" or "s8" => 8,
        "b16" or "u16" or "s16" or "f16" or "bf16" => 16,
        "b32" or "u32" or "s32" or "f32" or "f16x2" or "bf16x2" or "tf32" => 32,
        "b64" or "u64" or "s64" or "f64" => 64,
        _ => throw Unknown(draft),
    };

    private void DecodeMove(Draft draft)
    {
        var statement = draft.Statement;
        Expect(draft, 2);
        if (statement.Parts.Length != 2)
        {
            throw Unknown(draft);
        }
        draft.Kind = InstructionKind.Move;
        string type = statement.Parts[1];
        var to = statement.Operands[0];
        var from = statement.Operands[1];
        if (type == "pred")
        {
            var (index, flip) = ReadPredicate(draft, from);
            draft.Instruction.Handler = &Lanes.Predicate;
            draft.Instruction.A = index;
            draft.Instruction.Second = flip != 0 ? 1 : 0;
            draft.Instruction.Destination = WritePredicate(draft, to);
            return;
        }
        int bits = TypeBits(draft, type);
        if (from.Kind == OperandKind.Vector)
        {
            if (from.Items.Length != 2 || bits < 32)
            {
                throw Refuse(draft, "only two halves of 16 or 32 bits can be packed");
            }
            draft.Instruction.Handler = &Worker.Pack;
            draft.Instruction.First = bits / 2;
            foreach (var item in from.Items)
            {
                draft.Registers.Add((Read(draft, item, bits / 2), 0));
            }
            draft.Destination = Write(draft, to, bits);
            return;
        }
        draft.A = Read(draft, from, bits);
        if (to.Kind == OperandKind.Vector)
        {
            if (to.Items.Length != 2 || bits < 32)
            {
                throw Refuse(draft, "only two halves of 16 or 32 bits can be unpacked");
            }
            draft.Instruction.Handler = &Worker.Unpack;
            draft.Instruction.First = bits / 2;
            foreach (var item in to.Items)
            {
                draft.Registers.Add(item.Kind == OperandKind.Sink ? (null, -1) : (Write(draft, item, bits / 2), 0));
            }
            return;
        }
        draft.Destination = Write(draft, to, bits);
        draft.Instruction.Handler = bits == 64 ? &Lanes.Unary<Move<ulong>, ulong> : &Lanes.Unary<Move<uint>, uint>;
    }

    private void DecodeSetPredicate(Draft draft)
    {
        var statement = draft.Statement;
        string[] parts = statement.Parts;
        int combine = parts.Length == 4 ? parts[2] switch
        {
            "and" => 1,
            "or" => 2,
            "xor" => 3,
            _ => throw Unknown(draft),
        }
        : parts.Length == 3 ? 0 : throw Unknown(draft);
        Expect(draft, combine == 0 ? 3 : 4);
        var handler = Comparisons.Find(parts[1], parts[^1]);
        if (handler == null)
        {
            throw Unknown(draft);
        }
        int bits = TypeBits(draft, parts[^1]);
        ref var instruction = ref draft.Instruction;
        draft.Kind = InstructionKind.Compare;
        instruction.Handler = handler;
        instruction.First = combine;
        draft.A = Read(draft, statement.Operands[1], bits);
        draft.B = Read(draft, statement.Operands[2], bits);
        if (combine != 0)
        {
            var (index, flip) = ReadPredicate(draft, statement.Operands[3]);
            instruction.C = index;
            instruction.Second = (int)flip;
        }
        instruction.Destination = WritePredicate(draft, statement.Operands[0]);
        instruction.Third = statement.Operands[0].Second is { } second ? WritePredicate(draft, second) : -1;
    }

    private void DecodeSelect(Draft draft)
    {
        Expect(draft, 4);
        if (draft.Statement.Parts.Length != 2)
        {
            throw Unknown(draft);
        }
        int bits = TypeBits(draft, draft.Statement.Parts[1]);
        draft.Kind = InstructionKind.Move;
        draft.A = Read(draft, draft.Statement.Operands[1], bits);
        draft.B = Read(draft, draft.Statement.Operands[2], bits);
        var (index, flip) = ReadPredicate(draft, draft.Statement.Operands[3]);
        draft.Instruction.C = index;
        draft.Instruction.Second = (int)flip;
        draft.Destination = Write(draft, draft.Statement.Operands[0], bits);
        draft.Instruction.Handler = bits == 64 ? &Lanes.SelectByPredicate<ulong> : &Lanes.SelectByPredicate<uint>;
    }

    private void DecodePredicateLogic(Draft draft)
    {
        var operands = draft.Statement.Operands;
        string name = draft.Statement.Parts[0];
        Expect(draft, name == "not" ? 2 : 3);
        draft.Kind = InstructionKind.Compare;
        draft.Instruction.Handler = &Lanes.Predicate;
        draft.Instruction.First = name switch
        {
            "and" => 1,
            "or" => 2,
            "xor" => 3,
            _ => 0,
        };
        var (a, flipA) = ReadPredicate(draft, operands[1]);
        var (b, flipB) = name == "not" ? (a, 0u) : ReadPredicate(draft, operands[2]);
        bool negated = (flipA != 0) != (name == "not");
        draft.Instruction.A = a;
        draft.Instruction.B = b;
        draft.Instruction.Second = (negated ? 1 : 0) | (flipB != 0 ? 2 : 0);
        draft.Instruction.Destination = WritePredicate(draft, operands[0]);
    }

    private void DecodeLogic3(Draft draft)
    {
        var operands = draft.Statement.Operands;
        Expect(draft, 5);
        if (operands[4].Kind != OperandKind.Immediate || operands[4].Bits > 255)
        {
            throw Refuse(draft, "expected a table from 0 to 255 as the last operand");
        }
        draft.Kind = InstructionKind.Integer;
        draft.Instruction.Handler = &Worker.Logic3;
        draft.Instruction.Immediate = (long)operands[4].Bits;
        draft.A = Read(draft, operands[1], 32);
        draft.B = Read(draft, operands[2], 32);
        draft.C = Read(draft, operands[3], 32);
        draft.Destination = Write(draft, operands[0], 32);
    }

    private void DecodeInsert(Draft draft)
    {
        var operands = draft.Statement.Operands;
        Expect(draft, 5);
        int bits = TypeBits(draft, draft.Statement.Parts[1]);
        draft.Kind = InstructionKind.Integer;
        draft.Instruction.Handler = &Worker.InsertField;
        draft.Instruction.First = bits;
        draft.A = Read(draft, operands[1], bits);
        draft.B = Read(draft, operands[2], bits);
        draft.C = Read(draft, operands[3], 32);
        draft.Registers.Add((Read(draft, operands[4], 32), 0));
        draft.Destination = Write(draft, operands[0], bits);
    }

    private void DecodeConversion(Draft draft)
    {
        var statement = draft.Statement;
        var (conversion, pair) = ConversionName.Parse(statement.Parts) ?? throw Unknown(draft);
        Expect(draft, pair ? 3 : 2);
        draft.Kind = InstructionKind.Conversion;
        ref var instruction = ref draft.Instruction;
        instruction.Immediate = _conversions.Count;
        _conversions.Add(conversion);
        if (pair)
        {
            var fastPair = Conversions.FindPair(conversion);
            instruction.Handler = fastPair != null ? fastPair : &Worker.ConvertPair;
            draft.A = Read(draft, statement.Operands[1], 32);
            draft.B = Read(draft, statement.Operands[2], 32);
            draft.Destination = Write(draft, statement.Operands[0], 32);
            return;
        }
        bool integerFrom = conversion.From is NumberKind.Signed or NumberKind.Unsigned;
        bool integerTo = conversion.To is NumberKind.Signed or NumberKind.Unsigned;
        draft.A = Read(draft, statement.Operands[1], conversion.FromBits, wider: integerFrom);
        draft.Destination = Write(draft, statement.Operands[0], conversion.ToBits, wider: integerTo);
        instruction.First = draft.A.Bytes == 256 ? 8 : 4;
        instruction.Third = draft.Destination.Bytes == 256 ? 8 : 4;
        instruction.Second = draft.Destination.Register!.Bits == 16 ? 16 : 32;
        var fast = Conversions.Find(conversion, draft.A.Bytes, draft.Destination.Bytes, instruction.Second);
        instruction.Handler = fast != null ? fast : &Worker.Convert;
    }
}
