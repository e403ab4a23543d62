// Attention without softmax in its two dual forms: sum_i v_i (k_i . q), and (sum_i v_i k_iᵀ) q with the matrix accumulated row by row.
// Irie et al. 2022, arXiv:2202.05798; Dai et al. 2022, arXiv:2212.10559.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>The two kernels of LinearAttention, which must agree.</summary>
public static class LinearAttention
{
    /// <summary>Rows of the weight matrix that a warp holds in registers.</summary>
    private const int MatrixRows = 4;

    /// <summary>Rows of the weight matrix of one group.</summary>
    public const int GroupMatrixRows = 4 * MatrixRows;

    private const int Block = 4;

    /// <summary>destination = scale * sum_i v_i (k_i . q): one row of the batch and one head per warp.</summary>
    /// <remarks>
    /// Grid: x rows, y heads / 4. Group: 128 threads. Shared: none. Rows whose prefix is another are left to another launch.
    /// Reads 2 x entries x head_dim elements per row and head, of which heads and rows share the caches; writes head_dim elements.
    /// FLOPs: 4 x entries x head_dim per row and head.
    /// </remarks>
    /// <param name="query">[rows, heads, head_dim], rotated.</param>
    /// <param name="queryRowStride">Elements from row to row.</param>
    /// <param name="queryHeadStride">Elements from head to head.</param>
    /// <param name="key">[slots x kv_heads, capacity, head_dim].</param>
    /// <param name="value">As <paramref name="key"/>, with the same strides.</param>
    /// <param name="keyHeadStride">Elements from one head of a slot to the next.</param>
    /// <param name="keyEntryStride">Elements from entry to entry.</param>
    /// <param name="prefixKey">The prefix's cache, as <paramref name="key"/>.</param>
    /// <param name="prefixValue">As <paramref name="prefixKey"/>.</param>
    /// <param name="prefixHeadStride">Elements from one head of a prefix to the next.</param>
    /// <param name="prefixEntryStride">Elements from entry to entry.</param>
    /// <param name="prefix">The prefix that this launch is for: its index in the batch, or -1 for rows without one.</param>
    /// <param name="sequenceOfRow">[rows].</param>
    /// <param name="sequences">[sequences, 8]: first row, rows, slot, start, first position, prefix, prefix length, slot of the prefix.</param>
    /// <param name="headDim">Elements of a head, at most 32 per column.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="kvHeads">Key-value heads.</param>
    /// <param name="scale">Factor on the result.</param>
    /// <param name="destination">[rows, heads, head_dim].</param>
    /// <param name="destinationRowStride">Elements from row to row.</param>
    /// <param name="destinationHeadStride">Elements from head to head.</param>
    [Kernel(128, MinGroups = 2)]
    [Instance(typeof(float), typeof(Count4)), Instance(typeof(float), typeof(Count16))]
    [Instance(typeof(BFloat16), typeof(Count4)), Instance(typeof(BFloat16), typeof(Count16))]
    [Instance(typeof(Half), typeof(Count4)), Instance(typeof(Half), typeof(Count16))]
    public static void LinearAttentionKernel<A, TColumns>(
        [ReadOnlyView] ArrayView<A> query, long queryRowStride, int queryHeadStride,
        [ReadOnlyView] ArrayView<A> key, [ReadOnlyView] ArrayView<A> value, long keyHeadStride, int keyEntryStride,
        [ReadOnlyView] ArrayView<A> prefixKey, [ReadOnlyView] ArrayView<A> prefixValue, long prefixHeadStride, int prefixEntryStride, int prefix,
        [ReadOnlyView] ArrayView<int> sequenceOfRow, [ReadOnlyView] ArrayView<int> sequences,
        int headDim, int heads, int kvHeads, float scale,
        ArrayView<A> destination, long destinationRowStride, int destinationHeadStride)
        where A : unmanaged
        where TColumns : ICount
    {
        var row = Grid.IdxX;
        var head = Grid.IdxY * 4 + Warp.WarpIdx;
        var sequence = sequenceOfRow[row] * 8;
        if (head >= heads || sequences[sequence + 5] != prefix)
        {
            return;
        }

        var kvHead = head / (heads / kvHeads);
        var q = LocalMemory.Allocate<float>(TColumns.Value);
        var sums = LocalMemory.Allocate<float>(TColumns.Value);
        AttentionRows.LoadHead<A, TColumns>(query, row * queryRowStride + (long)head * queryHeadStride, headDim, q);
        for (var column = 0; column < TColumns.Value; column++)
        {
            sums[column] = 0f;
        }

        AddScoredValues<A, TColumns>(
            prefixKey, prefixValue, ((long)sequences[sequence + 7] * kvHeads + kvHead) * prefixHeadStride, prefixEntryStride,
            sequences[sequence + 6], headDim, q, sums);
        AddScoredValues<A, TColumns>(
            key, value, ((long)sequences[sequence + 2] * kvHeads + kvHead) * keyHeadStride, keyEntryStride,
            sequences[sequence + 3] + row - sequences[sequence] + 1, headDim, q, sums);
        AttentionRows.StoreHead<A, TColumns>(
            sums, scale, destination, row * destinationRowStride + (long)head * destinationHeadStride, headDim);
    }

