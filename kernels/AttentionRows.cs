// Attention for any head dim and any alignment: one warp per lane, the head across the warp.
// Online softmax: Milakov and Gimelshein 2018, arXiv:1805.02867.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>The attention kernel without demands on shapes; and the step that all forms of one-warp attention take.</summary>
public static class AttentionRows
{
    /// <summary>Entries that a warp scores at a time, so that their loads are under way together.</summary>
    private const int Block = 4;

    /// <summary>Softmax attention of up to four lanes of a tile, one per warp.</summary>
    /// <remarks>
    /// Grid: x tiles, y key-value heads, z parts. Group: 128 threads. Shared: none.
    /// Reads 2 x entries x head_dim elements per lane, of which the lanes of a tile and the tiles of a key-value head share the caches;
    /// writes head_dim elements per lane (a part: head_dim + 2 floats). FLOPs: 4 x entries x head_dim per lane.
    /// </remarks>
    /// <param name="query">[rows, heads, head_dim], rotated.</param>
    /// <param name="queryRowStride">Elements from row to row.</param>
    /// <param name="queryHeadStride">Elements from head to head.</param>
    /// <param name="key">[slots x kv_heads, capacity, head_dim].</param>
    /// <param name="value">As <paramref name="key"/>, with the same strides.</param>
    /// <param name="keyHeadStride">Elements from one head of a slot to the next.</param>
    /// <param name="keyEntryStride">Elements from entry to entry.</param>
    /// <param name="prefixKey">The prefixes' cache, as <paramref name="key"/>.</param>
    /// <param name="prefixValue">As <paramref name="prefixKey"/>.</param>
    /// <param name="prefixHeadStride">Elements from one head of a prefix to the next.</param>
    /// <param name="prefixEntryStride">Elements from entry to entry.</param>
    /// <param name="tiles">[tiles, 16]: see <see cref="AttentionTile"/>.</param>
    /// <param name="firstTile">The tile of grid index 0.</param>
    /// <param name="list">[rows, 8]: see <see cref="AttentionTile"/>.</param>
    /// <param name="slopes">[heads] ALiBi slopes, or empty.</param>
    /// <param name="headDim">Elements of a head, at most 32 per column.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="kvHeads">Key-value heads.</param>
    /// <param name="scale">Factor on q . k.</param>
    /// <param name="softCap">0 for none.</param>
    /// <param name="window">In positions; 0 for none.</param>
    /// <param name="mergedRows">Rows that are merged from parts.</param>
    /// <param name="prefixParts">Parts of prefixes; own parts follow them along grid z.</param>
    /// <param name="prefixChunk">Entries of a part of a prefix.</param>
    /// <param name="ownChunk">Entries of a part of own keys.</param>
    /// <param name="partials">[parts, merged rows, heads, head_dim] weighted sums of values.</param>
    /// <param name="states">[parts, merged rows, heads, 2] maxima of scores and sums of exponentials.</param>
    /// <param name="destination">[rows, heads, head_dim].</param>
    /// <param name="destinationRowStride">Elements from row to row.</param>
    /// <param name="destinationHeadStride">Elements from head to head.</param>
    [Kernel(128)]
    [Instance(typeof(float), typeof(Count4)), Instance(typeof(float), typeof(Count16))]
    [Instance(typeof(BFloat16), typeof(Count4)), Instance(typeof(BFloat16), typeof(Count16))]
    [Instance(typeof(Half), typeof(Count4)), Instance(typeof(Half), typeof(Count16))]
    public static void AttentionRowsKernel<A, TColumns>(
        [ReadOnlyView] ArrayView<A> query, long queryRowStride, int queryHeadStride,
        [ReadOnlyView] ArrayView<A> key, [ReadOnlyView] ArrayView<A> value, long keyHeadStride, int keyEntryStride,
        [ReadOnlyView] ArrayView<A> prefixKey, [ReadOnlyView] ArrayView<A> prefixValue, long prefixHeadStride, int prefixEntryStride,
        [ReadOnlyView] ArrayView<int> tiles, int firstTile, [ReadOnlyView] ArrayView<int> list, [ReadOnlyView] ArrayView<A> slopes,
        int headDim, int heads, int kvHeads, float scale, float softCap, int window,
        int mergedRows, int prefixParts, int prefixChunk, int ownChunk,
        ArrayView<float> partials, ArrayView<float> states,
        ArrayView<A> destination, long destinationRowStride, int destinationHeadStride)
        where A : unmanaged
        where TColumns : ICount
    {
        var tile = AttentionTile.Read(tiles, firstTile + Grid.IdxX);
        var keys = AttentionKeys.Of(tile, Grid.IdxZ, window, prefixParts, prefixChunk, ownChunk);
        if (Warp.WarpIdx >= tile.Lanes || (keys.PrefixFirst >= keys.PrefixEnd && keys.OwnFirst >= keys.OwnEnd))
        {
            return;
        }

        var groupHeads = heads / kvHeads;
        var lane = tile.FirstLane + Warp.WarpIdx;
        var listed = tile.Listed(Warp.WarpIdx, groupHeads);
        var head = Grid.IdxY * groupHeads + lane % groupHeads;
        var row = Warp.Broadcast(list[listed], 0);
        var entry = Warp.Broadcast(list[listed + 1], 0);
        var position = Warp.Broadcast(list[listed + 2], 0);
        var prefixLength = Warp.Broadcast(list[listed + 3], 0);
        var slope = slopes.Length > 0 ? Element.ToFloat(slopes[head]) : 0f;

        var q = LocalMemory.Allocate<float>(TColumns.Value);
        var sums = LocalMemory.Allocate<float>(TColumns.Value);
        LoadHead<A, TColumns>(query, row * queryRowStride + (long)head * queryHeadStride, headDim, q);
        for (var column = 0; column < TColumns.Value; column++)
        {
            sums[column] = 0f;
        }

        var maximum = float.NegativeInfinity;
        var sum = 0f;
        var prefix = AttentionLane.Of(true, entry, position, prefixLength, window);
        AddKeys<A, TColumns>(
            prefixKey, prefixValue, ((long)tile.PrefixSlot * kvHeads + Grid.IdxY) * prefixHeadStride, prefixEntryStride,
            XMath.Max(keys.PrefixFirst, prefix.Low), XMath.Min(keys.PrefixEnd, prefix.High + 1), prefix.Centre,
            headDim, scale, softCap, slope, q, sums, ref maximum, ref sum);
        var own = AttentionLane.Of(false, entry, position, prefixLength, window);
        AddKeys<A, TColumns>(
            key, value, ((long)tile.Slot * kvHeads + Grid.IdxY) * keyHeadStride, keyEntryStride,
            XMath.Max(keys.OwnFirst, own.Low), XMath.Min(keys.OwnEnd, own.High + 1), own.Centre,
            headDim, scale, softCap, slope, q, sums, ref maximum, ref sum);

        if (tile.Mode == AttentionTile.Whole)
        {
            StoreHead<A, TColumns>(
                sums, 1f / sum, destination, row * destinationRowStride + (long)head * destinationHeadStride, headDim);
            return;
        }

        var state = tile.Partial(Warp.WarpIdx, groupHeads, head, list, mergedRows, heads);
        StoreHead<float, TColumns>(sums, 1f, partials, state * headDim, headDim);
        if (Warp.LaneIdx == 0)
        {
            states[2 * state] = maximum;
            states[2 * state + 1] = sum;
        }
    }

