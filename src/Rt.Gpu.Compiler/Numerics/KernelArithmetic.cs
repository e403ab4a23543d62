// The operations of the mathematical functions as instructions of the kernel form.
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.Numerics;

internal sealed class KernelArithmetic(IrBuilder builder) : IArithmetic<Value>
{
    public Value Float(float value) => builder.F32(value);

    public Value Int(int value) => builder.I32(value);

    public Value Add(Value a, Value b) => builder.FloatBinary(Op.FAdd, a, b);

    public Value Sub(Value a, Value b) => builder.FloatBinary(Op.FSub, a, b);

    public Value Mul(Value a, Value b) => builder.FloatBinary(Op.FMul, a, b);

    public Value Div(Value a, Value b) => builder.FloatBinary(Op.FDiv, a, b);

    public Value Fma(Value a, Value b, Value c) => builder.Fma(a, b, c);

    public Value Neg(Value a) => builder.FNeg(a);

    public Value Abs(Value a) => builder.Make(Op.FAbs, a);

    public Value Min(Value a, Value b) => builder.Make(Op.FMin, a, b);

    public Value Max(Value a, Value b) => builder.Make(Op.FMax, a, b);

    public Value ToBits(Value a) => builder.Bitcast(a, IrType.I32);

    public Value FromBits(Value a) => builder.Bitcast(a, IrType.F32);

    public Value FromInt(Value a) => builder.Convert(IrType.F32, "cvt.rn.f32.s32", a);

    public Value IntAdd(Value a, Value b) => builder.Add(a, b);

    public Value IntSub(Value a, Value b) => builder.Sub(a, b);

    public Value IntAnd(Value a, Value b) => builder.And(a, b);

    public Value IntOr(Value a, Value b) => builder.Or(a, b);

    public Value ShiftLeft(Value a, int amount) => builder.Shl(a, builder.I32(amount));

    public Value ShiftRight(Value a, int amount) => builder.Shr(a, builder.I32(amount), signed: true);

    public Value Less(Value a, Value b) => builder.Compare("lt", a, b, signed: true);

    public Value Select(Value predicate, Value a, Value b) => builder.Select(predicate, a, b);
}
