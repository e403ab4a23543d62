// The ops as workloads, and the shapes that benches run: those of an 8-billion-parameter model of the LLaMA family, and small ones.
using Rt.Core;
using Rt.Kernels;

namespace Rt.Cuda.Workloads;

/// <summary>Every op as a workload.</summary>
public static class OpWorkloads
{
    /// <summary>All of them, with the sizes that the simulator runs in a moment.</summary>
    public static IReadOnlyList<OpWorkload> All { get; } =
    [
        new("Embed", WorkloadSizes.Of("rows=8,width=256,vocabulary=512"), Embed),
        new("AddPositions", WorkloadSizes.Of("rows=8,width=256"), AddPositions),
        new("Normalize", WorkloadSizes.Of("rows=8,width=256"), Normalize),
        new("AddNormalize", WorkloadSizes.Of("rows=8,width=256"), AddNormalize),
        new("MatMul", WorkloadSizes.Of("rows=16,in=256,out=128"), MatMul),
        new("MatMulActivate", WorkloadSizes.Of("rows=16,in=128,width=128"), MatMulActivate),
        new("Activate", WorkloadSizes.Of("rows=8,width=256"), b => Elementwise(b, (x, _, y) => b.Device.Activate(x, Activation.Silu, y), 20, 1)),
        new("Gate", WorkloadSizes.Of("rows=8,width=256"), b => Elementwise(b, (x, up, y) => b.Device.Gate(x, up, Activation.Silu, y), 21, 2)),
        new("Add", WorkloadSizes.Of("rows=8,width=256"), b => Elementwise(b, b.Device.Add, 1, 2)),
        new("Copy", WorkloadSizes.Of("rows=8,width=256"), b => Elementwise(b, (x, _, y) => b.Device.Copy(x, y), 0, 1)),
        new("SoftCap", WorkloadSizes.Of("rows=8,width=256"), b => Elementwise(b, (x, _, _) => b.Device.SoftCap(x, 30), 20, 1)),
        new("AppendKv", WorkloadSizes.Of("rows=16,heads=4,kv_heads=2,head_dim=64"), AppendKv),
        new("Attention", WorkloadSizes.Of("sequences=1,rows=8,start=32,prefix=0,heads=4,kv_heads=2,head_dim=64"), Attention),
        new("AttentionScores", WorkloadSizes.Of("rows=8,start=32,heads=4,kv_heads=2,head_dim=64"), AttentionScores),
        new("LinearAttention", WorkloadSizes.Of("rows=8,start=32,heads=4,kv_heads=2,head_dim=64"), LinearAttention),
        new("AccumulateMetaGradient", WorkloadSizes.Of("kv_heads=2,length=64,head_dim=64"), AccumulateMetaGradient),
        new("PatchRows", WorkloadSizes.Of("rows=8,width=256"), PatchRows),
        new("GatherRows", WorkloadSizes.Of("rows=8,width=256"), GatherRows),
        new("ArgMax", WorkloadSizes.Of("rows=4,width=2048"), ArgMax),
        new("TopK", WorkloadSizes.Of("rows=4,width=2048,count=8"), TopK),
        new("LogProbabilities", WorkloadSizes.Of("rows=4,in=128,vocabulary=512"), LogProbabilities),
    ];

