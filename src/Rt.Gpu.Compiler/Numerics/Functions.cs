// Exponentials, logarithm, hyperbolic tangent and error function in single precision: argument reduction, polynomial, scaling.
// Coefficients: interpolation at Chebyshev nodes of the reduced function, computed to 40 digits.
namespace Rt.Gpu.Compiler.Numerics;

/// <summary>Each function is a short straight line of operations with the error stated in <c>XMath</c>.</summary>
internal sealed class Functions<V>(IArithmetic<V> math)
{
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
    private const float Rounder = 12582912f;
    private const int RounderBits = 0x4B400000;

    private static readonly float[] ExpCoefficients = [0.5f, 0.1666657703f, 0.04166655466f, 0.008363173075f, 0.001392617612f];

    private static readonly float[] Exp2Coefficients =
        [0.693147188f, 0.2402265076f, 0.05550357114f, 0.009618082557f, 0.001339086336f, 0.0001545316295f];

    private static readonly float[] LogCoefficients =
    [
        0.3333333333f, -0.2499994419f, 0.1999994835f, -0.1667331625f, 0.1429186718f, -0.1228872161f, 0.1091565479f, -0.1242220058f, 0.1133061739f,
    ];

    private static readonly float[] TanhCoefficients = [-0.3333333033f, 0.1333291537f, -0.05387394885f, 0.02111095905f, -0.00626911972f];

    private static readonly float[] ErfNearCoefficients =
    [
        0.1283791671f, -0.3761263847f, 0.112837825f, -0.02686543073f, 0.005221031808f, -0.0008484080406f, 0.0001126595903f, -9.667044571e-6f,
    ];

    private static readonly float[] ErfFarCoefficients =
    [
        0.0007658977797f, 1.125893652f, 0.6391412576f, 0.1032811176f, -0.02260477224f, 0.003432351381f, -0.0003169370225f, 1.327236181e-5f,
    ];

    /// <summary>e^x = 2^n e^r with |r| up to ln(2) / 2.</summary>
    public V Exp(V x)
    {
        x = Clamp(x, -104f, 89f);
        var shifted = math.Fma(x, math.Float(1.44269504f), math.Float(Rounder));
        var n = math.Sub(shifted, math.Float(Rounder));
        var r = math.Fma(n, math.Float(-0.693147182f), x);
        r = math.Fma(n, math.Float(1.9046543e-9f), r);
        var p = Polynomial(r, ExpCoefficients);
        p = math.Fma(math.Mul(r, r), p, r);
        return Scale(math.Add(p, math.Float(1f)), shifted);
    }

    /// <summary>2^x = 2^n 2^r with |r| up to 1 / 2.</summary>
    public V Exp2(V x)
    {
        x = Clamp(x, -151f, 129f);
        var shifted = math.Add(x, math.Float(Rounder));
        var r = math.Sub(x, math.Sub(shifted, math.Float(Rounder)));
        var p = math.Fma(Polynomial(r, Exp2Coefficients), r, math.Float(1f));
        return Scale(p, shifted);
    }

    /// <summary>ln x = n ln 2 + ln(1 + f) with 1 + f from 2/3 to 4/3.</summary>
    public V Log(V x)
    {
        var isTiny = math.Less(x, math.Float(1.17549435e-38f));
        var scaled = math.Select(isTiny, math.Mul(x, math.Float(8388608f)), x);
        var bits = math.ToBits(scaled);
        var exponent = math.IntAnd(math.IntSub(bits, math.Int(0x3F2AAAAB)), math.Int(unchecked((int)0xFF800000)));
        var f = math.Sub(math.FromBits(math.IntSub(bits, exponent)), math.Float(1f));
        var n = math.Fma(math.FromInt(exponent), math.Float(1.1920929e-7f), math.Select(isTiny, math.Float(-23f), math.Float(0f)));
        var square = math.Mul(f, f);
        var tail = math.Fma(math.Mul(f, Polynomial(f, LogCoefficients)), square, math.Mul(square, math.Float(-0.5f)));
        tail = math.Fma(n, math.Float(-1.9046543e-9f), tail);
        var result = math.Fma(n, math.Float(0.693147182f), math.Add(f, tail));

        // Infinity and NaN give themselves, zero minus infinity, and what is below zero NaN.
        result = math.Select(math.Less(x, math.Float(float.PositiveInfinity)), result, math.Add(x, x));
        var below = math.Select(math.Less(x, math.Float(0f)), math.Float(float.NaN), math.Add(x, math.Float(float.NegativeInfinity)));
        return math.Select(math.Less(math.Float(0f), x), result, below);
    }

    /// <summary>x + x^3 P(x^2) near zero, 1 - 2 / (e^2|x| + 1) elsewhere.</summary>
    public V Tanh(V x)
    {
        var size = math.Abs(x);
        var square = math.Mul(x, x);
        var near = math.Fma(math.Mul(Polynomial(square, TanhCoefficients), square), x, x);
        var power = Exp(math.Add(size, size));
        var far = math.Sub(math.Float(1f), math.Div(math.Float(2f), math.Add(power, math.Float(1f))));
        return math.Select(math.Less(size, math.Float(0.6f)), near, CopySign(far, x));
    }

    /// <summary>x P(x^2) up to 1, 1 - e^-Q(|x|) beyond.</summary>
    public V Erf(V x)
    {
        var size = math.Abs(x);
        var square = math.Mul(x, x);
        var near = math.Fma(Polynomial(square, ErfNearCoefficients), x, x);
        var clamped = math.Min(size, math.Float(4f));
        var far = math.Sub(math.Float(1f), Exp(math.Neg(Polynomial(clamped, ErfFarCoefficients))));
        return math.Select(math.Less(size, math.Float(1f)), near, CopySign(far, x));
    }

    // Horner's scheme; coefficients from the constant upwards.
    private V Polynomial(V x, float[] coefficients)
    {
        var sum = math.Float(coefficients[coefficients.Length - 1]);
        for (var i = coefficients.Length - 2; i >= 0; i--)
        {
            sum = math.Fma(sum, x, math.Float(coefficients[i]));
        }

        return sum;
    }

    private V Clamp(V x, float least, float greatest) => math.Min(math.Max(x, math.Float(least)), math.Float(greatest));

    // p 2^n in two steps, so that neither factor overflows and a subnormal result is rounded once.
    private V Scale(V p, V shifted)
    {
        var n = math.IntSub(math.ToBits(shifted), math.Int(RounderBits));
        var half = math.ShiftRight(n, 1);
        return math.Mul(math.Mul(p, PowerOfTwo(half)), PowerOfTwo(math.IntSub(n, half)));
    }

    private V PowerOfTwo(V n) => math.FromBits(math.IntAdd(math.ShiftLeft(n, 23), math.Int(127 << 23)));

    private V CopySign(V size, V sign) => math.FromBits(math.IntOr(
        math.IntAnd(math.ToBits(size), math.Int(0x7FFFFFFF)), math.IntAnd(math.ToBits(sign), math.Int(int.MinValue))));
}
