// What the members of the kernel vocabulary mean.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Rt.Gpu.Compiler.Ir;
using Rt.Gpu.Compiler.Numerics;

namespace Rt.Gpu.Compiler.FrontEnd;

internal sealed partial class Lowering
{
    // A property of Grid, Group or Warp.
    private ScalarDatum? IntrinsicProperty(IPropertySymbol property)
    {
        if (!Scalars.InNamespace(property.ContainingType, "Rt.Gpu"))
        {
            return null;
        }

        Value? value = (property.ContainingType.Name, property.Name) switch
        {
            ("Grid", "IdxX") => Special("%ctaid.x", Uniformity.Group),
            ("Grid", "IdxY") => Special("%ctaid.y", Uniformity.Group),
            ("Grid", "IdxZ") => Special("%ctaid.z", Uniformity.Group),
            ("Grid", "DimX") => Special("%nctaid.x", Uniformity.Group),
            ("Grid", "DimY") => Special("%nctaid.y", Uniformity.Group),
            ("Grid", "DimZ") => Special("%nctaid.z", Uniformity.Group),
            ("Group", "IdxX") => ThreadIndex(),
            ("Group", "DimX") => _builder.I32(_attributes.GroupSize),
            ("Warp", "LaneIdx") => _builder.And(ThreadIndex(), _builder.I32(31)),
            ("Warp", "WarpIdx") => _builder.Shr(ThreadIndex(), _builder.I32(5), signed: false),
            _ => null,
        };
        return value is null ? null : new ScalarDatum(value, Scalar.Int32);
    }

    private Value ThreadIndex() => Special("%tid.x", Uniformity.Thread);

    private Value Special(string register, Uniformity uniformity) =>
        _builder.PureInst(Op.Special, $"mov.u32 %0, {register}", [IrType.I32], InstFlags.Pure, uniformity)[0];

    // True where the called method has a meaning of its own here.
    private bool Intrinsic(IInvocationOperation call, out Datum? result)
    {
        var method = call.TargetMethod;
        var type = method.ContainingType;
        var name = (type.Name, method.Name);
        result = null;
        if (type.SpecialType is SpecialType.System_Single or SpecialType.System_Double)
        {
            result = FloatMethod(call, method);
            return result is not null;
        }

        if (Scalars.InNamespace(type, "System"))
        {
            switch (type.Name)
            {
                case "Math" or "MathF":
                    result = MathMethod(call, method);
                    return result is not null;
                case "BitConverter":
                    result = BitsMethod(call, method);
                    return result is not null;
                case "Half":
                    return false;
            }

            return false;
        }

        if (name is ("BitOperations", _) && Scalars.InNamespace(type, "System.Numerics"))
        {
            result = BitOperation(call, method);
            return result is not null;
        }

        if (!Scalars.InNamespace(type, "Rt.Gpu"))
        {
            return false;
        }

        switch (type.Name)
        {
            case "XMath":
                result = MathMethod(call, method);
                return result is not null;
            case "Approximate":
                var approximate = method.Name switch
                {
                    "Exp2" => "ex2.approx.f32",
                    "Log2" => "lg2.approx.f32",
                    "Rcp" => "rcp.approx.f32",
                    "Rsqrt" => "rsqrt.approx.f32",
                    _ => "tanh.approx.f32",
                };
                result = new ScalarDatum(_builder.Convert(IrType.F32, approximate, Arguments(call)[0]), Scalar.Single);
                return true;
            case "Interop":
                var bits = method.Name == "FloatAsInt";
                result = new ScalarDatum(_builder.Bitcast(Arguments(call)[0], bits ? IrType.I32 : IrType.F32), bits ? Scalar.UInt32 : Scalar.Single);
                return true;
            case "Element":
                result = ElementMethod(call, method);
                return true;
            case "Unroll":
                result = Lower(call.Arguments[0].Value);
                return true;
            case "ArrayView":
                result = ViewMethod(call, method);
                return true;
            case "SharedMemory" or "LocalMemory":
                result = Allocation(call, method);
                return true;
            case "Group" or "Warp" or "MemoryFence":
                result = ThreadMethod(call, method, type.Name);
                return true;
            case "Atomic":
                result = AtomicMethod(call, method);
                return true;
            case "Mma" or "LdMatrix" or "AsyncCopy":
                result = TensorMethod(call, method, type.Name);
                return true;
            case "Ptx":
                result = EmitMethod(call, method);
                return true;
            default:
                return false;
        }
    }