    /// <summary>Shapes of the kernel bench on a GPU: op and sizes.</summary>
    public static IReadOnlyList<(string Op, string Sizes)> GpuShapes { get; } =
    [
        ("Embed", "rows=512,width=4096,vocabulary=128256"),
        ("Normalize", "rows=1,width=4096"),
        ("Normalize", "rows=512,width=4096"),
        ("Normalize", "rows=8192,width=4096"),
        ("AddNormalize", "rows=1,width=4096"),
        ("AddNormalize", "rows=512,width=4096"),
        ("MatMulActivate", "rows=1,in=4096,width=14336"),
        ("MatMulActivate", "rows=512,in=4096,width=14336"),
        ("MatMul", "rows=1,in=4096,out=6144"),
        ("MatMul", "rows=1,in=4096,out=28672"),
        ("MatMul", "rows=1,in=14336,out=4096"),
        ("MatMul", "rows=1,in=4096,out=128256"),
        ("MatMul", "rows=4,in=4096,out=28672"),
        ("MatMul", "rows=16,in=4096,out=28672"),
        ("MatMul", "rows=64,in=4096,out=28672"),
        ("MatMul", "rows=512,in=4096,out=6144"),
        ("MatMul", "rows=512,in=4096,out=28672"),
        ("MatMul", "rows=512,in=14336,out=4096"),
        ("MatMul", "rows=4096,in=4096,out=4096"),
        ("MatMul", "rows=8192,in=8192,out=8192"),
        ("Gate", "rows=512,width=14336"),
        ("Gate", "rows=8192,width=14336"),
        ("Activate", "rows=8192,width=14336"),
        ("Add", "rows=8192,width=4096"),
        ("Copy", "rows=8192,width=14336"),
        ("SoftCap", "rows=512,width=128256"),
        ("AppendKv", "rows=512,heads=32,kv_heads=8,head_dim=128"),
        ("Attention", "sequences=1,rows=1,start=1023,prefix=0,heads=32,kv_heads=8,head_dim=128"),
        ("Attention", "sequences=1,rows=1,start=16383,prefix=0,heads=32,kv_heads=8,head_dim=128"),
        ("Attention", "sequences=32,rows=1,start=1023,prefix=0,heads=32,kv_heads=8,head_dim=128"),
        ("Attention", "sequences=64,rows=4,start=0,prefix=2048,heads=32,kv_heads=8,head_dim=128"),
        ("Attention", "sequences=1,rows=512,start=0,prefix=512,heads=32,kv_heads=8,head_dim=128"),
        ("Attention", "sequences=1,rows=2048,start=0,prefix=0,heads=32,kv_heads=8,head_dim=128"),
        ("Attention", "sequences=1,rows=8192,start=0,prefix=0,heads=32,kv_heads=8,head_dim=128"),
        ("Attention", "sequences=1,rows=2048,start=0,prefix=0,heads=12,kv_heads=12,head_dim=64"),
        ("LinearAttention", "rows=512,start=0,heads=32,kv_heads=8,head_dim=128"),
        ("AccumulateMetaGradient", "kv_heads=8,length=512,head_dim=128"),
        ("AccumulateMetaGradient", "kv_heads=32,length=4096,head_dim=128"),
        ("PatchRows", "rows=512,width=4096"),
        ("GatherRows", "rows=512,width=4096"),
        ("ArgMax", "rows=1,width=128256"),
        ("TopK", "rows=1,width=128256,count=50"),
        ("LogProbabilities", "rows=64,in=4096,vocabulary=128256"),
    ];

    /// <summary>The workload of an op.</summary>
    /// <exception cref="UsageException">There is no such op.</exception>
    public static OpWorkload Of(string op) =>
        All.FirstOrDefault(workload => workload.Op.Equals(op, StringComparison.OrdinalIgnoreCase))
        ?? throw new UsageException($"op '{op}': expected one of {string.Join(", ", All.Select(workload => workload.Op))}");

    private static WorkloadRun Embed(WorkloadBench b)
    {
        var (rows, width, vocabulary) = (b.Sizes["rows"], b.Sizes["width"], b.Sizes["vocabulary"]);
        var table = b.Weight(vocabulary, width);
        var batch = Batch(b, [(rows, 0)], 0, b.Cache(1, 1, rows, 8), b.Indices(rows, vocabulary));
        var destination = b.Activations(1, rows, width);
        return new WorkloadRun(
            () => b.Device.Embed(batch, table, 1, destination), Kernels.Embed.Cost(rows, width, b.ActivationBytes, b.ActivationBytes));
    }

    private static WorkloadRun AddPositions(WorkloadBench b)
    {
        var (rows, width) = (b.Sizes["rows"], b.Sizes["width"]);
        var table = b.Weight(rows + 2, width);
        var batch = Batch(b, [(rows, 0)], 0, b.Cache(1, 1, rows, 8), new int[rows]);
        var destination = b.Activations(1, rows, width);
        return new WorkloadRun(
            () => b.Device.AddPositions(batch, table, 2, destination), Kernels.AddPositions.Cost(rows, width, b.ActivationBytes, b.ActivationBytes));
    }

