// Integer operations: folded, put into a canonical form (constants outermost, loop-dependent terms last), strength-reduced.
namespace Rt.Gpu.Compiler.Ir;

internal sealed partial class IrBuilder
{
    /// <summary>An operation of one or two operands of its own type.</summary>
    public Value Make(Op op, params Value[] operands)
    {
        var type = operands[0].Type;
        return Make(op, type, Templates.Of(op, type), operands);
    }

    public Value Add(Value a, Value b)
    {
        if (a.IsConst && !b.IsConst)
        {
            (a, b) = (b, a);
        }

        if (b.IsConst)
        {
            if (a.IsConst || b.Bits == 0)
            {
                return b.Bits == 0 ? a : Make(Op.Add, a, b);
            }

            // (x + c1) + c2 = x + (c1 + c2)
            return IsOp(a, Op.Add) && Operand(a, 1).IsConst ? Add(Operand(a, 0), Add(Operand(a, 1), b)) : Make(Op.Add, a, b);
        }

        if (IsOp(a, Op.Add) && Operand(a, 1).IsConst)
        {
            return Add(Add(Operand(a, 0), b), Operand(a, 1));
        }

        if (IsOp(b, Op.Add) && Operand(b, 1).IsConst)
        {
            return Add(Add(a, Operand(b, 0)), Operand(b, 1));
        }

        if (IsOp(b, Op.Neg))
        {
            return Sub(a, Operand(b, 0));
        }

        if (a.LoopDepth < b.LoopDepth)
        {
            (a, b) = (b, a);
        }

        // (deep + shallow) + shallower = deep + (shallow + shallower): what loops do not change is added outside them.
        if (IsOp(a, Op.Add))
        {
            var (deep, other) = (Operand(a, 0), Operand(a, 1));
            if (deep.LoopDepth < other.LoopDepth)
            {
                (deep, other) = (other, deep);
            }

            if (other.LoopDepth < deep.LoopDepth && b.LoopDepth < deep.LoopDepth)
            {
                return Add(deep, Add(other, b));
            }
        }

        return a.Id <= b.Id ? Make(Op.Add, a, b) : Make(Op.Add, b, a);
    }

    public Value Sub(Value a, Value b)
    {
        if (b.IsConst)
        {
            return Add(a, Constant(b.Type, unchecked((ulong)-b.Int64)));
        }

        if (a == b)
        {
            return Constant(a.Type, 0);
        }

        if (a.IsConst && a.Bits == 0)
        {
            return Neg(b);
        }

        if (IsOp(a, Op.Add) && Operand(a, 1).IsConst)
        {
            return Add(Sub(Operand(a, 0), b), Operand(a, 1));
        }

        if (IsOp(b, Op.Add) && Operand(b, 1).IsConst)
        {
            return Sub(Sub(a, Operand(b, 0)), Operand(b, 1));
        }

        // (x + y) - x = y
        if (IsOp(a, Op.Add))
        {
            if (Operand(a, 0) == b)
            {
                return Operand(a, 1);
            }

            if (Operand(a, 1) == b)
            {
                return Operand(a, 0);
            }
        }

        return Make(Op.Sub, a, b);
    }

    public Value Neg(Value a) => IsOp(a, Op.Neg) ? Operand(a, 0) : Make(Op.Neg, a);

