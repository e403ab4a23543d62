// Conversions that are common enough to have a vector form.
using Rt.Gpu.Simulator.Execution;
using unsafe Handler = delegate*<Rt.Gpu.Simulator.Execution.Worker, Rt.Gpu.Simulator.Execution.Instruction*, uint, void>;

namespace Rt.Gpu.Simulator.Decoding;

internal static unsafe class Conversions
{
    /// <summary>A handler for the conversion between slots of these bytes, or null where the general one must do.</summary>
    /// <param name="conversion">The conversion.</param>
    /// <param name="fromBytes">128 or 256.</param>
    /// <param name="toBytes">128 or 256.</param>
    /// <param name="resultBits">Bits of the register of the result.</param>
    public static Handler Find(Conversion conversion, int fromBytes, int toBytes, int resultBits)
    {
        bool plain = !conversion.Saturate && !conversion.Relu;
        if (!plain)
        {
            return null;
        }
        bool fromInteger = conversion.From is NumberKind.Signed or NumberKind.Unsigned;
        bool toInteger = conversion.To is NumberKind.Signed or NumberKind.Unsigned;
        if (fromInteger && toInteger)
        {
            return Integers(conversion, fromBytes, toBytes, resultBits);
        }
        if (fromBytes != 128 || toBytes != 128)
        {
            return null;
        }
        bool nearest = conversion.Rounding == Rounding.Nearest && !conversion.ToInteger;
        return (conversion.From, conversion.FromBits, conversion.To, conversion.ToBits) switch
        {
            (NumberKind.Float, 32, NumberKind.Brain, _) when nearest => &Lanes.Unary<FloatToBrain, uint>,
            (NumberKind.Float, 32, NumberKind.Float, 16) when nearest => &Lanes.Unary<FloatToHalf, uint>,
            (NumberKind.Brain, _, NumberKind.Float, 32) => &Lanes.Unary<BrainToFloat, uint>,
            (NumberKind.Float, 16, NumberKind.Float, 32) => &Lanes.Unary<HalfToFloat, uint>,
            (NumberKind.Signed, 32, NumberKind.Float, 32) when nearest => &Lanes.Unary<SignedToFloat, uint>,
            (NumberKind.Unsigned, 32, NumberKind.Float, 32) when nearest => &Lanes.Unary<UnsignedToFloat, uint>,
            (NumberKind.Float, 32, NumberKind.Signed, 32) when conversion.Rounding == Rounding.Zero => &Lanes.Unary<FloatToSigned, uint>,
            (NumberKind.Float, 32, NumberKind.Unsigned, 32) when conversion.Rounding == Rounding.Zero => &Lanes.Unary<FloatToUnsigned, uint>,
            _ => null,
        };
    }

    /// <summary>The same for cvt.rn to pairs.</summary>
    public static Handler FindPair(Conversion conversion) => conversion is { Rounding: Rounding.Nearest, Relu: false, Saturate: false }
        ? conversion.To == NumberKind.Brain ? &Lanes.Binary<Pair<FloatToBrain>, uint> : &Lanes.Binary<Pair<FloatToHalf>, uint>
        : null;

    private static Handler Integers(Conversion conversion, int fromBytes, int toBytes, int resultBits)
    {
        if (toBytes == 256)
        {
            return fromBytes == 128 && conversion is { FromBits: 32, ToBits: 64 }
                ? conversion.From == NumberKind.Signed ? &Lanes.Map<SignedTo64, int, long> : &Lanes.Map<UnsignedTo64, uint, ulong>
                : null;
        }
        if (fromBytes == 256)
        {
            return conversion is { FromBits: 64, ToBits: 32 } ? &Lanes.Map<KeepLow32, ulong, uint> : null;
        }
        // The narrower end decides; its sign fills the register of the result.
        int bits = Math.Min(conversion.FromBits, conversion.ToBits);
        bool signed = (conversion.FromBits < conversion.ToBits ? conversion.From : conversion.To) == NumberKind.Signed;
        return (bits, signed, resultBits) switch
        {
            (16, false, _) => &Lanes.Unary<KeepLow16, uint>,
            (16, true, 16) => &Lanes.Unary<KeepLow16, uint>,
            (16, true, _) => &Lanes.Unary<ExtendSign16, uint>,
            (8, false, _) => &Lanes.Unary<KeepLow8, uint>,
            (8, true, 32) when conversion.ToBits is 8 or 32 => &Lanes.Unary<ExtendSign8, uint>,
            (32, _, _) => &Lanes.Unary<Move<uint>, uint>,
            _ => null,
        };
    }
}
