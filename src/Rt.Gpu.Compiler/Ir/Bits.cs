// Bits of numbers and their conversions, for folding; netstandard2.0 lacks most of them.
namespace Rt.Gpu.Compiler.Ir;

internal static unsafe class Bits
{
    public static uint Of(float value) => *(uint*)&value;

    public static ulong Of(double value) => *(ulong*)&value;

    public static float ToFloat(ulong bits)
    {
        var low = (uint)bits;
        return *(float*)&low;
    }

    public static double ToDouble(ulong bits) => *(double*)&bits;

    /// <summary>Truncated to an int; saturates; NaN is 0.</summary>
    public static int ToInt32(double value) =>
        double.IsNaN(value) ? 0 : value >= 2147483648.0 ? int.MaxValue : value <= -2147483649.0 ? int.MinValue : (int)value;

    public static uint ToUInt32(double value) =>
        double.IsNaN(value) || value <= -1 ? 0 : value >= 4294967296.0 ? uint.MaxValue : (uint)value;

    public static long ToInt64(double value) =>
        double.IsNaN(value) ? 0 : value >= 9223372036854775808.0 ? long.MaxValue
        : value < -9223372036854775808.0 ? long.MinValue : (long)value;

    public static ulong ToUInt64(double value) =>
        double.IsNaN(value) || value <= -1 ? 0 : value >= 18446744073709551616.0 ? ulong.MaxValue
        : value < 9223372036854775808.0 ? (ulong)(long)value : (ulong)(long)(value - 9223372036854775808.0) + (1UL << 63);

    public static int Log2(long powerOfTwo)
    {
        var log = 0;
        while (powerOfTwo > 1)
        {
            powerOfTwo >>= 1;
            log++;
        }

        return log;
    }

    public static bool IsPowerOfTwo(long value) => value > 0 && (value & (value - 1)) == 0;
}