    public Value Mul(Value a, Value b)
    {
        if (a.IsConst && !b.IsConst)
        {
            (a, b) = (b, a);
        }

        if (b.IsConst && !a.IsConst)
        {
            var factor = b.Type == IrType.I32 ? b.Int32 : b.Int64;
            if (factor == 0)
            {
                return b;
            }

            if (factor == 1)
            {
                return a;
            }

            if (factor == -1)
            {
                return Neg(a);
            }

            if (IsOp(a, Op.Add) && Operand(a, 1).IsConst)
            {
                return Add(Mul(Operand(a, 0), b), Mul(Operand(a, 1), b));
            }

            if (IsOp(a, Op.Mul) && Operand(a, 1).IsConst)
            {
                return Mul(Operand(a, 0), Mul(Operand(a, 1), b));
            }

            if (IsOp(a, Op.Shl) && Operand(a, 1).IsConst)
            {
                return Mul(Operand(a, 0), Mul(Shl(Constant(a.Type, 1), Operand(a, 1)), b));
            }

            if (a.Type == IrType.I64 && IsOp(a, Op.SExt) && factor == (int)factor)
            {
                return MulWide(Operand(a, 0), I32((int)factor));
            }

            if (Bits.IsPowerOfTwo(factor))
            {
                return Shl(a, I32(Bits.Log2(factor)));
            }
        }

        if (a.Type == IrType.I64 && IsOp(a, Op.SExt) && IsOp(b, Op.SExt))
        {
            return MulWide(Operand(a, 0), Operand(b, 0));
        }

        if (a.Type == IrType.I64 && IsOp(a, Op.ZExt) && IsOp(b, Op.ZExt))
        {
            return Make(Op.MulWideU, IrType.I64, Templates.Of(Op.MulWideU, IrType.I64), Operand(a, 0), Operand(b, 0));
        }

        return a.IsConst || b.IsConst || a.Id <= b.Id ? Make(Op.Mul, a, b) : Make(Op.Mul, b, a);
    }

    /// <summary>Signed 32 x 32 to 64 bits.</summary>
    public Value MulWide(Value a, Value b)
    {
        if (a.IsConst && !b.IsConst)
        {
            (a, b) = (b, a);
        }

        return b.IsConstInt(1) ? SExt(a)
            : b.IsConstInt(0) ? I64(0)
            : Make(Op.MulWideS, IrType.I64, Templates.Of(Op.MulWideS, IrType.I64), a, b);
    }

    /// <summary>Shift left; the amount is an I32 below the width.</summary>
    public Value Shl(Value a, Value amount)
    {
        if (amount.IsConst && !a.IsConst)
        {
            if (amount.Bits == 0)
            {
                return a;
            }

            if (IsOp(a, Op.Add) && Operand(a, 1).IsConst)
            {
                return Add(Shl(Operand(a, 0), amount), Shl(Operand(a, 1), amount));
            }

            if (a.Type == IrType.I64 && IsOp(a, Op.SExt) && amount.Bits < 31)
            {
                return MulWide(Operand(a, 0), I32(1 << amount.Int32));
            }

            if (IsOp(a, Op.Shl) && Operand(a, 1).IsConst)
            {
                var sum = Operand(a, 1).Int32 + amount.Int32;
                return sum >= Width(a) ? Constant(a.Type, 0) : Shl(Operand(a, 0), I32(sum));
            }

            if (IsOp(a, Op.Mul) && Operand(a, 1).IsConst)
            {
                return Mul(Operand(a, 0), Shl(Operand(a, 1), amount));
            }

            // (x >>> 16) << 16 clears the low half; (x & 0xFFFF) << 16 needs no mask: the two halves of packed bfloat16.
            if (IsOp(a, Op.ShrU) && Operand(a, 1) == amount)
            {
                return And(Operand(a, 0), Shl(Constant(a.Type, ulong.MaxValue), amount));
            }

            if (IsOp(a, Op.And) && a.Type == IrType.I32 && Operand(a, 1).IsConst
                && (uint)Operand(a, 1).Bits << amount.Int32 == uint.MaxValue << amount.Int32)
            {
                return Shl(Operand(a, 0), amount);
            }
        }

        return Make(Op.Shl, a, amount);
    }

    public Value Shr(Value a, Value amount, bool signed)
    {
        if (amount.IsConst && amount.Bits == 0)
        {
            return a;
        }

        if (signed && IsNonNegative(a))
        {
            signed = false;
        }

        if (!signed && amount.IsConst && IsOp(a, Op.ShrU) && Operand(a, 1).IsConst)
        {
            var sum = Operand(a, 1).Int32 + amount.Int32;
            return sum >= Width(a) ? Constant(a.Type, 0) : Shr(Operand(a, 0), I32(sum), signed: false);
        }

        return Make(signed ? Op.ShrS : Op.ShrU, a, amount);
    }

