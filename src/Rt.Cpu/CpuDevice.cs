// The CPU device: SIMD, threaded, F32 activations, weights in place in their stored dtype.
// This file holds the checks of every call, CpuDevice.Memory.cs memory; the ops are under Ops/, one per file.
using System.Runtime.Intrinsics;
using Rt.Core;

namespace Rt.Cpu;

/// <summary>Computes on the processor. Calls come from one thread at a time.</summary>
/// <remarks>The same call gives the same bits for any number of threads. With <see cref="CpuOptions.BatchInvariant"/> a row's bits
/// do not depend on the other rows of the call either. After the first calls of a given size nothing is allocated.</remarks>
public sealed partial class CpuDevice : IDevice
{
    private readonly WorkerPool _pool;
    private readonly Workspace _workspace;
    private readonly CpuOps _ops;
    private readonly List<Storage> _imported = [];

    /// <param name="options">Threads, invariance, width; null for the defaults.</param>
    /// <exception cref="DeviceException">The forced width is not supported by this machine.</exception>
    /// <exception cref="UsageException">The number of threads is out of range.</exception>
    public CpuDevice(CpuOptions? options = null)
    {
        Options = options ?? new CpuOptions();
        Width = Options.ForceWidth ?? CpuOptions.WidestSupported;
        if (!CpuOptions.IsSupported(Width))
        {
            throw new DeviceException($"cpu: this machine has no {Describe(Width)} registers; the widest it has are {Describe(CpuOptions.WidestSupported)}");
        }

        var threads = Options.Threads ?? Environment.ProcessorCount;
        if (threads is < 1 or > CpuOptions.MaxThreads)
        {
            throw new UsageException($"cpu: expected a number of threads from 1 to {CpuOptions.MaxThreads}, found {threads}");
        }

        _pool = new WorkerPool(threads);
        _workspace = new Workspace(_pool.Threads);
        var invariant = Options.BatchInvariant;
        _ops = Width switch
        {
            SimdWidth.Vector512 => new CpuOps<Simd512, Vector512<float>>(_pool, _workspace, invariant),
            SimdWidth.Vector256 => new CpuOps<Simd256, Vector256<float>>(_pool, _workspace, invariant),
            SimdWidth.Vector128 => new CpuOps<Simd128, Vector128<float>>(_pool, _workspace, invariant),
            _ => new CpuOps<SimdScalar, float>(_pool, _workspace, invariant),
        };
    }

    /// <summary>What the device was made with.</summary>
    public CpuOptions Options { get; }

    /// <summary>Register width in use.</summary>
    public SimdWidth Width { get; }

    /// <inheritdoc/>
    public string Name => "cpu";

    /// <inheritdoc/>
    public string Description =>
        $"cpu, {Describe(Width)}, {_pool.Threads} {(_pool.Threads == 1 ? "thread" : "threads")}{(Options.BatchInvariant ? ", batch-invariant" : "")}";

    /// <inheritdoc/>
    public DType ActivationType => DType.F32;

    private static string Describe(SimdWidth width) => width == SimdWidth.Scalar ? "scalar" : $"{(int)width}-bit";

    /// <inheritdoc/>
    public void Begin(RowBatch rows)
    {
        // Tokens, positions and sequences are read where they lie.
    }

    /// <inheritdoc/>
    public void Embed(RowBatch rows, Tensor table, double scale, Tensor destination)
    {
        HostGuard.Weights(nameof(Embed), table);
        HostGuard.Activations(nameof(Embed), destination);
        Guard.Fits(nameof(Embed), table.Dim0 == 1 && Guard.IsMatrix(destination, rows.RowCount, table.Columns), table, destination);
        Guard.Indices(nameof(Embed), rows.TokenIds, table.Rows, table);
        _ops.Embed(rows, table, scale, destination);
    }