    // Values of the arguments in the order of the parameters.
    private Value[] Arguments(IInvocationOperation call)
    {
        var values = new Value[call.Arguments.Length];
        foreach (var argument in call.Arguments)
        {
            values[argument.Parameter!.Ordinal] = LowerValue(argument.Value);
        }

        return values;
    }

    private Datum? FloatMethod(IInvocationOperation call, IMethodSymbol method)
    {
        if (method.Name is not ("IsNaN" or "IsFinite" or "IsInfinity" or "IsNegative"))
        {
            return MathMethod(call, method);
        }

        var value = Arguments(call)[0];
        var isSingle = value.Type == IrType.F32;
        var infinity = isSingle ? _builder.F32(float.PositiveInfinity) : _builder.F64(double.PositiveInfinity);
        var size = _builder.Make(Op.FAbs, value);
        var result = method.Name switch
        {
            "IsNaN" => _builder.Compare("ne", value, value, true),
            "IsFinite" => _builder.Compare("lt", size, infinity, true),
            "IsInfinity" => _builder.Compare("eq", size, infinity, true),
            _ => _builder.Compare("lt", _builder.Bitcast(value, isSingle ? IrType.I32 : IrType.I64), _builder.Constant(isSingle ? IrType.I32 : IrType.I64, 0), true),
        };
        return new ScalarDatum(result, Scalar.Bool);
    }

    private Datum? MathMethod(IInvocationOperation call, IMethodSymbol method)
    {
        var type = Scalars.Of(method.ReturnType);
        var isFloat = Scalars.IsFloat(type);
        var isSingle = type == Scalar.Single;
        var functions = new Functions<Value>(new KernelArithmetic(_builder));
        var parameterType = method.Parameters.Length > 0 ? Scalars.Of(method.Parameters[0].Type) : Scalar.None;
        if (parameterType != type || type is Scalar.None)
        {
            return null;
        }

        var wide = type is Scalar.Int32 or Scalar.UInt32 or Scalar.Int64 or Scalar.UInt64;
        var signed = Scalars.IsSigned(type);
        Func<Value[], Value>? function = method.Name switch
        {
            "Exp" when isSingle => x => functions.Exp(x[0]),
            "Exp2" when isSingle => x => functions.Exp2(x[0]),
            "Log" when isSingle && method.Parameters.Length == 1 => x => functions.Log(x[0]),
            "Tanh" when isSingle => x => functions.Tanh(x[0]),
            "Erf" when isSingle => x => functions.Erf(x[0]),
            "Sqrt" when isFloat => x => _builder.Make(Op.FSqrt, x[0]),
            "Rsqrt" when isSingle => x => _builder.FloatBinary(Op.FDiv, _builder.F32(1f), _builder.Make(Op.FSqrt, x[0])),
            "Fma" or "FusedMultiplyAdd" when isFloat => x => _builder.Fma(x[0], x[1], x[2]),
            "Max" when isSingle => x => _builder.Make(Op.FMax, x[0], x[1]),
            "Min" when isSingle => x => _builder.Make(Op.FMin, x[0], x[1]),
            "Max" when wide => x => _builder.Make(signed ? Op.MaxS : Op.MaxU, x[0], x[1]),
            "Min" when wide => x => _builder.Make(signed ? Op.MinS : Op.MinU, x[0], x[1]),
            "Abs" when isFloat => x => _builder.Make(Op.FAbs, x[0]),
            "Abs" when type is Scalar.Int32 or Scalar.Int64 => x => _builder.Make(Op.AbsS, x[0]),
            "Floor" when isSingle => x => _builder.Convert(IrType.F32, "cvt.rmi.f32.f32", x[0]),
            "Ceiling" when isSingle => x => _builder.Convert(IrType.F32, "cvt.rpi.f32.f32", x[0]),
            "Truncate" when isSingle => x => _builder.Convert(IrType.F32, "cvt.rzi.f32.f32", x[0]),
            "Round" when isSingle && method.Parameters.Length == 1 => x => _builder.Convert(IrType.F32, "cvt.rni.f32.f32", x[0]),
            _ => null,
        };
        return function is null ? null : new ScalarDatum(function(Arguments(call)), type);
    }

