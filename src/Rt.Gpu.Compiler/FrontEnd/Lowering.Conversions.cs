// Conversions between numbers, as C# on .NET 10 does them: float to integer truncates and saturates, NaN becomes 0.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.FrontEnd;

internal sealed partial class Lowering
{
    private Datum LowerConversion(IConversionOperation conversion)
    {
        RefuseChecked(conversion.IsChecked, conversion);
        var datum = Lower(conversion.Operand);
        if (conversion.Type is null || conversion.Operand.Type is null)
        {
            return datum;
        }

        var to = Substitute(conversion.Type);
        if (datum is ScalarDatum scalar && Scalars.Of(to) is var target and not Scalar.None)
        {
            if (conversion.IsImplicit && scalar.Type == Scalar.Single && target == Scalar.Double && !scalar.Value.IsConst)
            {
                throw new KernelException(Diagnostics.ImplicitDouble, conversion.Syntax.GetLocation());
            }

            return new ScalarDatum(Convert(scalar.Value, scalar.Type, target), target);
        }

        if (datum is AggregateDatum { Type.IsTupleType: true } tuple && to is INamedTypeSymbol { IsTupleType: true } tupleType)
        {
            var parts = tuple.Parts.Zip(tupleType.TupleElements, (part, element) =>
                part is ScalarDatum item && Scalars.Of(element.Type) is var itemType and not Scalar.None
                    ? new ScalarDatum(Convert(item.Value, item.Type, itemType), itemType)
                    : part);
            return new AggregateDatum(to, [.. parts]);
        }

        if (SymbolEqualityComparer.Default.Equals(to, Substitute(conversion.Operand.Type)))
        {
            return datum;
        }

        if (conversion.OperatorMethod is { } method)
        {
            return Inline(Resolve(method, conversion.ConstrainedToType), conversion, null, [datum]);
        }

        throw to.IsReferenceType
            ? new KernelException(Diagnostics.ManagedObject, conversion.Syntax.GetLocation(), $"Boxing '{conversion.Operand.Syntax}'")
            : Unsupported(conversion);
    }

    private Value Convert(Value value, Scalar from, Scalar to)
    {
        if (from == to)
        {
            return value;
        }

        if (value.IsConst && ConvertConstant(value, from, to) is { } constant)
        {
            return constant;
        }

        switch (from)
        {
            case Scalar.BFloat16:
                var widened = _builder.Bitcast(_builder.Shl(value, _builder.I32(16)), IrType.F32);
                return Convert(widened, Scalar.Single, to);
            case Scalar.Half:
                return Convert(_builder.Convert(IrType.F32, "cvt.f32.f16", _builder.Low16(value)), Scalar.Single, to);
            case Scalar.Single or Scalar.Double:
                return FromFloat(value, from, to);
        }

        return to switch
        {
            Scalar.SByte or Scalar.Byte or Scalar.Int16 or Scalar.UInt16 =>
                _builder.Narrow(Low(value), Scalars.Size(to) * 8, Scalars.IsSigned(to)),
            Scalar.Int32 or Scalar.UInt32 => Low(value),
            Scalar.Int64 or Scalar.UInt64 => value.Type == IrType.I64 ? value : Scalars.IsSigned(from) ? _builder.SExt(value) : _builder.ZExt(value),
            Scalar.Single => _builder.Convert(IrType.F32, $"cvt.rn.f32.{IntegerName(from)}", value),
            Scalar.Double => _builder.Convert(IrType.F64, $"cvt.rn.f64.{IntegerName(from)}", value),
            _ => Convert(Convert(value, from, Scalar.Single), Scalar.Single, to),
        };
    }

    private Value Low(Value value) => value.Type == IrType.I64 ? _builder.Trunc(value) : value;

    private static string IntegerName(Scalar type) => type switch
    {
        Scalar.Int64 => "s64",
        Scalar.UInt64 => "u64",
        Scalar.UInt32 => "u32",
        _ => "s32",
    };

    private Value FromFloat(Value value, Scalar from, Scalar to)
    {
        var name = from == Scalar.Single ? "f32" : "f64";
        switch (to)
        {
            case Scalar.Double:
                return _builder.Convert(IrType.F64, "cvt.f64.f32", value);
            case Scalar.Single:
                return _builder.Convert(IrType.F32, "cvt.rn.f32.f64", value);
            case Scalar.Half:
                return _builder.ZExt16(from == Scalar.Single
                    ? _builder.Pure(Op.RoundHalf, IrType.B16, Templates.Of(Op.RoundHalf, IrType.B16), value)
                    : _builder.Convert(IrType.B16, "cvt.rn.f16.f64", value));
            case Scalar.BFloat16:
                var single = from == Scalar.Single ? value : FromFloat(value, from, Scalar.Single);
                return _builder.ZExt16(_builder.Pure(Op.RoundBFloat, IrType.B16, Templates.Of(Op.RoundBFloat, IrType.B16), single));
            case Scalar.SByte or Scalar.Byte or Scalar.Int16 or Scalar.UInt16:
                return _builder.Narrow(FromFloat(value, from, Scalar.Int32), Scalars.Size(to) * 8, Scalars.IsSigned(to));
            default:
                var integer = _builder.Convert(Scalars.Register(to), $"cvt.rzi.{IntegerName(to)}.{name}", value);

                // Of NaN, PTX makes 0 only from f32 to 32 bits.
                return from == Scalar.Single && Scalars.Size(to) == 4
                    ? integer
                    : _builder.Select(_builder.Compare("eq", value, value, false), integer, _builder.Constant(integer.Type, 0));
        }
    }

    private Value? ConvertConstant(Value value, Scalar from, Scalar to)
    {
        if (from is Scalar.Half or Scalar.BFloat16 or Scalar.Bool || to is Scalar.Half or Scalar.BFloat16 or Scalar.Bool)
        {
            return null;
        }

        if (Scalars.IsFloat(from))
        {
            var number = from == Scalar.Single ? Bits.ToFloat(value.Bits) : Bits.ToDouble(value.Bits);
            return to switch
            {
                Scalar.Single => _builder.F32((float)number),
                Scalar.Double => _builder.F64(number),
                Scalar.Int64 => _builder.I64(Bits.ToInt64(number)),
                Scalar.UInt64 => _builder.I64(unchecked((long)Bits.ToUInt64(number))),
                Scalar.UInt32 => _builder.I32(unchecked((int)Bits.ToUInt32(number))),
                Scalar.Int32 => _builder.I32(Bits.ToInt32(number)),
                _ => _builder.Narrow(_builder.I32(Bits.ToInt32(number)), Scalars.Size(to) * 8, Scalars.IsSigned(to)),
            };
        }

        var signed = from == Scalar.UInt64 ? value.Int64 : value.Type == IrType.I64 ? value.Int64 : from == Scalar.UInt32 ? (uint)value.Bits : value.Int32;
        return to switch
        {
            Scalar.Single => _builder.F32(from == Scalar.UInt64 ? (float)value.Bits : signed),
            Scalar.Double => _builder.F64(from == Scalar.UInt64 ? (double)value.Bits : signed),
            Scalar.Int64 or Scalar.UInt64 => _builder.I64(signed),
            Scalar.Int32 or Scalar.UInt32 => _builder.I32(unchecked((int)signed)),
            _ => _builder.Narrow(_builder.I32(unchecked((int)signed)), Scalars.Size(to) * 8, Scalars.IsSigned(to)),
        };
    }
}
