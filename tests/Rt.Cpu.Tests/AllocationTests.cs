// Nothing is allocated per call once buffers have their size.
using Rt.Core;

namespace Rt.Cpu.Tests;

public sealed class AllocationTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(40)]
    public void ForwardOps_AfterFirstCalls_AllocateNothing(int rowCount)
    {
        const int Heads = 4;
        const int KvHeads = 2;
        const int HeadDim = 64;
        const int Hidden = Heads * HeadDim;
        using var device = new CpuDevice(new CpuOptions(2));
        using var cache = new KvCache(device, 1, 1, KvHeads, 200, HeadDim);
        using var kept = new KvCache(device, 1, 1, KvHeads, 30, HeadDim);
        using var velocity = new KvCache(device, 1, 1, KvHeads, 30, HeadDim);
        var rows = new RowBatch(rowCount, 1);
        var tokens = new int[rowCount];
        var weight = device.Allocate(DType.BF16, 1, Hidden, Hidden);
        var bias = device.Allocate(DType.BF16, 1, 1, Hidden);
        var outMajor = new Linear(new LinearPart(weight, bias, false), new LinearPart(weight, bias, false));
        var inMajor = new Linear(new LinearPart(weight, bias, true));
        var norm = new Norm(NormKind.Layer, bias, bias, 1e-5);
        var x = device.Allocate(DType.F32, 1, rowCount, Hidden);
        var wide = device.Allocate(DType.F32, 1, rowCount, 2 * Hidden);
        var query = x.Heads(0, Heads, HeadDim, HeadDim);
        var key = wide.Heads(0, KvHeads, HeadDim, HeadDim);
        var destination = device.Allocate(DType.F32, rowCount, Heads, HeadDim);
        var table = device.Allocate(DType.F32, 1, 300, HeadDim / 2);
        var rotary = new RotaryTable(table, table, HeadDim, false);
        var norms = device.Allocate(DType.F64, 1, 1, 2);
        var indices = new int[rowCount];
        var targets = new TokenTarget[] { new(0, 3), new(rowCount - 1, 5) };
        var values = new double[2];
        void Forward()
        {
            rows.Reset(cache);
            rows.Add(tokens, 0, 100, 30, rows.AddPrefix(kept), 30);
            device.Begin(rows);
            device.Embed(rows, weight, 1, x);
            device.AddPositions(rows, weight, 2, x);
            device.Normalize(x, norm, x);
            device.MatMul(x, outMajor, false, wide);
            device.MatMul(x, inMajor, true, x.SliceColumns(0, Hidden));
            device.AppendKv(query, key, key, rows, 0, rotary);
            device.Attention(query, rows, 0, new AttentionOptions(0.125), destination);
            device.Activate(x, Activation.Gelu, x);
            device.Gate(x, x, Activation.Silu, x);
            device.Add(x, x, x);
            device.AccumulateMetaGradient(kept[0], velocity[0], velocity[0], new MetaGradientStep(0.1, 0.9, DType.BF16), norms);
            device.ArgMax(x, indices);
            device.LogProbabilities(x, outMajor, 30, targets, values);
        }

        for (var i = 0; i < 3; i++)
        {
            Forward();
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 10; i++)
        {
            Forward();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