    /// <summary>What <see cref="AttentionRowsKernel"/> costs.</summary>
    /// <param name="lanes">Rows x heads.</param>
    /// <param name="visible">Entries seen, summed over lanes.</param>
    /// <param name="distinct">Entries that must come from memory, summed over key-value heads.</param>
    /// <param name="headDim">Elements of a head.</param>
    /// <param name="elementBytes">Bytes of an element.</param>
    public static KernelCost Cost(long lanes, long visible, long distinct, int headDim, int elementBytes) =>
        new((lanes + 2 * distinct) * headDim * elementBytes, lanes * headDim * elementBytes, 4 * visible * headDim);

    /// <summary>Elements lane, lane + 32, ... of a head; 0 past its end.</summary>
    internal static void LoadHead<A, TColumns>(ArrayView<A> source, long offset, int headDim, ArrayView<float> target)
        where A : unmanaged
        where TColumns : ICount
    {
        for (var column = 0; column < TColumns.Value; column++)
        {
            var d = Warp.LaneIdx + 32 * column;
            target[column] = 0f;
            if (d < headDim)
            {
                target[column] = Element.ToFloat(source[offset + d]);
            }
        }
    }

    /// <summary>Writes a head times a factor.</summary>
    internal static void StoreHead<A, TColumns>(ArrayView<float> source, float factor, ArrayView<A> target, long offset, int headDim)
        where A : unmanaged
        where TColumns : ICount
    {
        for (var column = 0; column < TColumns.Value; column++)
        {
            var d = Warp.LaneIdx + 32 * column;
            if (d < headDim)
            {
                target[offset + d] = Element.FromFloat<A>(source[column] * factor);
            }
        }
    }

