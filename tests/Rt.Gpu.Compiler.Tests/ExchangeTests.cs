// Shuffles, votes, atomic operations, element formats and vectors on the simulator against plain host code.
using Rt.Gpu.Compiler.Tests.Kernels;

namespace Rt.Gpu.Compiler.Tests;

public sealed class ExchangeTests
{
    [Fact]
    public void Shuffle_OfEveryKindAndType_MovesTheValuesOfItsLanes()
    {
        CheckShuffles([.. Enumerable.Range(0, 64).Select(i => (i * 77777) - 1000)]);
        CheckShuffles([.. Enumerable.Range(0, 64).Select(i => (i * 0.37f) - 5)]);
        CheckShuffles([.. Enumerable.Range(0, 64).Select(i => (i * 0x123456789AL) - 77)]);
        CheckShuffles([.. Enumerable.Range(0, 64).Select(i => (i * Math.PI) - 9)]);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(40)]
    [InlineData(62)]
    [InlineData(63)]
    public void Vote_OverABound_CountsTheWarpAndTheGroup(int bound)
    {
        int[] x = [.. Enumerable.Range(0, 64).Select(i => i * 29 % 64)];
        using var device = new Device();
        var output = device.Room<int>(64 * ExchangeKernels.VoteCount);
        device.Run(KernelCatalog.Find("VoteKernel"), 1, device.Give(x), output, bound);
        var actual = device.Take(output);
        var group = x.Count(value => value > bound);
        for (var thread = 0; thread < 64; thread++)
        {
            var ballot = 0u;
            for (var lane = 0; lane < 32; lane++)
            {
                ballot |= x[(thread / 32 * 32) + lane] > bound ? 1u << lane : 0;
            }

            int[] expected =
            [
                ballot == uint.MaxValue ? 1 : 0, ballot != 0 ? 1 : 0, (int)ballot, group == 64 ? 1 : 0, group > 0 ? 1 : 0, group,
                (thread % 32 * 2) + (thread / 32),
            ];
            Assert.Equal(expected, actual.AsSpan(thread * ExchangeKernels.VoteCount, ExchangeKernels.VoteCount).ToArray());
        }
    }

    [Fact]
    public void Atomic_OfEveryKind_EqualsTheSequentialResult()
    {
        const int Groups = 3;
        const int Slots = ExchangeKernels.AtomicSlots;
        var random = new Random(11);
        int[] x = [.. Enumerable.Range(0, 64 * Groups).Select(_ => random.Next(int.MinValue, int.MaxValue))];
        int[] slots = [.. Enumerable.Repeat(new[] { 5, int.MinValue, int.MaxValue, 99, -7, 0, 0, 0, 0 }, 2 + Groups).SelectMany(slot => slot)];
        uint[] bits = [.. Enumerable.Repeat(new[] { 5u, 0u, uint.MaxValue, 0u, 0u, 0u, 0u, 0u, 0u }, 2 + Groups).SelectMany(slot => slot)];
        using var device = new Device();
        var slotView = device.Give(slots);
        var bitView = device.Give(bits);
        var exchangedView = device.Room<int>(x.Length);
        device.Run(KernelCatalog.Find("AtomicKernel"), Groups, device.Give(x), slotView, bitView, exchangedView);
        var actualSlots = device.Take(slotView);
        var actualBits = device.Take(bitView);
        Check(x, 0);
        for (var group = 0; group < Groups; group++)
        {
            Check(x.AsSpan(group * 64, 64).ToArray(), 2 + group);
        }

        // What went in and what was there first comes out once, one of them in the slot.
        Assert.Equal(x.Append(-7).Order(), device.Take(exchangedView).Append(actualSlots[4]).Order());

        void Check(int[] values, int place)
        {
            var slot = actualSlots.AsSpan(place * Slots, Slots);
            var word = actualBits.AsSpan(place * Slots, Slots);
            Assert.Equal(values.Aggregate(5, (sum, value) => unchecked(sum + value)), slot[0]);
            Assert.Equal(values.Max(), slot[1]);
            Assert.Equal(values.Min(), slot[2]);
            Assert.Equal(values.Aggregate(99, (sum, value) => sum ^ value), slot[3]);
            Assert.Contains(slot[4], values);
            Assert.Equal(values.Aggregate(5u, (sum, value) => unchecked(sum + (uint)value)), word[0]);
            Assert.Equal(values.Aggregate(0u, (sum, value) => sum | ((uint)value & 0x0F0F0F0Fu)), word[1]);
            Assert.Equal(values.Aggregate(uint.MaxValue, (sum, value) => sum & ((uint)value | 0xFFFF0000u)), word[2]);
        }
    }