    private static WorkloadRun Normalize(WorkloadBench b)
    {
        var (rows, width) = (b.Sizes["rows"], b.Sizes["width"]);
        var x = b.Activations(1, rows, width);
        var norm = new Norm(NormKind.RootMeanSquare, b.Weight(1, width), null, 1e-5);
        var destination = b.Activations(1, rows, width);
        return new WorkloadRun(
            () => b.Device.Normalize(x, norm, destination), Kernels.Normalize.Cost(rows, width, b.ActivationBytes, b.ActivationBytes, add: false));
    }

    private static WorkloadRun MatMul(WorkloadBench b)
    {
        var (rows, depth, columns) = (b.Sizes["rows"], b.Sizes["in"], b.Sizes["out"]);
        var x = b.Activations(1, rows, depth);
        var linear = new Linear(new LinearPart(b.Weight(columns, depth), null, false));
        var destination = b.Activations(1, rows, columns);
        var bytes = b.ActivationBytes;
        return new WorkloadRun(
            () => b.Device.MatMul(x, linear, false, destination),
            new KernelCost(((long)rows + columns) * depth * bytes, (long)rows * columns * bytes, 2L * rows * depth * columns), IsProduct: true);
    }

    private static WorkloadRun AddNormalize(WorkloadBench b)
    {
        var (rows, width) = (b.Sizes["rows"], b.Sizes["width"]);
        var (x, y, destination) = (b.Activations(1, rows, width), b.Activations(1, rows, width), b.Activations(1, rows, width));
        var norm = new Norm(NormKind.RootMeanSquare, b.Weight(1, width), null, 1e-5);
        return new WorkloadRun(
            () => b.Device.AddNormalize(x, y, norm, destination), Kernels.Normalize.Cost(rows, width, b.ActivationBytes, b.ActivationBytes, add: true));
    }

    private static WorkloadRun MatMulActivate(WorkloadBench b)
    {
        var (rows, depth, width) = (b.Sizes["rows"], b.Sizes["in"], b.Sizes["width"]);
        var x = b.Activations(1, rows, depth);
        var linear = new Linear(new LinearPart(b.Weight(width, depth), null, false), new LinearPart(b.Weight(width, depth), null, false));
        var inner = b.Activations(1, rows, 2 * width);
        var bytes = b.ActivationBytes;
        return new WorkloadRun(
            () => b.Device.MatMulActivate(x, linear, Activation.Silu, true, inner),
            new KernelCost((rows + 2L * width) * depth * bytes, (long)rows * width * bytes, 4L * rows * depth * width), IsProduct: true);
    }

    private static WorkloadRun TopK(WorkloadBench b)
    {
        var (rows, width, count) = (b.Sizes["rows"], b.Sizes["width"], b.Sizes["count"]);
        var x = b.Activations(1, rows, width);
        var values = new float[rows * count];
        var indices = new int[rows * count];
        return new WorkloadRun(
            () => b.Device.TopK(x, count, values, indices), Kernels.TopK.Cost(rows, width, count, b.ActivationBytes), ReadsBack: true);
    }

    private static WorkloadRun Elementwise(WorkloadBench b, Action<Tensor, Tensor, Tensor> op, int flops, int sources)
    {
        var (rows, width) = (b.Sizes["rows"], b.Sizes["width"]);
        var x = b.Activations(1, rows, width);
        var y = sources > 1 ? b.Activations(1, rows, width) : x;
        var destination = b.Activations(1, rows, width);
        var elements = (long)rows * width;
        return new WorkloadRun(
            () => op(x, y, destination),
            new KernelCost(sources * elements * b.ActivationBytes, elements * b.ActivationBytes, flops * elements));
    }