    /// <summary>destination = scale * (sum_i v_i k_iᵀ) q: the matrix grows by an outer product per entry and is applied to the queries of
    /// each row as soon as it holds the row's own entry.</summary>
    /// <remarks>
    /// A warp holds <see cref="MatrixRows"/> rows of the matrix in registers, its columns across the lanes, and goes through a sequence alone.
    /// Grid: x sequences, y key-value heads, z head_dim / 16. Group: 128 threads. Shared: none.
    /// Sequences whose prefix is another are left to another launch. Parameters: <see cref="LinearAttentionKernel"/>.
    /// Reads entries x head_dim x (1 + head_dim / 16) elements per key-value head and the queries head_dim / 16 times, writes the result.
    /// FLOPs: 2 x entries x head_dim^2 per key-value head and 2 x head_dim^2 per row and head.
    /// </remarks>
    [Kernel(128, MinGroups = 2)]
    [Instance(typeof(float), typeof(Count4)), Instance(typeof(float), typeof(Count16))]
    [Instance(typeof(BFloat16), typeof(Count4)), Instance(typeof(BFloat16), typeof(Count16))]
    [Instance(typeof(Half), typeof(Count4)), Instance(typeof(Half), typeof(Count16))]
    public static void WeightMatrixKernel<A, TColumns>(
        [ReadOnlyView] ArrayView<A> query, long queryRowStride, int queryHeadStride,
        [ReadOnlyView] ArrayView<A> key, [ReadOnlyView] ArrayView<A> value, long keyHeadStride, int keyEntryStride,
        [ReadOnlyView] ArrayView<A> prefixKey, [ReadOnlyView] ArrayView<A> prefixValue, long prefixHeadStride, int prefixEntryStride, int prefix,
        [ReadOnlyView] ArrayView<int> sequenceOfRow, [ReadOnlyView] ArrayView<int> sequences,
        int headDim, int heads, int kvHeads, float scale,
        ArrayView<A> destination, long destinationRowStride, int destinationHeadStride)
        where A : unmanaged
        where TColumns : ICount
    {
        var sequence = Grid.IdxX * 8;
        var firstRow = Grid.IdxZ * GroupMatrixRows + Warp.WarpIdx * MatrixRows;
        if (firstRow >= headDim || sequences[sequence + 5] != prefix)
        {
            return;
        }

        var matrix = LocalMemory.Allocate<float>(MatrixRows * TColumns.Value);
        for (var i = 0; i < MatrixRows * TColumns.Value; i++)
        {
            matrix[i] = 0f;
        }

        AddOuterProducts<A, TColumns>(
            prefixKey, prefixValue, ((long)sequences[sequence + 7] * kvHeads + Grid.IdxY) * prefixHeadStride, prefixEntryStride,
            0, sequences[sequence + 6], firstRow, headDim, matrix);
        var ownStart = ((long)sequences[sequence + 2] * kvHeads + Grid.IdxY) * keyHeadStride;
        var start = sequences[sequence + 3];
        AddOuterProducts<A, TColumns>(key, value, ownStart, keyEntryStride, 0, start, firstRow, headDim, matrix);

        var groupHeads = heads / kvHeads;
        var q = LocalMemory.Allocate<float>(TColumns.Value);
        for (var i = 0; i < sequences[sequence + 1]; i++)
        {
            AddOuterProducts<A, TColumns>(key, value, ownStart, keyEntryStride, start + i, start + i + 1, firstRow, headDim, matrix);
            var row = sequences[sequence] + i;
            for (var h = 0; h < groupHeads; h++)
            {
                var head = Grid.IdxY * groupHeads + h;
                AttentionRows.LoadHead<A, TColumns>(query, row * queryRowStride + (long)head * queryHeadStride, headDim, q);
                var result = 0f;
                for (var a = 0; a < MatrixRows; a++)
                {
                    var product = 0f;
                    for (var column = 0; column < TColumns.Value; column++)
                    {
                        product = XMath.Fma(matrix[a * TColumns.Value + column], q[column], product);
                    }

                    product = WarpReduce.Sum(product);
                    result = Warp.LaneIdx == a ? product : result;
                }

                if (Warp.LaneIdx < MatrixRows && firstRow + Warp.LaneIdx < headDim)
                {
                    destination[row * destinationRowStride + (long)head * destinationHeadStride + firstRow + Warp.LaneIdx] =
                        Element.FromFloat<A>(result * scale);
                }
            }
        }
    }

