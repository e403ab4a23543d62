// Elementary functions against double precision: a few units in the last place over their whole range, and the exact cases.
using System.Runtime.Intrinsics;

namespace Rt.Cpu.Tests;

public sealed class VectorMathTests
{
    [Fact]
    public void Exp_WholeRange_IsWithinTwoUnits()
    {
        for (var x = -87f; x < 88.5f; x += 0.0137f)
        {
            AssertClose(Math.Exp(x), VectorMath.Exp<SimdScalar, float>(x), 2, x);
        }
    }

    [Fact]
    public void Exp_ExactCases_AreExact()
    {
        Assert.Equal(1f, VectorMath.Exp<SimdScalar, float>(0f));
        Assert.Equal(0f, VectorMath.Exp<SimdScalar, float>(float.NegativeInfinity));
        Assert.Equal(0f, VectorMath.Exp<SimdScalar, float>(-1e30f));
        Assert.Equal(float.PositiveInfinity, VectorMath.Exp<SimdScalar, float>(float.PositiveInfinity));
        Assert.Equal(float.PositiveInfinity, VectorMath.Exp<SimdScalar, float>(88.8f));
        Assert.True(float.IsNaN(VectorMath.Exp<SimdScalar, float>(float.NaN)));
        // e^-100 = 3.7835e-44 is subnormal: 27 units of 2^-149.
        Assert.Equal(27, BitConverter.SingleToInt32Bits(VectorMath.Exp<SimdScalar, float>(-100f)));
    }

    [Fact]
    public void Tanh_WholeRange_IsWithinFourUnits()
    {
        for (var x = -20f; x < 20f; x += 0.00317f)
        {
            AssertClose(Math.Tanh(x), VectorMath.Tanh<SimdScalar, float>(x), 4, x);
        }

        Assert.Equal(0f, VectorMath.Tanh<SimdScalar, float>(0f));
        Assert.Equal(1f, VectorMath.Tanh<SimdScalar, float>(float.PositiveInfinity));
        Assert.Equal(-1f, VectorMath.Tanh<SimdScalar, float>(-1000f));
        Assert.Equal(1e-20f, VectorMath.Tanh<SimdScalar, float>(1e-20f));
    }

    [Fact]
    public void Float16_EveryBitPattern_WidensExactly()
    {
        for (var i = 0; i < 65536; i += 16)
        {
            Check512(i);
            for (var j = i; j < i + 16; j += 8)
            {
                CheckNarrow(j);
            }
        }
    }

    private static unsafe void Check512(int first)
    {
        if (!CpuOptions.IsSupported(SimdWidth.Vector512))
        {
            return;
        }

        var bits = stackalloc ushort[16];
        for (var i = 0; i < 16; i++)
        {
            bits[i] = (ushort)(first + i);
        }

        var wide = Simd512.LoadFloat16(bits);
        var rounded = Simd512.RoundToFloat16(wide);
        for (var i = 0; i < 16; i++)
        {
            var expected = (float)BitConverter.UInt16BitsToHalf(bits[i]);
            Assert.Equal(expected, wide[i]);
            Assert.Equal(expected, rounded[i]);
        }
    }

    private static unsafe void CheckNarrow(int first)
    {
        var bits = stackalloc ushort[8];
        for (var i = 0; i < 8; i++)
        {
            bits[i] = (ushort)(first + i);
        }

        var low = Simd128.LoadFloat16(bits);
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal((float)BitConverter.UInt16BitsToHalf(bits[i]), low[i]);
        }

        if (CpuOptions.IsSupported(SimdWidth.Vector256))
        {
            var wide = Simd256.LoadFloat16(bits);
            for (var i = 0; i < 8; i++)
            {
                Assert.Equal((float)BitConverter.UInt16BitsToHalf(bits[i]), wide[i]);
            }
        }
    }

    [Fact]
    public void HalfRounding_RandomAndTies_MatchesScalar()
    {
        var random = new Random(5);
        for (var i = 0; i < 200_000; i++)
        {
            // Every fourth number is a tie of F16 or BF16, some are subnormal in F16 or overflow it.
            var value = BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue));
            value = i % 4 == 0 ? BitConverter.Int32BitsToSingle((BitConverter.SingleToInt32Bits(value) & ~0x1FFF) | 0x1000) : value;
            value = i % 3 == 0 ? (random.NextSingle() - 0.5f) * 1e-4f : value;
            Assert.Equal(SimdScalar.RoundToFloat16(value), Simd128.RoundToFloat16(Vector128.Create(value))[0]);
            Assert.Equal(SimdScalar.RoundToBFloat16(value), Simd128.RoundToBFloat16(Vector128.Create(value))[0]);
        }
    }

    private static void AssertClose(double expected, float found, double units, float x)
    {
        var unit = Math.Max(Math.Abs(expected), 1.2e-38) / (1 << 23);
        Assert.True(Math.Abs(found - expected) <= units * unit, $"at {x:G9}: expected {expected:G9}, found {found:G9}");
    }
}
