// Variants of attention that the conformance run does not choose by itself: large tiles, and rows whose bits do not depend on their batch.
using Rt.Conformance.Ops;
using Rt.Cpu.Reference;

namespace Rt.Cuda.Tests.Ops;

public sealed class AttentionVariantTests
{
    [Theory]
    [InlineData(DType.F32, "Attention/2 heads of 2/head dim 64/window 40, ALiBi, soft cap")]
    [InlineData(DType.F32, "Attention/4 heads of 1/head dim 128/plain")]
    [InlineData(DType.F32, "Attention/2 heads of 1/head dim 256/plain")]
    [InlineData(DType.BF16, "Attention/8 heads of 1/head dim 64/plain")]
    [InlineData(DType.F16, "Attention/2 heads of 2/head dim 96/window 64")]
    public void Attention_LargeTiles_AgreeWithTheReference(DType type, string name)
    {
        // One multiprocessor is filled by few groups: tiles are large, and nothing is split for want of groups.
        using var device = new GpuDevice(new SimulatorLauncher(multiprocessors: 1), type);
        using var reference = new ReferenceDevice();
        var result = OpConformance.Cases.Single(c => c.Name == name).Run(device, reference);

        Assert.True(result.Passed, result.Where);
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void Attention_BatchInvariant_RowHasTheSameBitsAloneAndInABatch(DType type)
    {
        using var device = new GpuDevice(new SimulatorLauncher(), type, new GpuOptions(BatchInvariant: true));
        var alone = Run(device, rowCount: 1, others: 0);
        var among = Run(device, rowCount: 40, others: 3);

        Assert.Equal(alone, among);
    }

    /// <summary>The last row of a sequence of 100 over a prefix of 70: its bits, computed with some rows of the sequence and other sequences.</summary>
    private static float[] Run(GpuDevice device, int rowCount, int others)
    {
        const int Heads = 4;
        const int HeadDim = 64;
        using var cache = new KvCache(device, 1, 1 + others, 2, 120, HeadDim);
        using var kept = new KvCache(device, 1, 1, 2, 80, HeadDim);
        var random = new Random(5);
        foreach (var tensor in (Tensor[])[kept[0].Key, kept[0].Value, cache.Key(0, 0, 120), cache.Value(0, 0, 120)])
        {
            device.Upload(Numbers(random, (int)tensor.Count), tensor);
        }

        var rows = new RowBatch(200, 1 + others).Reset(cache);
        var prefix = rows.AddPrefix(kept);
        for (var s = 1; s <= others; s++)
        {
            rows.Add(new int[3 * s], s, 0, 70, prefix, 70);
        }

        rows.Add(new int[rowCount], 0, 100 - rowCount, 70, prefix, 70);
        var query = device.Allocate(device.ActivationType, rows.RowCount, Heads, HeadDim);
        var result = device.Allocate(device.ActivationType, rows.RowCount, Heads, HeadDim);
        try
        {
            device.Upload(Numbers(random, (int)query.Count), query);
            device.Upload(Numbers(new Random(9), Heads * HeadDim), query.Slice(rows.RowCount - 1, 1));
            device.Begin(rows);
            device.Attention(query, rows, 0, new AttentionOptions(0.125), result);
            var found = new float[Heads * HeadDim];
            device.Download(result.Slice(rows.RowCount - 1, 1), found);
            return found;
        }
        finally
        {
            query.Storage.Dispose();
            result.Storage.Dispose();
        }
    }

    private static double[] Numbers(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => (double)(float)(random.NextDouble() - 0.5))];
}
