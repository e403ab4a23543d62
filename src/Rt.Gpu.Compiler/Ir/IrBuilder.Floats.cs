// Floats, comparisons, predicates, selection and 16-bit halves.
namespace Rt.Gpu.Compiler.Ir;

internal sealed partial class IrBuilder
{
    /// <summary>A comparison; the condition is eq, ne, lt, le, gt or ge. For floats, ne is true of NaN, as in C#.</summary>
    public Value Compare(string condition, Value a, Value b, bool signed)
    {
        var isFloat = IsFloat(a.Type);
        if (isFloat && condition == "ne")
        {
            condition = "neu";
        }

        if (a.IsConst && !b.IsConst)
        {
            (a, b) = (b, a);
            condition = condition switch { "lt" => "gt", "le" => "ge", "gt" => "lt", "ge" => "le", _ => condition };
        }

        if (!isFloat && a == b)
        {
            return Bool(condition is "eq" or "le" or "ge");
        }

        if (!isFloat && b.IsConst && Known(condition, a, b, signed) is { } known)
        {
            return Bool(known);
        }

        return Make(isFloat ? Op.CmpF : signed ? Op.CmpS : Op.CmpU, IrType.Pred, Templates.Compare(condition, a.Type, signed), a, b);
    }

    public Value Not1(Value a)
    {
        if (IsOp(a, Op.PNot))
        {
            return Operand(a, 0);
        }

        if (a.Def is { Op: Op.CmpS or Op.CmpU or Op.CmpF } comparison)
        {
            var left = comparison.Operands[0];
            var condition = Folding.Inverse(Folding.ConditionOf(comparison.Text), comparison.Op == Op.CmpF);
            return Make(comparison.Op, IrType.Pred, Templates.Compare(condition, left.Type, comparison.Op == Op.CmpS), left, comparison.Operands[1]);
        }

        return Make(Op.PNot, a);
    }

    public Value And1(Value a, Value b) =>
        a.IsConst ? (a.Bits == 0 ? a : b) : b.IsConst ? (b.Bits == 0 ? b : a) : a == b ? a : Make(Op.PAnd, a, b);

    public Value Or1(Value a, Value b) =>
        a.IsConst ? (a.Bits == 0 ? b : a) : b.IsConst ? (b.Bits == 0 ? a : b) : a == b ? a : Make(Op.POr, a, b);

    public Value Xor1(Value a, Value b) =>
        a.IsConst && b.IsConst ? Bool(a.Bits != b.Bits)
        : a.IsConst ? (a.Bits == 0 ? b : Not1(b))
        : b.IsConst ? (b.Bits == 0 ? a : Not1(a))
        : Make(Op.PXor, a, b);

    public Value Select(Value condition, Value a, Value b)
    {
        if (condition.IsConst)
        {
            return condition.Bits != 0 ? a : b;
        }

        if (a == b)
        {
            return a;
        }

        if (a.Type == IrType.Pred)
        {
            return b.IsConst ? (b.Bits == 0 ? And1(condition, a) : Or1(Not1(condition), a))
                : a.IsConst ? (a.Bits == 0 ? And1(Not1(condition), b) : Or1(condition, b))
                : Or1(And1(condition, a), And1(Not1(condition), b));
        }

        if (a.Type == IrType.B16)
        {
            return Low16(Select(condition, ZExt16(a), ZExt16(b)));
        }

        if (IsOp(condition, Op.PNot))
        {
            (condition, a, b) = (Operand(condition, 0), b, a);
        }

        return Pure(Op.Select, a.Type, Templates.Of(Op.Select, a.Type), condition, a, b);
    }

    public Value FloatBinary(Op op, Value a, Value b)
    {
        if (op is Op.FAdd or Op.FMul && a.IsConst && !b.IsConst)
        {
            (a, b) = (b, a);
        }

        if (op is Op.FMul or Op.FDiv && b.IsConst && b.Bits == (b.Type == IrType.F32 ? Bits.Of(1f) : Bits.Of(1.0)))
        {
            return a;
        }

        return Make(op, a, b);
    }

