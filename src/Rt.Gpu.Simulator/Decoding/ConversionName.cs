// Reads the modifiers of cvt.
// Source: PTX ISA, "cvt".
using Rt.Gpu.Simulator.Execution;

namespace Rt.Gpu.Simulator.Decoding;

internal static class ConversionName
{
    /// <summary>The conversion of cvt[.rounding][.relu][.sat].to.from, and whether two values make a pair; null where it is none.</summary>
    public static (Conversion Conversion, bool Pair)? Parse(string[] parts)
    {
        if (parts.Length < 3 || TypeOf(parts[^2]) is not { } to || TypeOf(parts[^1]) is not { } from)
        {
            return null;
        }
        bool pair = parts[^2] is "f16x2" or "bf16x2";
        var rounding = Rounding.None;
        bool toInteger = false;
        bool saturate = false;
        bool relu = false;
        foreach (string modifier in parts[1..^2])
        {
            switch (modifier)
            {
                case "rn" or "rz" or "rm" or "rp" or "rna" when rounding == Rounding.None:
                    rounding = modifier switch
                    {
                        "rn" => Rounding.Nearest,
                        "rz" => Rounding.Zero,
                        "rm" => Rounding.Down,
                        "rp" => Rounding.Up,
                        _ => Rounding.NearestAway,
                    };
                    break;
                case "rni" or "rzi" or "rmi" or "rpi" when rounding == Rounding.None:
                    toInteger = true;
                    rounding = modifier switch
                    {
                        "rni" => Rounding.Nearest,
                        "rzi" => Rounding.Zero,
                        "rmi" => Rounding.Down,
                        _ => Rounding.Up,
                    };
                    break;
                case "sat" when !saturate:
                    saturate = true;
                    break;
                case "relu" when !relu:
                    relu = true;
                    break;
                default:
                    return null;
            }
        }
        var conversion = new Conversion(to.Kind, to.Bits, from.Kind, from.Bits, rounding, saturate, toInteger, relu);
        return IsAllowed(conversion, pair) ? (conversion, pair) : null;
    }

    private static (NumberKind Kind, int Bits)? TypeOf(string name) => name switch
    {
        "u8" => (NumberKind.Unsigned, 8),
        "u16" => (NumberKind.Unsigned, 16),
        "u32" => (NumberKind.Unsigned, 32),
        "u64" => (NumberKind.Unsigned, 64),
        "s8" => (NumberKind.Signed, 8),
        "s16" => (NumberKind.Signed, 16),
        "s32" => (NumberKind.Signed, 32),
        "s64" => (NumberKind.Signed, 64),
        "f16" or "f16x2" => (NumberKind.Float, 16),
        "f32" => (NumberKind.Float, 32),
        "f64" => (NumberKind.Float, 64),
        "bf16" or "bf16x2" => (NumberKind.Brain, 16),
        "tf32" => (NumberKind.TensorFloat, 32),
        _ => null,
    };

    /// <summary>Roundings stand where PTX asks for them and nowhere else.</summary>
    private static bool IsAllowed(Conversion c, bool pair)
    {
        bool integerFrom = c.From is NumberKind.Signed or NumberKind.Unsigned;
        bool integerTo = c.To is NumberKind.Signed or NumberKind.Unsigned;
        if (c.From == NumberKind.TensorFloat || (pair && (c.From != NumberKind.Float || c.FromBits != 32)))
        {
            return false;
        }
        if (c.To == NumberKind.TensorFloat)
        {
            return c is { Rounding: Rounding.NearestAway, ToInteger: false, From: NumberKind.Float, FromBits: 32, Saturate: false };
        }
        if (c.Rounding == Rounding.NearestAway)
        {
            return false;
        }
        if (integerFrom && integerTo)
        {
            return c.Rounding == Rounding.None && !c.Relu;
        }
        if (integerFrom)
        {
            return c.Rounding != Rounding.None && !c.ToInteger && !c.Relu;
        }
        if (integerTo)
        {
            return c.ToInteger && !c.Relu;
        }
        bool narrows = c.ToBits < c.FromBits || c.To != c.From;
        bool widens = c.ToBits > c.FromBits;
        return c.ToInteger ? c.To == c.From && c.ToBits == c.FromBits
            : widens ? c.Rounding == Rounding.None && !c.Relu
            : narrows ? c.Rounding != Rounding.None
            : c.Rounding == Rounding.None;
    }
}