    /// <summary>What <see cref="LinearAttentionKernel"/> costs.</summary>
    /// <param name="lanes">Rows x heads.</param>
    /// <param name="visible">Entries seen, summed over lanes.</param>
    /// <param name="headDim">Elements of a head.</param>
    /// <param name="elementBytes">Bytes of an element.</param>
    public static KernelCost Cost(long lanes, long visible, int headDim, int elementBytes) =>
        new((lanes + 2 * visible) * headDim * elementBytes, lanes * headDim * elementBytes, 4 * visible * headDim);

    /// <summary>What <see cref="WeightMatrixKernel"/> costs.</summary>
    /// <param name="lanes">Rows x heads.</param>
    /// <param name="entries">Entries of sequences and their prefixes x key-value heads.</param>
    /// <param name="headDim">Elements of a head.</param>
    /// <param name="elementBytes">Bytes of an element.</param>
    public static KernelCost WeightMatrixCost(long lanes, long entries, int headDim, int elementBytes)
    {
        long parts = (headDim + GroupMatrixRows - 1) / GroupMatrixRows;
        return new KernelCost(
            (entries * (1 + parts) + lanes * parts) * headDim * elementBytes, lanes * headDim * elementBytes,
            2 * (entries + lanes) * headDim * headDim);
    }

    /// <summary>sums += v_i (k_i . q) for entries 0..count - 1.</summary>
    private static void AddScoredValues<A, TColumns>(
        ArrayView<A> key, ArrayView<A> value, long start, int entryStride, int count, int headDim, ArrayView<float> q, ArrayView<float> sums)
        where A : unmanaged
        where TColumns : ICount
    {
        var dots = LocalMemory.Allocate<float>(Block);
        for (var block = 0; block < count; block += Block)
        {
            for (var i = 0; i < Block; i++)
            {
                var entry = XMath.Min(block + i, count - 1);
                var dot = AttentionRows.Dot<A, TColumns>(key, start + (long)entry * entryStride, headDim, q);
                dots[i] = block + i < count ? dot : 0f;
            }

            for (var i = 0; i < Block; i++)
            {
                var weight = WarpReduce.Sum(dots[i]);
                var entry = XMath.Min(block + i, count - 1);
                for (var column = 0; column < TColumns.Value; column++)
                {
                    var d = Warp.LaneIdx + 32 * column;
                    if (d < headDim)
                    {
                        sums[column] = XMath.Fma(weight, Element.ToFloat(value[start + (long)entry * entryStride + d]), sums[column]);
                    }
                }
            }
        }
    }

    /// <summary>matrix += v_i k_iᵀ for the warp's rows and entries [first, end).</summary>
    private static void AddOuterProducts<A, TColumns>(
        ArrayView<A> key, ArrayView<A> value, long start, int entryStride, int first, int end, int firstRow, int headDim,
        ArrayView<float> matrix)
        where A : unmanaged
        where TColumns : ICount
    {
        var k = LocalMemory.Allocate<float>(TColumns.Value);
        for (var entry = first; entry < end; entry++)
        {
            AttentionRows.LoadHead<A, TColumns>(key, start + (long)entry * entryStride, headDim, k);
            for (var a = 0; a < MatrixRows; a++)
            {
                // Rows past the head's end repeat the last one and are not written.
                var v = Element.ToFloat(value[start + (long)entry * entryStride + XMath.Min(firstRow + a, headDim - 1)]);
                for (var column = 0; column < TColumns.Value; column++)
                {
                    matrix[a * TColumns.Value + column] = XMath.Fma(v, k[column], matrix[a * TColumns.Value + column]);
                }
            }
        }
    }
}
