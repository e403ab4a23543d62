// Approximate functions: the exact value, moved within the documented bound by a hash of the operand's bits.
// Source: PTX ISA, "ex2", "lg2", "rcp", "rsqrt", "sqrt", "tanh", "div".
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Rt.Gpu.Simulator.Execution;

internal static class Approximation
{
    /// <summary>Numbers in [-1, 1] that depend on the bits alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Noise(Vector512<float> x)
    {
        var h = x.AsUInt32() * Vector512.Create(0x9E3779B1u);
        h = (h ^ (h >> 15)) * Vector512.Create(0x85EBCA77u);
        h ^= h >> 13;
        var unit = Vector512.ConvertToSingle((h & Vector512.Create(0xFFFFu)).AsInt32());
        return (unit * Vector512.Create(1 / 32768f)) - Vector512<float>.One;
    }

    /// <summary>exact (1 + noise bound) as a float, or the exact value rounded where that leaves the bound.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Relative(Vector512<float> operand, Vector512<double> low, Vector512<double> high, double bound)
    {
        var (noiseLow, noiseHigh) = Vector512.Widen(Noise(operand));
        return Within(
            low + (low * noiseLow * Vector512.Create(bound)), high + (high * noiseHigh * Vector512.Create(bound)), low, high,
            Vector512.Abs(low) * Vector512.Create(bound), Vector512.Abs(high) * Vector512.Create(bound));
    }

    /// <summary>exact + noise bound as a float, or the exact value rounded where that leaves the bound.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Absolute(Vector512<float> operand, Vector512<double> low, Vector512<double> high, double bound)
    {
        var (noiseLow, noiseHigh) = Vector512.Widen(Noise(operand));
        var most = Vector512.Create(bound);
        return Within(low + (noiseLow * most), high + (noiseHigh * most), low, high, most, most);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Within(
        Vector512<double> movedLow, Vector512<double> movedHigh, Vector512<double> low, Vector512<double> high,
        Vector512<double> boundLow, Vector512<double> boundHigh)
    {
        var value = Vector512.Narrow(movedLow, movedHigh);
        var (valueLow, valueHigh) = Vector512.Widen(value);
        var fineLow = Vector512.LessThanOrEqual(Vector512.Abs(valueLow - low), boundLow);
        var fineHigh = Vector512.LessThanOrEqual(Vector512.Abs(valueHigh - high), boundHigh);
        var fine = Vector512.Narrow(fineLow.AsInt64(), fineHigh.AsInt64()).AsSingle();
        return Canonical.Of(Vector512.ConditionalSelect(fine, value, Vector512.Narrow(low, high)));
    }
}

/// <summary>2^x; relative error 2^-22.</summary>
internal readonly struct ApproximateExp2 : IUnary<float>
{
    public static Vector512<float> Of(Vector512<float> a)
    {
        var (low, high) = Vector512.Widen(a);
        var ln2 = Vector512.Create(0.69314718055994530942);
        return Approximation.Relative(a, Vector512.Exp(low * ln2), Vector512.Exp(high * ln2), 1.0 / (1 << 22));
    }
}

/// <summary>Base-2 logarithm; absolute error 2^-22 in (0.5, 2), relative error 2^-22 elsewhere.</summary>
internal readonly struct ApproximateLog2 : IUnary<float>
{
    public static Vector512<float> Of(Vector512<float> a)
    {
        var (low, high) = Vector512.Widen(a);
        low = Vector512.Log2(low);
        high = Vector512.Log2(high);
        var near = Vector512.GreaterThan(a, Vector512.Create(0.5f)) & Vector512.LessThan(a, Vector512.Create(2f));
        return Vector512.ConditionalSelect(
            near, Approximation.Absolute(a, low, high, 1.0 / (1 << 22)), Approximation.Relative(a, low, high, 1.0 / (1 << 22)));
    }
}

/// <summary>1 / x; within 1 ulp.</summary>
internal readonly struct ApproximateReciprocal : IUnary<float>
{
    public static Vector512<float> Of(Vector512<float> a)
    {
        var (low, high) = Vector512.Widen(a);
        return Approximation.Relative(a, Vector512<double>.One / low, Vector512<double>.One / high, 1.0 / (1 << 23));
    }
}

/// <summary>1 / sqrt(x); relative error 2^-22.9.</summary>
internal readonly struct ApproximateReciprocalRoot : IUnary<float>
{
    public static Vector512<float> Of(Vector512<float> a)
    {
        var (low, high) = Vector512.Widen(a);
        return Approximation.Relative(
            a, Vector512<double>.One / Vector512.Sqrt(low), Vector512<double>.One / Vector512.Sqrt(high), 1.0717734625362931 / (1 << 23));
    }
}

/// <summary>sqrt(x); relative error 2^-23.</summary>
internal readonly struct ApproximateRoot : IUnary<float>
{
    public static Vector512<float> Of(Vector512<float> a)
    {
        var (low, high) = Vector512.Widen(a);
        return Approximation.Relative(a, Vector512.Sqrt(low), Vector512.Sqrt(high), 1.0 / (1 << 23));
    }
}

/// <summary>tanh(x); relative error 2^-11, and never past 1.</summary>
internal readonly struct ApproximateTanh : IUnary<float>
{
    public static Vector512<float> Of(Vector512<float> a)
    {
        var (low, high) = Vector512.Widen(a);
        var value = Approximation.Relative(a, Exact(low), Exact(high), 1.0 / (1 << 11));
        var limited = Vector512.Min(Vector512.Max(value, Vector512.Create(-1f)), Vector512<float>.One);
        return Canonical.Of(limited);
    }

    private static Vector512<double> Exact(Vector512<double> x)
    {
        // (e - 1) / (e + 1) for e = exp(2 |x|); near zero the series, where the difference would cancel.
        var size = Vector512.Min(Vector512.Abs(x), Vector512.Create(30.0));
        var e = Vector512.Exp(size + size);
        var far = (e - Vector512<double>.One) / (e + Vector512<double>.One);
        var near = size * (Vector512<double>.One - (size * size * Vector512.Create(1 / 3.0)));
        var value = Vector512.ConditionalSelect(Vector512.LessThan(size, Vector512.Create(1.0 / 1024)), near, far);
        return value | (x & Vector512.Create(-0.0));
    }
}

/// <summary>a / b within 2 ulp where |b| lies in [2^-126, 2^126]; above that 0, or NaN for an infinite a.</summary>
internal readonly struct ApproximateQuotient : IBinary<float>
{
    public static Vector512<float> Of(Vector512<float> a, Vector512<float> b)
    {
        var (aLow, aHigh) = Vector512.Widen(a);
        var (bLow, bHigh) = Vector512.Widen(b);
        var value = Approximation.Relative(a + b, aLow / bLow, aHigh / bHigh, 1.0 / (1 << 22));
        var size = Vector512.Abs(b);
        var huge = Vector512.GreaterThan(size, Vector512.Create(8.507059e37f)) & Vector512.LessThan(size, Vector512.Create(float.PositiveInfinity));
        var scaled = a * (Vector512<float>.Zero * b);
        return Vector512.ConditionalSelect(huge, Canonical.Of(scaled), value);
    }
}