    /// <summary>q . k of the warp's query and one key, in every lane.</summary>
    internal static float Dot<A, TColumns>(ArrayView<A> key, long offset, int headDim, ArrayView<float> q)
        where A : unmanaged
        where TColumns : ICount
    {
        var dot = 0f;
        for (var column = 0; column < TColumns.Value; column++)
        {
            var d = Warp.LaneIdx + 32 * column;
            if (d < headDim)
            {
                dot = XMath.Fma(q[column], Element.ToFloat(key[offset + d]), dot);
            }
        }

        return dot;
    }

    private static void AddKeys<A, TColumns>(
        ArrayView<A> key, ArrayView<A> value, long offset, int entryStride, int first, int end, int centre,
        int headDim, float scale, float softCap, float slope, ArrayView<float> q, ArrayView<float> sums, ref float maximum, ref float sum)
        where A : unmanaged
        where TColumns : ICount
    {
        var scores = LocalMemory.Allocate<float>(Block);
        for (var block = first; block < end; block += Block)
        {
            for (var i = 0; i < Block; i++)
            {
                var entry = XMath.Min(block + i, end - 1);
                scores[i] = Dot<A, TColumns>(key, offset + (long)entry * entryStride, headDim, q);
            }

            var greatest = maximum;
            for (var i = 0; i < Block; i++)
            {
                var score = AttentionMath.Shape<A>(WarpReduce.Sum(scores[i]) * scale, softCap, slope, XMath.Abs(centre - block - i));
                scores[i] = block + i < end ? score * AttentionMath.Unit<A>() : float.NegativeInfinity;
                greatest = XMath.Max(greatest, scores[i]);
            }

            var factor = AttentionMath.Exponential<A>(maximum - greatest);
            maximum = greatest;
            sum *= factor;
            for (var column = 0; column < TColumns.Value; column++)
            {
                sums[column] *= factor;
            }

            for (var i = 0; i < Block; i++)
            {
                var weight = AttentionMath.Exponential<A>(scores[i] - greatest);
                sum += weight;
                var entry = XMath.Min(block + i, end - 1);
                for (var column = 0; column < TColumns.Value; column++)
                {
                    var d = Warp.LaneIdx + 32 * column;
                    if (d < headDim)
                    {
                        sums[column] = XMath.Fma(weight, Element.ToFloat(value[offset + (long)entry * entryStride + d]), sums[column]);
                    }
                }
            }
        }
    }
}