    [Fact]
    public void Format_OfEdgeAndRandomValues_RoundsAsTheHost()
    {
        var random = new Random(3);
        float[] edges =
        [
            0f, -0f, 1f, 1.00390625f, 1.01171875f, 65504f, 65519.996f, 65520f, 6e-8f, 2.9802322e-8f, 2.9802326e-8f, 6.097555e-5f, 1e-45f, 9.2e-41f, 3.3895314e38f,
            3.3961775e38f, float.MaxValue, float.MinValue, float.PositiveInfinity, float.NegativeInfinity, float.NaN,
        ];
        float[] x = [.. edges, .. Enumerable.Range(0, 64 - edges.Length).Select(_ => (random.NextSingle() - 0.5f) * MathF.Pow(2, random.Next(-20, 15)))];
        using var device = new Device();
        var output = device.Room<uint>(64 * ExchangeKernels.FormatCount);
        var brains = device.Room<BFloat16>(64);
        var halves = device.Room<Half>(64);
        device.Run(KernelCatalog.Find("FormatKernel"), 1, device.Give(x), output, brains, halves);
        var actual = device.Take(output);
        var actualBrains = device.Take(brains);
        var actualHalves = device.Take(halves);
        for (var i = 0; i < 64; i++)
        {
            var brain = (BFloat16)x[i];
            var half = (Half)x[i];
            var results = actual.AsSpan(i * ExchangeKernels.FormatCount, ExchangeKernels.FormatCount);
            if (float.IsNaN(x[i]))
            {
                Assert.True(float.IsNaN((float)actualBrains[i]) && Half.IsNaN(actualHalves[i]));
                for (var k = 0; k < 4; k++)
                {
                    Assert.True(float.IsNaN(Interop.IntAsFloat(results[k])), $"result {k} of NaN");
                }

                continue;
            }

            Assert.Equal(brain.Bits, actualBrains[i].Bits);
            Assert.Equal(BitConverter.HalfToUInt16Bits(half), BitConverter.HalfToUInt16Bits(actualHalves[i]));
            var lowBrain = (uint)((BFloat16)(x[i] * 0.5f)).Bits;
            var lowHalf = (uint)BitConverter.HalfToUInt16Bits((Half)(x[i] * 0.5f));
            uint[] expected =
            [
                Interop.FloatAsInt((float)brain), Interop.FloatAsInt((float)half), Interop.FloatAsInt((float)brain), Interop.FloatAsInt((float)half),
                brain.Bits | (lowBrain << 16), BitConverter.HalfToUInt16Bits(half) | (lowHalf << 16),
            ];
            Assert.Equal(expected, results.ToArray());
        }
    }

    [Fact]
    public void Vector_OfEveryLength_MovesItsElementsInOrder()
    {
        double[] x2 = [.. Enumerable.Range(0, 64).Select(i => (i * 1.1) - 3)];
        float[] x4 = [.. Enumerable.Range(0, 128).Select(i => (i * 0.3f) - 3)];
        Half[] x8 = [.. Enumerable.Range(0, 256).Select(i => (Half)((i * 0.125f) - 3))];
        using var device = new Device();
        var y2 = device.Room<double>(64);
        var y4 = device.Room<float>(128);
        var y8 = device.Room<Half>(256);
        device.Run(KernelCatalog.Find("VectorKernel"), 1, device.Give(x2), device.Give(x4), device.Give(x8), y2, y4, y8);
        Assert.Equal(Enumerable.Range(0, 64).Select(i => i % 2 == 0 ? x2[i + 1] : x2[i - 1] * 2), device.Take(y2));
        Assert.Equal(Enumerable.Range(0, 128).Select(i => x4[127 - i] * (i % 4 == 3 ? 2 : 1)), device.Take(y4));
        Assert.Equal(
            Enumerable.Range(0, 256).Select(i => x8[(i / 8 * 8) + 7 - (i % 8)]).Select((value, i) => i % 8 == 7 ? (Half)((float)value * 2) : value),
            device.Take(y8));
    }

    private static void CheckShuffles<T>(T[] x)
        where T : unmanaged
    {
        using var device = new Device();
        var output = device.Room<T>(64 * ExchangeKernels.ShuffleCount);
        device.Run(KernelCatalog.Find("ShuffleKernel", typeof(T)), 1, device.Give(x), output);
        var actual = device.Take(output);
        for (var thread = 0; thread < 64; thread++)
        {
            var lane = thread % 32;
            var warp = thread - lane;
            T[] expected =
            [
                x[warp + (((lane * 5) + 3) & 31)], x[lane + 3 < 32 ? thread + 3 : thread], x[lane >= 5 ? thread - 5 : thread], x[warp + (lane ^ 9)], x[warp + 7],
            ];
            Assert.Equal(expected, actual.AsSpan(thread * ExchangeKernels.ShuffleCount, ExchangeKernels.ShuffleCount).ToArray());
        }
    }
}
