// The mathematical functions, evaluated on the host with the operations that kernels use, against double precision.
using Rt.Gpu.Compiler.Numerics;

namespace Rt.Gpu.Compiler.Tests;

public sealed class FunctionTests
{
    [Theory]
    [InlineData("Exp", 2.0)]
    [InlineData("Exp2", 2.0)]
    [InlineData("Log", 2.0)]
    [InlineData("Tanh", 3.0)]
    [InlineData("Erf", 4.0)]
    public void Function_OverItsRange_StaysWithinItsUlps(string name, double bound)
    {
        var functions = new Functions<float>(new HostArithmetic());
        Func<float, float> function = name switch
        {
            "Exp" => functions.Exp,
            "Exp2" => functions.Exp2,
            "Log" => functions.Log,
            "Tanh" => functions.Tanh,
            _ => functions.Erf,
        };
        Func<double, double> exact = name switch { "Exp" => Math.Exp, "Exp2" => x => Math.Pow(2, x), "Log" => Math.Log, "Tanh" => Math.Tanh, _ => Erf };
        var worst = (Error: 0.0, At: 0f);
        for (uint bits = 0; bits < 0x7F800000; bits += 4001)
        {
            foreach (var x in new[] { BitConverter.UInt32BitsToSingle(bits), -BitConverter.UInt32BitsToSingle(bits) })
            {
                var expected = exact(x);
                var actual = function(x);
                if (!double.IsFinite((float)expected))
                {
                    Assert.Equal((float)expected, actual);
                    continue;
                }

                var error = Math.Abs(actual - expected) / Ulp((float)expected);
                Assert.False(double.IsNaN(error), $"{name}({x:R}) = {actual:R}");
                if (error > worst.Error)
                {
                    worst = (error, x);
                }
            }
        }

        Assert.True(worst.Error <= bound, $"{name}({worst.At:R}): {worst.Error} ulp");
    }

    [Fact]
    public void Functions_SpecialValues_AreThoseOfDotNet()
    {
        var functions = new Functions<float>(new HostArithmetic());
        foreach (var x in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0f, -0f, 1f, -1f, 1e-45f, float.MaxValue })
        {
            Assert.Equal(MathF.Exp(x), functions.Exp(x));
            Assert.Equal(MathF.Pow(2, x), functions.Exp2(x));
            Assert.Equal(MathF.Tanh(x), functions.Tanh(x), 1e-6f);
        }

        Assert.Equal(float.NegativeInfinity, functions.Log(0f));
        Assert.Equal(float.NegativeInfinity, functions.Log(-0f));
        Assert.Equal(float.PositiveInfinity, functions.Log(float.PositiveInfinity));
        Assert.True(float.IsNaN(functions.Log(-1f)) && float.IsNaN(functions.Log(float.NaN)) && float.IsNaN(functions.Erf(float.NaN)));
        Assert.Equal(1f, functions.Erf(float.PositiveInfinity));
        Assert.Equal(-1f, functions.Erf(float.NegativeInfinity));
    }

    private static double Ulp(float x) => x == 0 ? float.Epsilon : MathF.BitIncrement(MathF.Abs(x)) - (double)MathF.Abs(x);

    // Series below 3, continued fraction above: 15 digits.
    private static double Erf(double x)
    {
        var size = Math.Abs(x);
        if (size > 6)
        {
            return Math.Sign(x);
        }

        if (size < 3)
        {
            var term = size;
            var sum = size;
            for (var n = 1; Math.Abs(term) > 1e-18 * sum; n++)
            {
                term *= -size * size / n;
                sum += term / ((2 * n) + 1);
            }

            return Math.Sign(x) * 2 / Math.Sqrt(Math.PI) * sum;
        }

        var fraction = 0.0;
        for (var n = 60; n > 0; n--)
        {
            fraction = n / 2.0 / (size + fraction);
        }

        return Math.Sign(x) * (1 - (Math.Exp(-size * size) / Math.Sqrt(Math.PI) / (size + fraction)));
    }

    private sealed class HostArithmetic : IArithmetic<float>
    {
        public float Float(float value) => value;

        public float Int(int value) => BitConverter.Int32BitsToSingle(value);

        public float Add(float a, float b) => a + b;

        public float Sub(float a, float b) => a - b;

        public float Mul(float a, float b) => a * b;

        public float Div(float a, float b) => a / b;

        public float Fma(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);

        public float Neg(float a) => -a;

        public float Abs(float a) => MathF.Abs(a);

        public float Min(float a, float b) => MathF.Min(a, b);

        public float Max(float a, float b) => MathF.Max(a, b);

        public float ToBits(float a) => a;

        public float FromBits(float a) => a;

        public float FromInt(float a) => Bits(a);

        public float IntAdd(float a, float b) => Int(Bits(a) + Bits(b));

        public float IntSub(float a, float b) => Int(Bits(a) - Bits(b));

        public float IntAnd(float a, float b) => Int(Bits(a) & Bits(b));

        public float IntOr(float a, float b) => Int(Bits(a) | Bits(b));

        public float ShiftLeft(float a, int amount) => Int(Bits(a) << amount);

        public float ShiftRight(float a, int amount) => Int(Bits(a) >> amount);

        public float Less(float a, float b) => a < b ? 1 : 0;

        public float Select(float predicate, float a, float b) => predicate != 0 ? a : b;

        private static int Bits(float value) => BitConverter.SingleToInt32Bits(value);
    }
}
