// Exponential, hyperbolic tangent, sigmoid and normal distribution on F32 lanes, accurate to a few units in the last place.
// Coefficients: interpolation at Chebyshev nodes, made for this file; errors stated are of the polynomials.
using System.Runtime.CompilerServices;

namespace Rt.Cpu;

/// <summary>Elementary functions, lane by lane. NaN in gives NaN out.</summary>
internal static class VectorMath
{
    /// <summary>e^x; exactly 1 at 0, 0 from -104 down (so at -infinity), infinity above 88.72.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Exp<TW, TV>(TV x) where TW : ISimd<TV> where TV : unmanaged
    {
        // NaN passes through: the second operand is the one that is kept.
        x = TW.Max(TW.Create(-104f), TW.Min(TW.Create(89f), x));
        // x = n ln 2 + r, |r| <= ln 2 / 2, ln 2 in two parts of which the first has trailing zeros.
        var n = TW.Round(TW.Multiply(x, TW.Create(1.44269504088896341f)));
        var r = TW.MultiplyAdd(n, TW.Create(-0.693359375f), x);
        r = TW.MultiplyAdd(n, TW.Create(2.12194440054690583e-4f), r);
        // e^r = 1 + r + r^2 q(r), relative error 1.0e-8.
        var q = TW.MultiplyAdd(TW.Create(1.3926250825e-3f), r, TW.Create(8.3632328837e-3f));
        q = TW.MultiplyAdd(q, r, TW.Create(4.1666554213e-2f));
        q = TW.MultiplyAdd(q, r, TW.Create(1.6666576666e-1f));
        q = TW.MultiplyAdd(q, r, TW.Create(0.5f));
        var p = TW.Add(TW.MultiplyAdd(TW.Multiply(q, r), r, r), TW.Create(1f));
        return TW.ScaleByPowerOfTwo(p, n);
    }

    /// <summary>tanh(x), exactly ±1 far out and x near 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Tanh<TW, TV>(TV x) where TW : ISimd<TV> where TV : unmanaged
    {
        var one = TW.Create(1f);
        var magnitude = TW.Abs(x);
        // tanh = 1 - 2 / (e^(2|x|) + 1), with the sign of x put back.
        var far = TW.Subtract(one, TW.Divide(TW.Create(2f), TW.Add(Exp<TW, TV>(TW.Add(magnitude, magnitude)), one)));
        far = TW.Select(TW.GreaterThan(TW.Zero, x), TW.Subtract(TW.Zero, far), far);
        // x + x^3 q(x^2) where the difference above would cancel, relative error 2.2e-8.
        var square = TW.Multiply(x, x);
        var q = TW.MultiplyAdd(TW.Create(-5.9929612545e-3f), square, TW.Create(2.0924148183e-2f));
        q = TW.MultiplyAdd(q, square, TW.Create(-5.3835141265e-2f));
        q = TW.MultiplyAdd(q, square, TW.Create(1.3332663480e-1f));
        q = TW.MultiplyAdd(q, square, TW.Create(-3.3333327864e-1f));
        var near = TW.MultiplyAdd(TW.Multiply(q, square), x, x);
        return TW.Select(TW.GreaterThan(TW.Create(0.625f), magnitude), near, far);
    }

    /// <summary>x / (1 + e^(-y)): x times the logistic function of y.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV TimesSigmoid<TW, TV>(TV x, TV y) where TW : ISimd<TV> where TV : unmanaged =>
        TW.Divide(x, TW.Add(TW.Create(1f), Exp<TW, TV>(TW.Subtract(TW.Zero, y))));

    /// <summary>x Φ(x) with the standard normal distribution Φ(x) = erfc(-x / √2) / 2.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV TimesNormalDistribution<TW, TV>(TV x) where TW : ISimd<TV> where TV : unmanaged
    {
        var z = TW.Multiply(TW.Abs(x), TW.Create(0.70710678118654752f));
        var far = TW.GreaterThan(z, TW.Create(10.5f));
        z = TW.Select(far, TW.Create(10.5f), z);
        // erfc(z) = e^(-z^2) t p(t), t = 1 / (1 + 0.35 z), relative error 1.1e-8 on [0, 10.5].
        var t = TW.Divide(TW.Create(1f), TW.MultiplyAdd(z, TW.Create(0.35f), TW.Create(1f)));
        var p = TW.MultiplyAdd(TW.Create(0.0382093053f), t, TW.Create(-0.158280047f));
        p = TW.MultiplyAdd(p, t, TW.Create(0.180952324f));
        p = TW.MultiplyAdd(p, t, TW.Create(-0.0285135665f));
        p = TW.MultiplyAdd(p, t, TW.Create(0.0890458675f));
        p = TW.MultiplyAdd(p, t, TW.Create(0.144159039f));
        p = TW.MultiplyAdd(p, t, TW.Create(0.152136382f));
        p = TW.MultiplyAdd(p, t, TW.Create(0.187629369f));
        p = TW.MultiplyAdd(p, t, TW.Create(0.197180201f));
        p = TW.MultiplyAdd(p, t, TW.Create(0.197481132f));
        var exponential = Exp<TW, TV>(TW.Subtract(TW.Zero, TW.Multiply(z, z)));
        var tail = TW.Multiply(TW.Create(0.5f), TW.Multiply(TW.Multiply(t, p), exponential));
        tail = TW.Select(far, TW.Zero, tail);
        var positive = TW.GreaterThan(x, TW.Zero);
        return TW.Multiply(x, TW.Select(positive, TW.Subtract(TW.Create(1f), tail), tail));
    }
}
