// Evaluates operations on constants, with C# meaning.
namespace Rt.Gpu.Compiler.Ir;

internal static class Folding
{
    /// <summary>Bits of the result, or null where the operation is not folded.</summary>
    public static ulong? Evaluate(Op op, IrType type, IrType operandType, string text, Value[] operands)
    {
        var a = operands[0].Bits;
        var b = operands.Length > 1 ? operands[1].Bits : 0;
        return operandType switch
        {
            IrType.I32 => Integer32(op, text, unchecked((int)(uint)a), unchecked((int)(uint)b)) ?? Convert32(op, type, unchecked((uint)a)),
            IrType.I64 => Integer64(op, text, unchecked((long)a), unchecked((long)b)) ?? (op == Op.Trunc ? (uint)a : null),
            IrType.F32 => Single(op, text, Bits.ToFloat(a), Bits.ToFloat(b)),
            IrType.F64 => Double(op, text, Bits.ToDouble(a), Bits.ToDouble(b)),
            IrType.Pred => op switch
            {
                Op.PAnd => a & b,
                Op.POr => a | b,
                Op.PXor => a ^ b,
                Op.PNot => a ^ 1,
                _ => null,
            },
            _ => null,
        };
    }

    private static ulong? Integer32(Op op, string text, int a, int b)
    {
        unchecked
        {
            long? result = op switch
            {
                Op.Add => a + b,
                Op.Sub => a - b,
                Op.Mul => a * b,
                Op.DivS => b == 0 || (b == -1 && a == int.MinValue) ? null : a / b,
                Op.RemS => b == 0 ? null : b == -1 ? 0 : a % b,
                Op.DivU => b == 0 ? null : (uint)a / (uint)b,
                Op.RemU => b == 0 ? null : (uint)a % (uint)b,
                Op.And => a & b,
                Op.Or => a | b,
                Op.Xor => a ^ b,
                Op.Not => ~a,
                Op.Neg => -a,
                Op.Shl => a << b,
                Op.ShrS => a >> b,
                Op.ShrU => (uint)a >> b,
                Op.MinS => Math.Min(a, b),
                Op.MaxS => Math.Max(a, b),
                Op.MinU => Math.Min((uint)a, (uint)b),
                Op.MaxU => Math.Max((uint)a, (uint)b),
                Op.AbsS => a == int.MinValue ? a : Math.Abs(a),
                Op.SExt8 => (sbyte)a,
                Op.SExt16 => (short)a,
                Op.Pack16 => (int)(((uint)a & 0xFFFF) | ((uint)b << 16)),
                _ => null,
            };
            if (result is not null)
            {
                return (uint)result.Value;
            }

            return op switch
            {
                Op.MulWideS => (ulong)((long)a * b),
                Op.MulWideU => (ulong)(uint)a * (uint)b,
                Op.CmpS => Compare(text, a < b, a == b, false),
                Op.CmpU => Compare(text, (uint)a < (uint)b, a == b, false),
                _ => null,
            };
        }
    }

    private static ulong? Convert32(Op op, IrType type, uint a)
    {
        unchecked
        {
            return op switch
            {
                Op.SExt => (ulong)(int)a,
                Op.ZExt => a,
                Op.Bitcast => a,
                _ => null,
            };
        }
    }

    private static ulong? Integer64(Op op, string text, long a, long b)
    {
        unchecked
        {
            return op switch
            {
                Op.Add => (ulong)(a + b),
                Op.Sub => (ulong)(a - b),
                Op.Mul => (ulong)(a * b),
                Op.DivS => b == 0 || (b == -1 && a == long.MinValue) ? null : (ulong)(a / b),
                Op.RemS => b == 0 ? null : b == -1 ? 0 : (ulong)(a % b),
                Op.DivU => b == 0 ? null : (ulong)a / (ulong)b,
                Op.RemU => b == 0 ? null : (ulong)a % (ulong)b,
                Op.And => (ulong)(a & b),
                Op.Or => (ulong)(a | b),
                Op.Xor => (ulong)(a ^ b),
                Op.Not => (ulong)~a,
                Op.Neg => (ulong)-a,
                Op.Shl => (ulong)(a << (int)b),
                Op.ShrS => (ulong)(a >> (int)b),
                Op.ShrU => (ulong)a >> (int)b,
                Op.Bitcast => (ulong)a,
                Op.CmpS => Compare(text, a < b, a == b, false),
                Op.CmpU => Compare(text, (ulong)a < (ulong)b, a == b, false),
                _ => null,
            };
        }
    }

    private static ulong? Single(Op op, string text, float a, float b) => op switch
    {
        Op.FAdd => Bits.Of(a + b),
        Op.FSub => Bits.Of(a - b),
        Op.FMul => Bits.Of(a * b),
        Op.FDiv => Bits.Of(a / b),
        Op.FNeg => Bits.Of(a) ^ 0x80000000,
        Op.FAbs => Bits.Of(a) & 0x7FFFFFFF,
        Op.Bitcast => Bits.Of(a),
        Op.CmpF => Compare(text, a < b, a == b, float.IsNaN(a) || float.IsNaN(b)),
        _ => null,
    };

    private static ulong? Double(Op op, string text, double a, double b) => op switch
    {
        Op.FAdd => Bits.Of(a + b),
        Op.FSub => Bits.Of(a - b),
        Op.FMul => Bits.Of(a * b),
        Op.FDiv => Bits.Of(a / b),
        Op.FNeg => Bits.Of(a) ^ (1UL << 63),
        Op.FAbs => Bits.Of(a) & ~(1UL << 63),
        Op.FSqrt => Bits.Of(Math.Sqrt(a)),
        Op.Bitcast => Bits.Of(a),
        Op.CmpF => Compare(text, a < b, a == b, double.IsNaN(a) || double.IsNaN(b)),
        _ => null,
    };

    private static ulong? Compare(string text, bool less, bool equal, bool unordered)
    {
        var condition = ConditionOf(text);
        var greater = !less && !equal && !unordered;
        bool result = condition switch
        {
            "eq" => equal,
            "ne" => !equal && !unordered,
            "lt" => less,
            "le" => less || equal,
            "gt" => greater,
            "ge" => greater || equal,
            "neu" => !equal,
            "ltu" => less || unordered,
            "leu" => less || equal || unordered,
            "gtu" => greater || unordered,
            _ => greater || equal || unordered,
        };
        return result ? 1u : 0u;
    }

    /// <summary>"lt" of "setp.lt.s32 ...".</summary>
    public static string ConditionOf(string text) => text.Substring(5, text.IndexOf('.', 5) - 5);

    /// <summary>The comparison that is true exactly where this one is not.</summary>
    public static string Inverse(string condition, bool isFloat) => condition switch
    {
        "eq" => isFloat ? "neu" : "ne",
        "ne" => "eq",
        "neu" => "eq",
        "lt" => isFloat ? "geu" : "ge",
        "le" => isFloat ? "gtu" : "gt",
        "gt" => isFloat ? "leu" : "le",
        "ge" => isFloat ? "ltu" : "lt",
        "ltu" => "ge",
        "leu" => "gt",
        "gtu" => "le",
        _ => "lt",
    };
}
