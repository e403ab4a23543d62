// Arithmetic on pairs of 16-bit floats, rounded once.
// Source: PTX ISA, "Half Precision Floating Point Instructions".
namespace Rt.Gpu.Simulator.Execution;

internal static class PairArithmetic
{
    private static readonly Conversion ToHalf = new(NumberKind.Float, 16, NumberKind.Float, 64, Rounding.Nearest, false, false, false);
    private static readonly Conversion ToBrain = new(NumberKind.Brain, 16, NumberKind.Float, 64, Rounding.Nearest, false, false, false);

    /// <summary>a b + c to odd in double: a later rounding to fewer bits then is that of the exact sum.</summary>
    private static ulong Fused(double a, double b, double c)
    {
        double product = a * b;
        double sum = product + c;
        if (double.IsFinite(sum))
        {
            // The product of two 16-bit floats is exact; what the sum lost comes from the two-sum.
            double part = sum - product;
            double lost = (product - (sum - part)) + (c - part);
            if (lost != 0 && (BitConverter.DoubleToInt64Bits(sum) & 1) == 0)
            {
                sum = lost > 0 == sum > 0 ? BitConverter.Int64BitsToDouble(BitConverter.DoubleToInt64Bits(sum) | 1)
                    : BitConverter.Int64BitsToDouble((BitConverter.DoubleToInt64Bits(sum) - 1) | 1);
            }
        }
        return BitConverter.DoubleToUInt64Bits(sum);
    }

    private static double Half(uint bits) => (double)BitConverter.UInt16BitsToHalf((ushort)bits);

    private static double Brain(uint bits) => BitConverter.UInt32BitsToSingle(bits << 16);

    public static uint FusedHalf(uint a, uint b, uint c) => (uint)ToHalf.Of(Fused(Half(a), Half(b), Half(c)));

    public static uint FusedBrain(uint a, uint b, uint c) => (uint)ToBrain.Of(Fused(Brain(a), Brain(b), Brain(c)));
}

internal readonly struct FusedHalves : ILane<uint, uint, uint, uint>
{
    public static uint Of(uint a, uint b, uint c) =>
        PairArithmetic.FusedHalf(a, b, c) | (PairArithmetic.FusedHalf(a >> 16, b >> 16, c >> 16) << 16);
}

internal readonly struct FusedBrains : ILane<uint, uint, uint, uint>
{
    public static uint Of(uint a, uint b, uint c) =>
        PairArithmetic.FusedBrain(a & 0xFFFF, b & 0xFFFF, c & 0xFFFF) | (PairArithmetic.FusedBrain(a >> 16, b >> 16, c >> 16) << 16);
}