    private static WorkloadRun AppendKv(WorkloadBench b)
    {
        var (rows, heads, kvHeads, headDim) = (b.Sizes["rows"], b.Sizes["heads"], b.Sizes["kv_heads"], b.Sizes["head_dim"]);
        var batch = Batch(b, [(rows, 0)], 0, b.Cache(1, kvHeads, rows, headDim), new int[rows]);
        var fused = b.Activations(1, rows, (heads + 2 * kvHeads) * headDim);
        var table = b.Activations(1, rows, headDim / 2);
        var rotary = new RotaryTable(table, table, headDim, false);
        var query = fused.Heads(0, heads, headDim, headDim);
        var key = fused.Heads(heads * headDim, kvHeads, headDim, headDim);
        var value = fused.Heads((heads + kvHeads) * headDim, kvHeads, headDim, headDim);
        return new WorkloadRun(
            () => b.Device.AppendKv(query, key, value, batch, 0, rotary),
            Kernels.AppendKv.Cost(rows, headDim, headDim, heads, kvHeads, b.ActivationBytes));
    }

    private static WorkloadRun Attention(WorkloadBench b)
    {
        var (sequences, rows, start, prefix) = (b.Sizes["sequences"], b.Sizes["rows"], b.Sizes["start"], b.Sizes["prefix"]);
        var (heads, kvHeads, headDim) = (b.Sizes["heads"], b.Sizes["kv_heads"], b.Sizes["head_dim"]);
        var cache = b.Cache(sequences, kvHeads, start + rows, headDim);
        var batch = Batch(b, [.. Enumerable.Repeat((rows, start), sequences)], prefix, cache, new int[sequences * rows]);
        var query = b.Activations(sequences * rows, heads, headDim);
        var destination = b.Activations(sequences * rows, heads, headDim);
        var options = new AttentionOptions(1 / Math.Sqrt(headDim));
        var distinct = prefix + (long)sequences * (start + rows);
        return new WorkloadRun(
            () => b.Device.Attention(query, batch, 0, options, destination),
            Cost(b, sequences, rows, start, prefix, heads, kvHeads, headDim, distinct), IsProduct: true);
    }

    private static WorkloadRun AttentionScores(WorkloadBench b)
    {
        var (rows, start, heads, kvHeads, headDim) = (b.Sizes["rows"], b.Sizes["start"], b.Sizes["heads"], b.Sizes["kv_heads"], b.Sizes["head_dim"]);
        var batch = Batch(b, [(rows, start)], 0, b.Cache(1, kvHeads, start + rows, headDim), new int[rows]);
        var query = b.Activations(rows, heads, headDim);
        var destination = b.Activations(rows, heads, start + rows);
        var options = new AttentionOptions(1 / Math.Sqrt(headDim));
        var scores = (long)rows * heads * (start + rows);
        var read = ((long)rows * heads + (long)(start + rows) * kvHeads) * headDim * b.ActivationBytes;
        return new WorkloadRun(
            () => b.Device.AttentionScores(query, batch, 0, options, true, destination),
            new KernelCost(read, scores * b.ActivationBytes, 2 * scores * headDim));
    }

    private static WorkloadRun LinearAttention(WorkloadBench b)
    {
        var (rows, start, heads, kvHeads, headDim) = (b.Sizes["rows"], b.Sizes["start"], b.Sizes["heads"], b.Sizes["kv_heads"], b.Sizes["head_dim"]);
        var batch = Batch(b, [(rows, start)], 0, b.Cache(1, kvHeads, start + rows, headDim), new int[rows]);
        var query = b.Activations(rows, heads, headDim);
        var destination = b.Activations(rows, heads, headDim);
        return new WorkloadRun(
            () => b.Device.LinearAttention(query, batch, 0, 0.125, LinearAttentionForm.Attention, destination),
            Cost(b, 1, rows, start, 0, heads, kvHeads, headDim, start + rows));
    }

    private static WorkloadRun AccumulateMetaGradient(WorkloadBench b)
    {
        var (kvHeads, length, headDim) = (b.Sizes["kv_heads"], b.Sizes["length"], b.Sizes["head_dim"]);
        KvLayer Masters() => new(b.Masters(kvHeads, length, headDim), b.Masters(kvHeads, length, headDim));
        KvLayer Copies() => new(b.Activations(kvHeads, length, headDim), b.Activations(kvHeads, length, headDim));
        var (current, kept, velocity) = (Copies(), Masters(), Masters());
        KvLayer? copy = b.Device.MasterType == b.Device.ActivationType ? null : Copies();
        var step = new MetaGradientStep(0.01, 0.9, b.Device.MasterType);
        var elements = 2L * kvHeads * length * headDim;
        return new WorkloadRun(
            () => b.Device.AccumulateMetaGradient(current, kept, velocity, step, null, copy),
            Kernels.AccumulateMetaGradient.Cost(elements, b.ActivationBytes, copy is null ? 0 : b.ActivationBytes, norms: false));
    }