    /// <inheritdoc/>
    public void AddPositions(RowBatch rows, Tensor table, int offset, Tensor destination)
    {
        HostGuard.Weights(nameof(AddPositions), table);
        HostGuard.Activations(nameof(AddPositions), destination);
        Guard.Fits(nameof(AddPositions), table.Dim0 == 1 && Guard.IsMatrix(destination, rows.RowCount, table.Columns), table, destination);
        foreach (var position in rows.Positions)
        {
            if ((ulong)(position + (long)offset) >= (ulong)table.Rows)
            {
                throw new ShapeException($"AddPositions: position {position} + {offset} is outside {table}");
            }
        }

        _ops.AddPositions(rows, table, offset, destination);
    }

    /// <inheritdoc/>
    public void Normalize(Tensor x, Norm norm, Tensor destination)
    {
        HostGuard.Activations(nameof(Normalize), x);
        HostGuard.Activations(nameof(Normalize), destination);
        Guard.SameShape(nameof(Normalize), x, destination);
        if (norm.Weight is { } weight)
        {
            HostGuard.Weights(nameof(Normalize), weight);
            Guard.Fits(nameof(Normalize), weight.Count == x.Columns, x, weight);
        }

        if (norm.Bias is { } bias)
        {
            HostGuard.Weights(nameof(Normalize), bias);
            Guard.Fits(nameof(Normalize), bias.Count == x.Columns, x, bias);
        }

        _ops.Normalize(x, norm, destination);
    }

    /// <inheritdoc/>
    public void MatMul(Tensor x, Linear linear, bool accumulate, Tensor destination)
    {
        HostGuard.Activations(nameof(MatMul), x);
        HostGuard.Activations(nameof(MatMul), destination);
        CheckLinear(nameof(MatMul), x, linear);
        Guard.Fits(nameof(MatMul), x.Dim0 == 1 && Guard.IsMatrix(destination, x.Rows, linear.Out), x, destination);
        _ops.MatMul(x, linear, accumulate, destination);
    }

    private static void CheckLinear(string op, Tensor x, Linear linear)
    {
        foreach (ref readonly var part in linear.Parts.AsSpan())
        {
            HostGuard.Weights(op, part.Weight);
            Guard.Fits(op, part.Weight.Dim0 == 1 && part.In == x.Columns, x, part.Weight);
            if (part.Bias is { } bias)
            {
                HostGuard.Weights(op, bias);
            }
        }
    }

    /// <inheritdoc/>
    public void Activate(Tensor x, Activation activation, Tensor destination)
    {
        HostGuard.Activations(nameof(Activate), x);
        HostGuard.Activations(nameof(Activate), destination);
        Guard.SameShape(nameof(Activate), x, destination);
        _ops.Activate(x, activation, destination);
    }

    /// <inheritdoc/>
    public void Gate(Tensor gate, Tensor up, Activation activation, Tensor destination)
    {
        HostGuard.Activations(nameof(Gate), gate);
        HostGuard.Activations(nameof(Gate), up);
        HostGuard.Activations(nameof(Gate), destination);
        Guard.SameShape(nameof(Gate), gate, up);
        Guard.SameShape(nameof(Gate), gate, destination);
        _ops.Gate(gate, up, activation, destination);
    }

    /// <inheritdoc/>
    public void Add(Tensor x, Tensor y, Tensor destination)
    {
        HostGuard.Activations(nameof(Add), x);
        HostGuard.Activations(nameof(Add), y);
        HostGuard.Activations(nameof(Add), destination);
        Guard.SameShape(nameof(Add), x, y);
        Guard.SameShape(nameof(Add), x, destination);
        _ops.Add(x, y, destination);
    }

    /// <inheritdoc/>
    public void Copy(Tensor source, Tensor destination)
    {
        Guard.SameShape(nameof(Copy), source, destination);
        _ops.Copy(source, destination);
    }

    /// <inheritdoc/>
    public void SoftCap(Tensor x, double cap)
    {
        HostGuard.Activations(nameof(SoftCap), x);
        _ops.SoftCap(x, cap);
    }