    public Value And(Value a, Value b)
    {
        if (a.IsConst && !b.IsConst)
        {
            (a, b) = (b, a);
        }

        if (b.IsConst && !a.IsConst)
        {
            if (b.Bits == 0)
            {
                return b;
            }

            if (b.Bits == Mask(b.Type))
            {
                return a;
            }

            if (IsOp(a, Op.And) && Operand(a, 1).IsConst)
            {
                return And(Operand(a, 0), Constant(a.Type, Operand(a, 1).Bits & b.Bits));
            }

            if (KnownBits(a) is { } known && (known & ~b.Bits) == 0)
            {
                return a;
            }

            if (WithoutHighTerm(a, b.Bits) is { } reduced)
            {
                return And(reduced, b);
            }
        }

        return a == b ? a : Make(Op.And, a, b);
    }

    // What is added above the bits that a mask keeps does not matter: ((x + 16) >> 1) & 3 is (x >> 1) & 3.
    private Value? WithoutHighTerm(Value a, ulong mask)
    {
        if (a.Type != IrType.I32 || (mask & (mask + 1)) != 0)
        {
            return null;
        }

        if (IsOp(a, Op.Add) && Operand(a, 1).IsConst && (Operand(a, 1).Bits & mask) == 0)
        {
            return Operand(a, 0);
        }

        if ((IsOp(a, Op.ShrS) || IsOp(a, Op.ShrU)) && Operand(a, 1).IsConst)
        {
            var amount = Operand(a, 1);
            var shifted = mask << amount.Int32;
            if (shifted <= uint.MaxValue && IsOp(Operand(a, 0), Op.Add))
            {
                var sum = Operand(a, 0);
                var low = (1UL << amount.Int32) - 1;
                if (Operand(sum, 1).IsConst && (Operand(sum, 1).Bits & (shifted | low)) == 0)
                {
                    return Shr(Operand(sum, 0), amount, IsOp(a, Op.ShrS));
                }
            }
        }

        return null;
    }

    public Value Or(Value a, Value b)
    {
        if (a.IsConst && !b.IsConst)
        {
            (a, b) = (b, a);
        }

        return a == b || (b.IsConst && b.Bits == 0 && !a.IsConst) ? a : Make(Op.Or, a, b);
    }

    public Value Xor(Value a, Value b)
    {
        if (a.IsConst && !b.IsConst)
        {
            (a, b) = (b, a);
        }

        return b.IsConst && b.Bits == 0 && !a.IsConst ? a : Make(Op.Xor, a, b);
    }

    public Value Not(Value a) => IsOp(a, Op.Not) ? Operand(a, 0) : Make(Op.Not, a);

    public Value Div(Value a, Value b, bool signed)
    {
        if (b.IsConst && !a.IsConst)
        {
            if (b.Bits == 1)
            {
                return a;
            }

            if ((!signed || IsNonNegative(a)) && Bits.IsPowerOfTwo(b.Type == IrType.I32 ? b.Int32 : b.Int64))
            {
                return Shr(a, I32(Bits.Log2(b.Int64)), signed: false);
            }
        }

        return Make(signed ? Op.DivS : Op.DivU, a, b);
    }

    public Value Rem(Value a, Value b, bool signed)
    {
        if (b.IsConst && !a.IsConst && (!signed || IsNonNegative(a)) && Bits.IsPowerOfTwo(b.Type == IrType.I32 ? b.Int32 : b.Int64))
        {
            return And(a, Constant(b.Type, b.Bits - 1));
        }

        return Make(signed ? Op.RemS : Op.RemU, a, b);
    }

    public Value SExt(Value a) => Make(Op.SExt, IrType.I64, Templates.Of(Op.SExt, IrType.I64), a);

    public Value ZExt(Value a) => IsNonNegative(a) ? SExt(a) : Make(Op.ZExt, IrType.I64, Templates.Of(Op.ZExt, IrType.I64), a);

    public Value Trunc(Value a)
    {
        if (IsOp(a, Op.SExt) || IsOp(a, Op.ZExt))
        {
            return Operand(a, 0);
        }

        // The low word of a 64-bit parameter is a parameter of its own.
        if (IsOp(a, Op.Param))
        {
            return Pure(Op.Param, IrType.I32, a.Def!.Text.Replace("ld.param.u64", "ld.param.u32"));
        }

        return Make(Op.Trunc, IrType.I32, Templates.Of(Op.Trunc, IrType.I32), a);
    }

