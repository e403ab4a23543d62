// PTX texts of the operations that the compiler understands.
namespace Rt.Gpu.Compiler.Ir;

internal static class Templates
{
    private static readonly Dictionary<(Op, IrType), string> Known = Build();

    public static string Of(Op op, IrType type) =>
        Known.TryGetValue((op, type), out var text) ? text : throw new InvalidOperationException($"no instruction {op} for {type}");

    public static string Compare(string condition, IrType type, bool signed) => string.Intern(
        "setp." + condition + "." + type switch
        {
            IrType.F32 => "f32",
            IrType.F64 => "f64",
            IrType.I64 => signed ? "s64" : "u64",
            _ => signed ? "s32" : "u32",
        } + " %0, #1, #2");

    private static Dictionary<(Op, IrType), string> Build()
    {
        var known = new Dictionary<(Op, IrType), string>();
        void Integers(Op op, string text, int operands)
        {
            foreach (var (type, width) in new[] { (IrType.I32, "32"), (IrType.I64, "64") })
            {
                known[(op, type)] = string.Intern(text.Replace("{}", width) + Arguments(operands));
            }
        }

        void Floats(Op op, string text, int operands)
        {
            foreach (var (type, width) in new[] { (IrType.F32, "f32"), (IrType.F64, "f64") })
            {
                known[(op, type)] = string.Intern(text.Replace("{}", width) + Arguments(operands));
            }
        }

        Integers(Op.Add, "add.s{}", 2);
        Integers(Op.Sub, "sub.s{}", 2);
        Integers(Op.Mul, "mul.lo.s{}", 2);
        Integers(Op.DivS, "div.s{}", 2);
        Integers(Op.DivU, "div.u{}", 2);
        Integers(Op.RemS, "rem.s{}", 2);
        Integers(Op.RemU, "rem.u{}", 2);
        Integers(Op.And, "and.b{}", 2);
        Integers(Op.Or, "or.b{}", 2);
        Integers(Op.Xor, "xor.b{}", 2);
        Integers(Op.Not, "not.b{}", 1);
        Integers(Op.Neg, "neg.s{}", 1);
        Integers(Op.Shl, "shl.b{}", 2);
        Integers(Op.ShrS, "shr.s{}", 2);
        Integers(Op.ShrU, "shr.u{}", 2);
        Integers(Op.MinS, "min.s{}", 2);
        Integers(Op.MaxS, "max.s{}", 2);
        Integers(Op.MinU, "min.u{}", 2);
        Integers(Op.MaxU, "max.u{}", 2);
        Integers(Op.AbsS, "abs.s{}", 1);
        Integers(Op.MadLo, "mad.lo.s{}", 3);
        Integers(Op.Select, "selp.b{} %0, #2, #3, %1", 0);
        Floats(Op.Select, "selp.{} %0, #2, #3, %1", 0);
        Floats(Op.FAdd, "add.rn.{}", 2);
        Floats(Op.FSub, "sub.rn.{}", 2);
        Floats(Op.FMul, "mul.rn.{}", 2);
        Floats(Op.FDiv, "div.rn.{}", 2);
        Floats(Op.Fma, "fma.rn.{}", 3);
        Floats(Op.FNeg, "neg.{}", 1);
        Floats(Op.FAbs, "abs.{}", 1);
        Floats(Op.FSqrt, "sqrt.rn.{}", 1);
        known[(Op.FMin, IrType.F32)] = "min.NaN.f32 %0, #1, #2";
        known[(Op.FMax, IrType.F32)] = "max.NaN.f32 %0, #1, #2";
        known[(Op.MulWideS, IrType.I64)] = "mul.wide.s32 %0, #1, #2";
        known[(Op.MulWideU, IrType.I64)] = "mul.wide.u32 %0, #1, #2";
        known[(Op.MadWideS, IrType.I64)] = "mad.wide.s32 %0, #1, #2, #3";
        known[(Op.SExt, IrType.I64)] = "cvt.s64.s32 %0, %1";
        known[(Op.ZExt, IrType.I64)] = "cvt.u64.u32 %0, %1";
        known[(Op.Trunc, IrType.I32)] = "cvt.u32.u64 %0, %1";
        known[(Op.SExt8, IrType.I32)] = "cvt.s32.s8 %0, %1";
        known[(Op.SExt16, IrType.I32)] = "cvt.s32.s16 %0, %1";
        known[(Op.Low16, IrType.B16)] = "cvt.u16.u32 %0, %1";
        known[(Op.High16, IrType.B16)] = "mov.b32 {_, %0}, %1";
        known[(Op.ZExt16, IrType.I32)] = "cvt.u32.u16 %0, %1";
        known[(Op.Pack16, IrType.I32)] = "prmt.b32 %0, #1, #2, 0x5410";
        known[(Op.RoundHalf, IrType.B16)] = "cvt.rn.f16.f32 %0, %1";
        known[(Op.RoundBFloat, IrType.B16)] = "cvt.rn.bf16.f32 %0, %1";
        known[(Op.PAnd, IrType.Pred)] = "and.pred %0, %1, %2";
        known[(Op.POr, IrType.Pred)] = "or.pred %0, %1, %2";
        known[(Op.PXor, IrType.Pred)] = "xor.pred %0, %1, %2";
        known[(Op.PNot, IrType.Pred)] = "not.pred %0, %1";
        foreach (var type in new[] { IrType.I32, IrType.I64, IrType.F32, IrType.F64 })
        {
            known[(Op.Bitcast, type)] = string.Empty;
        }

        return known;
    }

    private static string Arguments(int operands) => operands switch
    {
        0 => string.Empty,
        1 => " %0, #1",
        2 => " %0, #1, #2",
        _ => " %0, #1, #2, #3",
    };
}