    private static WorkloadRun PatchRows(WorkloadBench b)
    {
        var (rows, width) = (b.Sizes["rows"], b.Sizes["width"]);
        var x = b.Activations(1, rows, width);
        var vectors = b.Activations(1, rows, width);
        int[] indices = [.. Enumerable.Range(0, rows)];
        return new WorkloadRun(
            () => b.Device.PatchRows(x, indices, vectors, PatchMode.Replace, 1), Kernels.PatchRows.Cost(rows, width, b.ActivationBytes, add: false));
    }

    private static WorkloadRun GatherRows(WorkloadBench b)
    {
        var (rows, width) = (b.Sizes["rows"], b.Sizes["width"]);
        var x = b.Activations(1, rows, width);
        var destination = b.Activations(1, rows, width);
        var indices = b.Indices(rows, rows);
        return new WorkloadRun(() => b.Device.GatherRows(x, indices, destination), Kernels.GatherRows.Cost(rows, width, b.ActivationBytes));
    }

    private static WorkloadRun ArgMax(WorkloadBench b)
    {
        var (rows, width) = (b.Sizes["rows"], b.Sizes["width"]);
        var x = b.Activations(1, rows, width);
        var indices = new int[rows];
        return new WorkloadRun(() => b.Device.ArgMax(x, indices), Kernels.ArgMax.Cost(rows, width, b.ActivationBytes), ReadsBack: true);
    }

    private static WorkloadRun LogProbabilities(WorkloadBench b)
    {
        var (rows, depth, vocabulary) = (b.Sizes["rows"], b.Sizes["in"], b.Sizes["vocabulary"]);
        var x = b.Activations(1, rows, depth);
        var head = new Linear(new LinearPart(b.Weight(vocabulary, depth), null, false));
        var tokens = b.Indices(2 * rows, vocabulary);
        TokenTarget[] targets = [.. Enumerable.Range(0, 2 * rows).Select(i => new TokenTarget(i / 2, tokens[i]))];
        var values = new double[targets.Length];
        return new WorkloadRun(
            () => b.Device.LogProbabilities(x, head, 0, targets, values),
            new KernelCost(((long)rows + vocabulary) * depth * b.ActivationBytes, 8L * targets.Length, 2L * rows * depth * vocabulary),
            IsProduct: true, ReadsBack: true);
    }

    /// <summary>Attention reads queries, and each key and value once; two products of head_dim per visible key and query head.</summary>
    private static KernelCost Cost(
        WorkloadBench b, int sequences, int rows, int start, int prefix, int heads, int kvHeads, int headDim, long distinct)
    {
        var lanes = (long)sequences * rows * heads;
        var visible = lanes * (prefix + start) + (long)sequences * heads * rows * (rows + 1) / 2;
        return new KernelCost(
            (lanes + 2 * distinct * kvHeads) * headDim * b.ActivationBytes, lanes * headDim * b.ActivationBytes, 4 * visible * headDim);
    }

    /// <summary>Announces sequences of some rows after some entries, behind a shared prefix where there is one.</summary>
    private static RowBatch Batch(WorkloadBench b, (int Rows, int Start)[] sequences, int prefix, KvCache cache, int[] tokens)
    {
        var batch = new RowBatch(sequences.Sum(sequence => sequence.Rows), sequences.Length).Reset(cache);
        var index = prefix > 0 ? batch.AddPrefix(b.Cache(1, cache.KvHeads, prefix, cache.HeadDim)) : -1;
        for (var slot = 0; slot < sequences.Length; slot++)
        {
            var (rows, start) = sequences[slot];
            batch.Add(tokens.AsSpan(batch.RowCount, rows), slot, start, prefix, index, prefix);
        }

        b.Device.Begin(batch);
        return batch;
    }
}
