// The ops of the CPU device, compiled once per register width: this file holds what all of them share.
// One op per file beside it; each is a part of CpuOps.
using System.Runtime.CompilerServices;
using Rt.Core;

namespace Rt.Cpu;

/// <summary>Ops after their arguments were checked by <see cref="CpuDevice"/>; shapes and dtypes are as <see cref="IDevice"/> says.</summary>
internal abstract class CpuOps
{
    public abstract void Embed(RowBatch rows, Tensor table, double scale, Tensor destination);

    public abstract void AddPositions(RowBatch rows, Tensor table, int offset, Tensor destination);

    public abstract void Normalize(Tensor x, Norm norm, Tensor destination);

    public abstract void MatMul(Tensor x, Linear linear, bool accumulate, Tensor destination);

    public abstract void Activate(Tensor x, Activation activation, Tensor destination);

    public abstract void Gate(Tensor gate, Tensor up, Activation activation, Tensor destination);

    public abstract void Add(Tensor x, Tensor y, Tensor destination);

    public abstract void Copy(Tensor source, Tensor destination);

    public abstract void SoftCap(Tensor x, double cap);

    public abstract void AppendKv(Tensor query, Tensor key, Tensor value, RowBatch rows, int layer, RotaryTable? rotary);

    public abstract void Attention(Tensor query, RowBatch rows, int layer, in AttentionOptions options, Tensor destination);

    public abstract void AttentionScores(
        Tensor query, RowBatch rows, int layer, in AttentionOptions options, bool probabilities, Tensor destination);

    public abstract void LinearAttention(
        Tensor query, RowBatch rows, int layer, double scale, LinearAttentionForm form, Tensor destination);

    public abstract void AccumulateMetaGradient(
        KvLayer current, KvLayer kept, KvLayer velocity, in MetaGradientStep step, Tensor? squaredNorms);

    public abstract void PatchRows(Tensor x, ReadOnlySpan<int> rowIndices, Tensor vectors, PatchMode mode, double scale);

    public abstract void GatherRows(Tensor x, ReadOnlySpan<int> rowIndices, Tensor destination);

    public abstract void ArgMax(Tensor x, Span<int> indices);

    public abstract void LogProbabilities(
        Tensor x, Linear head, double softCap, ReadOnlySpan<TokenTarget> targets, Span<double> destination);
}

/// <inheritdoc/>
/// <typeparam name="TW">Operations of the register width.</typeparam>
/// <typeparam name="TV">The register.</typeparam>
internal sealed unsafe partial class CpuOps<TW, TV>(WorkerPool pool, Workspace workspace, bool batchInvariant) : CpuOps
    where TW : ISimd<TV>
    where TV : unmanaged
{
    /// <summary>Elements that a chunk of element-wise work should at least have: below it, waking a thread costs more than it brings.</summary>
    private const int ElementsPerChunk = 16 * 1024;

    /// <summary>How many chunks a job of independent items splits into; it may follow the threads, for no item's result depends on it.</summary>
    /// <param name="items">Items, such as rows.</param>
    /// <param name="elementsPerItem">Work of each.</param>
    /// <param name="itemsPerChunk">Receives the items of all chunks but the last.</param>
    private int Split(int items, long elementsPerItem, out int itemsPerChunk)
    {
        var wanted = Math.Min((long)pool.Threads * 4, items * elementsPerItem / ElementsPerChunk);
        var chunks = (int)Math.Clamp(wanted, 1, Math.Max(1, items));
        itemsPerChunk = Math.Max(1, (items + chunks - 1) / chunks);
        return (items + itemsPerChunk - 1) / itemsPerChunk;
    }

    /// <summary>The elements of a vector in F32: in place, or widened into <paramref name="scratch"/>.</summary>
    private static float* AsF32(Tensor vector, float* scratch)
    {
        if (vector.DType == DType.F32 && vector.IsContiguous)
        {
            return (float*)vector.HostPointer();
        }

        var next = 0;
        for (var i = 0; i < vector.Dim0; i++)
        {
            for (var j = 0; j < vector.Dim1; j++)
            {
                Widening.Copy<TW, TV>(
                    vector.DType, vector.HostPointer(), i * vector.Stride0 + j * vector.Stride1, vector.Dim2, scratch + next);
                next += vector.Dim2;
            }
        }

        return scratch;
    }

    /// <summary>Loads the first <paramref name="count"/> lanes, the others zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TV LoadPartial(float* source, int count)
    {
        var lanes = stackalloc float[16];
        for (var i = 0; i < 16; i++)
        {
            lanes[i] = i < count ? source[i] : 0f;
        }

        return TW.Load(lanes);
    }

    /// <summary>Stores the first <paramref name="count"/> lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StorePartial(TV value, float* destination, int count)
    {
        var lanes = stackalloc float[16];
        TW.Store(value, lanes);
        for (var i = 0; i < count; i++)
        {
            destination[i] = lanes[i];
        }
    }
}
