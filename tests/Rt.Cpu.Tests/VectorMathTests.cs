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
    public void Float16_EveryBitPattern_WidensExactly() => EveryWidth(new Float16Check());

    [Fact]
    public void BFloat16_EveryBitPattern_WidensExactly() => EveryWidth(new BFloat16Check());

    [Fact]
    public void Unzip_AnyWidth_TakesLanesApartByEvenAndOddIndex() => EveryWidth(new UnzipCheck());

    private interface IWidthCheck
    {
        void Run<TW, TV>() where TW : ISimd<TV> where TV : unmanaged;
    }

    private static void EveryWidth(IWidthCheck check)
    {
        check.Run<SimdScalar, float>();
        check.Run<Simd128, Vector128<float>>();
        if (CpuOptions.IsSupported(SimdWidth.Vector256))
        {
            check.Run<Simd256, Vector256<float>>();
        }

        if (CpuOptions.IsSupported(SimdWidth.Vector512))
        {
            check.Run<Simd512, Vector512<float>>();
        }
    }

    private static unsafe float[] Lanes<TW, TV>(TV register) where TW : ISimd<TV> where TV : unmanaged
    {
        var lanes = new float[TW.Count];
        fixed (float* p = lanes)
        {
            TW.Store(register, p);
        }

        return lanes;
    }

    private static unsafe void EveryPattern<TW, TV>(Action<nint, float[]> check) where TW : ISimd<TV> where TV : unmanaged
    {
        var bits = new ushort[2 * TW.Count];
        fixed (ushort* p = bits)
        {
            for (var first = 0; first < 65536; first += bits.Length)
            {
                for (var i = 0; i < bits.Length; i++)
                {
                    bits[i] = (ushort)(first + i);
                }

                check((nint)p, bits.Select(b => (float)b).ToArray());
            }
        }
    }

    private static float[] EverySecond(float[] values, int from) => values.Where((_, i) => i % 2 == from).ToArray();

    private sealed unsafe class Float16Check : IWidthCheck
    {
        public void Run<TW, TV>() where TW : ISimd<TV> where TV : unmanaged => EveryPattern<TW, TV>((source, patterns) =>
        {
            var p = (ushort*)source;
            var expected = patterns.Select(b => (float)BitConverter.UInt16BitsToHalf((ushort)b)).ToArray();
            Assert.Equal(expected[..TW.Count], Lanes<TW, TV>(TW.LoadFloat16(p)));
            Assert.Equal(expected[..TW.Count], Lanes<TW, TV>(TW.RoundToFloat16(TW.LoadFloat16(p))));
            Assert.Equal(EverySecond(expected, 0), Lanes<TW, TV>(TW.LoadEvenFloat16(p)));
            Assert.Equal(EverySecond(expected, 1), Lanes<TW, TV>(TW.LoadOddFloat16(p)));
        });
    }

    private sealed unsafe class BFloat16Check : IWidthCheck
    {
        public void Run<TW, TV>() where TW : ISimd<TV> where TV : unmanaged => EveryPattern<TW, TV>((source, patterns) =>
        {
            var p = (ushort*)source;
            var expected = patterns.Select(b => BitConverter.UInt32BitsToSingle((uint)b << 16)).ToArray();
            Assert.Equal(expected[..TW.Count], Lanes<TW, TV>(TW.LoadBFloat16(p)));
            Assert.Equal(EverySecond(expected, 0), Lanes<TW, TV>(TW.LoadEvenBFloat16(p)));
            Assert.Equal(EverySecond(expected, 1), Lanes<TW, TV>(TW.LoadOddBFloat16(p)));
        });
    }

    private sealed unsafe class UnzipCheck : IWidthCheck
    {
        public void Run<TW, TV>() where TW : ISimd<TV> where TV : unmanaged
        {
            var values = Enumerable.Range(0, 2 * TW.Count).Select(i => (float)i).ToArray();
            fixed (float* p = values)
            {
                TW.Unzip(TW.Load(p), TW.Load(p + TW.Count), out var even, out var odd);
                Assert.Equal(EverySecond(values, 0), Lanes<TW, TV>(even));
                Assert.Equal(EverySecond(values, 1), Lanes<TW, TV>(odd));
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
