// Mathematics of kernels, with ILGPU's names. Accuracy is part of the contract; nothing here depends on a global switch.
namespace Rt.Gpu;

/// <summary>Functions of float and double. Correctly rounded unless said otherwise; subnormals are kept.</summary>
public static class XMath
{
    /// <summary>e^x, within 2 ulp. Compiled as an argument reduction, a polynomial and a scaling, not as the approximate instruction.</summary>
    public static float Exp(float x) => MathF.Exp(x);

    /// <summary>2^x, within 2 ulp.</summary>
    public static float Exp2(float x) => MathF.Pow(2, x);

    /// <summary>Natural logarithm, within 2 ulp.</summary>
    public static float Log(float x) => MathF.Log(x);

    /// <summary>Hyperbolic tangent, within 3 ulp.</summary>
    public static float Tanh(float x) => MathF.Tanh(x);

    /// <summary>The error function, within 4 ulp.</summary>
    public static float Erf(float x) => throw new KernelOnlyException();

    /// <summary>Square root.</summary>
    public static float Sqrt(float x) => MathF.Sqrt(x);

    /// <summary>1 / sqrt(x), as a correctly rounded root and quotient.</summary>
    public static float Rsqrt(float x) => 1 / MathF.Sqrt(x);

    /// <summary>x y + z, rounded once.</summary>
    public static float Fma(float x, float y, float z) => MathF.FusedMultiplyAdd(x, y, z);

    /// <summary>x y + z, rounded once.</summary>
    public static double Fma(double x, double y, double z) => Math.FusedMultiplyAdd(x, y, z);

    /// <summary>The greater; NaN if either is NaN.</summary>
    public static float Max(float x, float y) => MathF.Max(x, y);

    /// <summary>The lesser; NaN if either is NaN.</summary>
    public static float Min(float x, float y) => MathF.Min(x, y);

    /// <summary>The greater.</summary>
    public static int Max(int x, int y) => Math.Max(x, y);

    /// <summary>The lesser.</summary>
    public static int Min(int x, int y) => Math.Min(x, y);

    /// <summary>|x|.</summary>
    public static float Abs(float x) => MathF.Abs(x);

    /// <summary>|x|.</summary>
    public static int Abs(int x) => Math.Abs(x);
}

/// <summary>The approximate instructions of the hardware: faster, with the stated error. For half-precision models and where asked for.</summary>
public static class Approximate
{
    /// <summary>2^x, relative error within 2^-22.</summary>
    public static float Exp2(float x) => throw new KernelOnlyException();

    /// <summary>Base-2 logarithm, absolute error within 2^-22.</summary>
    public static float Log2(float x) => throw new KernelOnlyException();

    /// <summary>1 / x, within 1 ulp.</summary>
    public static float Rcp(float x) => throw new KernelOnlyException();

    /// <summary>1 / sqrt(x), relative error within 2^-22.</summary>
    public static float Rsqrt(float x) => throw new KernelOnlyException();

    /// <summary>tanh(x), relative error within 2^-10.</summary>
    public static float Tanh(float x) => throw new KernelOnlyException();
}

/// <summary>Bits of numbers.</summary>
public static class Interop
{
    /// <summary>The bits of a float.</summary>
    public static uint FloatAsInt(float value) => BitConverter.SingleToUInt32Bits(value);

    /// <summary>The float of these bits.</summary>
    public static float IntAsFloat(uint value) => BitConverter.UInt32BitsToSingle(value);
}

/// <summary>An element of 16 bits: the upper half of a float.</summary>
public readonly struct BFloat16
{
    /// <summary>The bits.</summary>
    public ushort Bits { get; init; }

    /// <summary>Exact.</summary>
    public static explicit operator float(BFloat16 value) => Interop.IntAsFloat((uint)value.Bits << 16);

    /// <summary>To nearest, ties to even.</summary>
    public static explicit operator BFloat16(float value)
    {
        var bits = Interop.FloatAsInt(value);
        return new BFloat16
        {
            Bits = float.IsNaN(value) ? (ushort)((bits >> 16) | 0x40) : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16),
        };
    }
}

/// <summary>Elements whose type is a type parameter: float, <see cref="BFloat16"/>, <see cref="Half"/> or double.</summary>
public static class Element
{
    /// <summary>Widened to float; a double is rounded.</summary>
    public static float ToFloat<T>(T value) where T : unmanaged => throw new KernelOnlyException();

    /// <summary>Rounded to nearest, ties to even.</summary>
    public static T FromFloat<T>(float value) where T : unmanaged => throw new KernelOnlyException();

    /// <summary>Bytes of one element: a constant.</summary>
    public static int Size<T>() where T : unmanaged => throw new KernelOnlyException();

    /// <summary>Whether two types are one: a constant, so that a branch on it costs nothing.</summary>
    public static bool Is<T, TOther>() where T : unmanaged where TOther : unmanaged => typeof(T) == typeof(TOther);

    /// <summary>Two elements of 16 bits in one register, the first in the low half: what <see cref="Mma"/> reads.</summary>
    public static uint Pack<T>(float low, float high) where T : unmanaged => throw new KernelOnlyException();
}