    public Value FNeg(Value a) => IsOp(a, Op.FNeg) ? Operand(a, 0) : Make(Op.FNeg, a);

    public Value Fma(Value a, Value b, Value c) => Pure(Op.Fma, a.Type, Templates.Of(Op.Fma, a.Type), a, b, c);

    /// <summary>The same bits as a value of another type of the same width.</summary>
    public Value Bitcast(Value a, IrType type)
    {
        if (a.Type == type)
        {
            return a;
        }

        if (IsOp(a, Op.Bitcast))
        {
            return Bitcast(Operand(a, 0), type);
        }

        return Make(Op.Bitcast, type, string.Empty, a);
    }

    /// <summary>A conversion by its instruction, which no constant folding knows.</summary>
    public Value Convert(IrType type, string mnemonic, Value a) => Pure(Op.Cvt, type, mnemonic + " %0, %1", a);

    public Value Low16(Value a) => IsOp(a, Op.ZExt16) ? Operand(a, 0)
        : IsOp(a, Op.And) && Operand(a, 1).IsConst && (Operand(a, 1).Bits & 0xFFFF) == 0xFFFF ? Low16(Operand(a, 0))
        : IsOp(a, Op.ShrU) && Operand(a, 1).IsConstInt(16) ? Make(Op.High16, IrType.B16, Templates.Of(Op.High16, IrType.B16), Operand(a, 0))
        : Make(Op.Low16, IrType.B16, Templates.Of(Op.Low16, IrType.B16), a);

    public Value ZExt16(Value a) =>
        IsOp(a, Op.Low16) ? And(Operand(a, 0), I32(0xFFFF))
        : IsOp(a, Op.High16) ? Shr(Operand(a, 0), I32(16), signed: false)
        : Make(Op.ZExt16, IrType.I32, Templates.Of(Op.ZExt16, IrType.I32), a);

    /// <summary>Two zero-extended halves in one register.</summary>
    public Value Pack16(Value low, Value high)
    {
        foreach (var (op, mnemonic) in new[] { (Op.RoundBFloat, "cvt.rn.bf16x2.f32 %0, %2, %1"), (Op.RoundHalf, "cvt.rn.f16x2.f32 %0, %2, %1") })
        {
            if (IsOp(low, Op.ZExt16) && IsOp(high, Op.ZExt16) && IsOp(Operand(low, 0), op) && IsOp(Operand(high, 0), op))
            {
                return Pure(Op.Cvt, IrType.I32, mnemonic, Operand(Operand(low, 0), 0), Operand(Operand(high, 0), 0));
            }
        }

        // The two halves of one register.
        if (IsOp(high, Op.ShrU) && Operand(high, 1).IsConstInt(16) && IsOp(low, Op.And) && Operand(low, 1).IsConstInt(0xFFFF)
            && Operand(low, 0) == Operand(high, 0))
        {
            return Operand(low, 0);
        }

        if (high.IsConst && !low.IsConst)
        {
            var upper = Shl(high, I32(16));
            return upper.Bits == 0 ? And(low, I32(0xFFFF)) : Or(And(low, I32(0xFFFF)), upper);
        }

        // The high half as a register of its own needs no shift before it is packed.
        return IsOp(low, Op.And) && Operand(low, 1).IsConstInt(0xFFFF)
            ? Make(Op.Pack16, Operand(low, 0), high)
            : Make(Op.Pack16, low, high);
    }

    public static bool IsFloat(IrType type) => type is IrType.F32 or IrType.F64;

    // What the possible bits of a say about a comparison with a constant.
    private static bool? Known(string condition, Value a, Value b, bool signed)
    {
        if (a.IsConst || KnownBits(a) is not { } bits || (signed && (bits > int.MaxValue || b.Int32 < 0)))
        {
            return null;
        }

        var limit = b.Bits;
        return condition switch
        {
            "lt" when bits < limit => true,
            "le" when bits <= limit => true,
            "gt" when bits <= limit => false,
            "ge" when bits < limit => false,
            "lt" when limit == 0 => false,
            "ge" when limit == 0 => true,
            "eq" when bits < limit => false,
            "ne" when bits < limit => true,
            _ => null,
        };
    }
}