    /// <inheritdoc/>
    public void AppendKv(Tensor query, Tensor key, Tensor value, RowBatch rows, int layer, RotaryTable? rotary)
    {
        const string Op = nameof(AppendKv);
        HostGuard.Activations(Op, query);
        HostGuard.Activations(Op, key);
        HostGuard.Activations(Op, value);
        Guard.SameShape(Op, key, value);
        Guard.Fits(Op, query.Dim0 == key.Dim0 && query.Dim2 == key.Dim2 && key.Dim0 == rows.RowCount, query, key);
        CheckCache(Op, key, rows, layer);
        Guard.Fits(Op, key.Dim1 == rows.Cache.KvHeads, key, rows.Cache[layer].Key);
        if (rotary is not null)
        {
            HostGuard.Activations(Op, rotary.Cos);
            HostGuard.Activations(Op, rotary.Sin);
            Guard.SameShape(Op, rotary.Cos, rotary.Sin);
            Guard.Fits(Op, rotary.RotaryDim <= key.Dim2 && rotary.RotaryDim % 2 == 0
                && rotary.Cos.Dim0 == 1 && rotary.Cos.Columns == rotary.RotaryDim / 2, key, rotary.Cos);
            if (rotary.ByRow)
            {
                Guard.Fits(Op, rotary.Cos.Rows >= rows.RowCount, key, rotary.Cos);
            }
            else
            {
                Guard.Indices(Op, rows.Positions, rotary.Cos.Rows, rotary.Cos);
            }
        }

        _ops.AppendKv(query, key, value, rows, layer, rotary);
    }

    /// <summary>The batch's caches hold heads of the query's width, and room for its sequences.</summary>
    private static void CheckCache(string op, Tensor heads, RowBatch rows, int layer)
    {
        HostGuard.Activations(op, rows.Cache[layer].Key);
        Guard.Fits(op, rows.Cache.HeadDim == heads.Dim2, heads, rows.Cache[layer].Key);
        for (var i = 0; i < rows.Prefixes.Count; i++)
        {
            var prefix = rows.Prefixes[i].Cache;
            HostGuard.Activations(op, prefix[layer].Key);
            Guard.Fits(op, prefix.HeadDim == heads.Dim2 && prefix.KvHeads == rows.Cache.KvHeads, heads, prefix[layer].Key);
        }
    }

    private static void CheckAttention(string op, Tensor query, RowBatch rows, int layer, Tensor? slopes)
    {
        HostGuard.Activations(op, query);
        CheckCache(op, query, rows, layer);
        Guard.Fits(op, query.Dim0 == rows.RowCount && query.Dim1 % rows.Cache.KvHeads == 0, query, rows.Cache[layer].Key);
        if (slopes is { } alibi)
        {
            HostGuard.Activations(op, alibi);
            Guard.Fits(op, alibi.Count == query.Dim1 && alibi.IsContiguous, query, alibi);
        }
    }

    /// <inheritdoc/>
    public void Attention(Tensor query, RowBatch rows, int layer, in AttentionOptions options, Tensor destination)
    {
        CheckAttention(nameof(Attention), query, rows, layer, options.AlibiSlopes);
        HostGuard.Activations(nameof(Attention), destination);
        Guard.SameShape(nameof(Attention), query, destination);
        _ops.Attention(query, rows, layer, options, destination);
    }

    /// <inheritdoc/>
    public void AttentionScores(
        Tensor query, RowBatch rows, int layer, in AttentionOptions options, bool probabilities, Tensor destination)
    {
        const string Op = nameof(AttentionScores);
        CheckAttention(Op, query, rows, layer, options.AlibiSlopes);
        HostGuard.Activations(Op, destination);
        Guard.Fits(Op, query.Dim0 == destination.Dim0 && query.Dim1 == destination.Dim1, query, destination);
        foreach (ref readonly var sequence in rows.Sequences)
        {
            Guard.Fits(Op, destination.Dim2 >= sequence.PrefixLength + sequence.Length, destination, rows.Cache[layer].Key);
        }

        _ops.AttentionScores(query, rows, layer, options, probabilities, destination);
    }