    private Datum? BitsMethod(IInvocationOperation call, IMethodSymbol method)
    {
        Scalar? type = method.Name switch
        {
            "SingleToUInt32Bits" => Scalar.UInt32,
            "SingleToInt32Bits" => Scalar.Int32,
            "UInt32BitsToSingle" or "Int32BitsToSingle" => Scalar.Single,
            "DoubleToUInt64Bits" => Scalar.UInt64,
            "DoubleToInt64Bits" => Scalar.Int64,
            "UInt64BitsToDouble" or "Int64BitsToDouble" => Scalar.Double,
            "HalfToUInt16Bits" => Scalar.UInt16,
            "UInt16BitsToHalf" => Scalar.Half,
            _ => null,
        };
        return type is { } to ? new ScalarDatum(_builder.Bitcast(Arguments(call)[0], Scalars.Register(to)), to) : null;
    }

    private Datum? BitOperation(IInvocationOperation call, IMethodSymbol method)
    {
        var type = Scalars.Of(method.Parameters[0].Type);
        var mnemonic = (method.Name, type) switch
        {
            ("PopCount", Scalar.UInt32) => "popc.b32",
            ("LeadingZeroCount", Scalar.UInt32) => "clz.b32",
            ("PopCount", Scalar.UInt64) => "popc.b64",
            ("LeadingZeroCount", Scalar.UInt64) => "clz.b64",
            ("TrailingZeroCount", Scalar.UInt32 or Scalar.Int32) => "brev.b32",
            _ => null,
        };
        if (mnemonic is null)
        {
            return null;
        }

        var value = _builder.Convert(IrType.I32, mnemonic, Arguments(call)[0]);
        return new ScalarDatum(method.Name == "TrailingZeroCount" ? _builder.Convert(IrType.I32, "clz.b32", value) : value, Scalar.Int32);
    }

    private Datum ElementMethod(IInvocationOperation call, IMethodSymbol method)
    {
        var type = Substitute(method.TypeArguments[0]);
        var scalar = Scalars.Of(type);
        switch (method.Name)
        {
            case "Size":
                return new ScalarDatum(_builder.I32(SizeOf(type)), Scalar.Int32);
            case "Is":
                return new ScalarDatum(_builder.Bool(SymbolEqualityComparer.Default.Equals(type, Substitute(method.TypeArguments[1]))), Scalar.Bool);
            case "ToFloat":
                return new ScalarDatum(Convert(Arguments(call)[0], scalar, Scalar.Single), Scalar.Single);
            case "FromFloat":
                return new ScalarDatum(Convert(Arguments(call)[0], Scalar.Single, scalar), scalar);
            default:
                if (scalar is not (Scalar.Half or Scalar.BFloat16))
                {
                    throw new KernelException(Diagnostics.NotSupported, call.Syntax.GetLocation(), $"Element.Pack of '{type.Name}'", "pack BFloat16 or Half");
                }

                var values = Arguments(call);
                return new ScalarDatum(_builder.Pack16(Convert(values[0], Scalar.Single, scalar), Convert(values[1], Scalar.Single, scalar)), Scalar.UInt32);
        }
    }
}