    /// <summary>A 32-bit value cut to 8 or 16 bits and extended again.</summary>
    public Value Narrow(Value a, int bits, bool signed)
    {
        var mask = (1UL << bits) - 1;
        if (!signed)
        {
            return And(a, Constant(IrType.I32, mask));
        }

        if (KnownBits(a) is { } known && (known & ~(mask >> 1)) == 0)
        {
            return a;
        }

        var op = bits == 8 ? Op.SExt8 : Op.SExt16;
        return IsOp(a, op) ? a : Make(op, a);
    }

    /// <summary>Bits that may be set, where something is known.</summary>
    public static ulong? KnownBits(Value value)
    {
        if (value.IsConst)
        {
            return value.Bits;
        }

        if (value.Def is not { } inst || value.Type != IrType.I32)
        {
            return null;
        }

        switch (inst.Op)
        {
            case Op.And:
                return (KnownBits(inst.Operands[0]) ?? uint.MaxValue) & (KnownBits(inst.Operands[1]) ?? uint.MaxValue);
            case Op.ShrU when inst.Operands[1].IsConst:
                return (KnownBits(inst.Operands[0]) ?? uint.MaxValue) >> inst.Operands[1].Int32;
            case Op.Shl when inst.Operands[1].IsConst && KnownBits(inst.Operands[0]) is { } bits:
                return (bits << inst.Operands[1].Int32) & uint.MaxValue;
            case Op.Or or Op.Xor when KnownBits(inst.Operands[0]) is { } left && KnownBits(inst.Operands[1]) is { } right:
                return left | right;
            case Op.ZExt16:
                return 0xFFFF;
            case Op.Special:
                return inst.Text.Contains("%tid") ? 1023u : inst.Text.Contains("laneid") ? 31u : int.MaxValue;
            case Op.Text when inst.Text.StartsWith("ld.", StringComparison.Ordinal):
                return inst.Text.Contains(".u8 ") ? 0xFFu : inst.Text.Contains(".u16 ") ? 0xFFFFu : null;
            case Op.RemU when inst.Operands[1].IsConst && inst.Operands[1].Bits != 0:
                return CoveringMask(inst.Operands[1].Bits - 1);
            case Op.DivU when inst.Operands[1].IsConst && inst.Operands[1].Bits > 1:
                return CoveringMask((KnownBits(inst.Operands[0]) ?? uint.MaxValue) / inst.Operands[1].Bits);
            case Op.Add when KnownBits(inst.Operands[0]) is { } first && KnownBits(inst.Operands[1]) is { } second && first + second <= int.MaxValue:
                return CoveringMask(first + second);
            case Op.Mul when KnownBits(inst.Operands[0]) is { } factor && inst.Operands[1].IsConst && factor * inst.Operands[1].Bits <= int.MaxValue:
                return CoveringMask(factor * inst.Operands[1].Bits);
            default:
                return null;
        }
    }

    public static bool IsNonNegative(Value value) => value.Type == IrType.I32 && KnownBits(value) is { } known && known <= int.MaxValue;

    private static ulong CoveringMask(ulong value)
    {
        ulong mask = 0;
        while (mask < value)
        {
            mask = (mask << 1) | 1;
        }

        return mask;
    }

    private static int Width(Value value) => value.Type == IrType.I64 ? 64 : 32;

    private static ulong Mask(IrType type) => type == IrType.I64 ? ulong.MaxValue : uint.MaxValue;

    private static bool IsOp(Value value, Op op) => value.Def?.Op == op;

    private static Value Operand(Value value, int index) => value.Def!.Operands[index];

    private Value Make(Op op, IrType type, string text, params Value[] operands)
    {
        var constant = true;
        foreach (var operand in operands)
        {
            constant &= operand.IsConst;
        }

        if (constant && Folding.Evaluate(op, type, operands[0].Type, text, operands) is { } bits)
        {
            return Constant(type, bits);
        }

        return Pure(op, type, text, operands);
    }
}