    /// <inheritdoc/>
    public void LinearAttention(
        Tensor query, RowBatch rows, int layer, double scale, LinearAttentionForm form, Tensor destination)
    {
        CheckAttention(nameof(LinearAttention), query, rows, layer, null);
        HostGuard.Activations(nameof(LinearAttention), destination);
        Guard.SameShape(nameof(LinearAttention), query, destination);
        _ops.LinearAttention(query, rows, layer, scale, form, destination);
    }

    /// <inheritdoc/>
    public void AccumulateMetaGradient(
        KvLayer current, KvLayer kept, KvLayer velocity, in MetaGradientStep step, Tensor? squaredNorms, KvLayer? copy = null)
    {
        const string Op = nameof(AccumulateMetaGradient);
        CheckUpdate(Op, current.Key, kept.Key, velocity.Key);
        CheckUpdate(Op, current.Value, kept.Value, velocity.Value);
        Guard.SameShape(Op, current.Key, current.Value);
        if (squaredNorms is { } norms)
        {
            Guard.Fits(Op, norms is { DType: DType.F64, Count: 2, IsContiguous: true }, current.Key, norms);
        }

        _ops.AccumulateMetaGradient(current, kept, velocity, step, squaredNorms);
        if (copy is { } rounded)
        {
            step.CopyUpdated(this, kept, rounded);
        }
    }

    private static void CheckUpdate(string op, Tensor current, Tensor kept, Tensor velocity)
    {
        HostGuard.Activations(op, current);
        HostGuard.Activations(op, kept);
        HostGuard.Activations(op, velocity);
        Guard.SameShape(op, current, kept);
        Guard.SameShape(op, current, velocity);
    }

    /// <inheritdoc/>
    public void PatchRows(Tensor x, ReadOnlySpan<int> rowIndices, Tensor vectors, PatchMode mode, double scale)
    {
        const string Op = nameof(PatchRows);
        HostGuard.Activations(Op, x);
        HostGuard.Activations(Op, vectors);
        Guard.Fits(Op, vectors.Rows == rowIndices.Length && vectors.Columns == x.Columns, x, vectors);
        Guard.Indices(Op, rowIndices, x.Rows, x);
        _ops.PatchRows(x, rowIndices, vectors, mode, scale);
    }

    /// <inheritdoc/>
    public void GatherRows(Tensor x, ReadOnlySpan<int> rowIndices, Tensor destination)
    {
        const string Op = nameof(GatherRows);
        HostGuard.Activations(Op, x);
        HostGuard.Activations(Op, destination);
        Guard.Fits(Op, destination.Rows == rowIndices.Length && destination.Columns == x.Columns, x, destination);
        Guard.Indices(Op, rowIndices, x.Rows, x);
        _ops.GatherRows(x, rowIndices, destination);
    }

    /// <inheritdoc/>
    public void ArgMax(Tensor x, Span<int> indices)
    {
        HostGuard.Activations(nameof(ArgMax), x);
        if (indices.Length != x.Rows || x.Columns == 0)
        {
            throw new ShapeException($"ArgMax: {indices.Length} indices do not fit {x}");
        }

        _ops.ArgMax(x, indices);
    }

    /// <inheritdoc/>
    public void LogProbabilities(
        Tensor x, Linear head, double softCap, ReadOnlySpan<TokenTarget> targets, Span<double> destination)
    {
        const string Op = nameof(LogProbabilities);
        HostGuard.Activations(Op, x);
        CheckLinear(Op, x, head);
        Guard.Targets(Op, targets, x, head, destination.Length);
        _ops.LogProbabilities(x, head, softCap, targets, destination);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _pool.Dispose();
        _workspace.Dispose();
        foreach (var storage in _imported)
        {
            storage.Dispose();
        }

        _imported.Clear();
    }
}
