// The scores and probabilities of attention, unfused, for study.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>The kernel of AttentionScores.</summary>
public static class AttentionScores
{
    /// <summary>One row of scores or probabilities per warp: one row of the batch and one head.</summary>
    /// <remarks>
    /// Scores are made 32 at a time, one per lane of the warp. For probabilities they are made twice: for maximum and sum, then to be
    /// written, so that none is rounded in between.
    /// Grid: x rows, y heads / 4. Group: 128 threads. Shared: none. Rows whose prefix lies in another cache are left to another launch.
    /// Reads entries x head_dim elements per row and head (twice for probabilities), of which heads and rows share the caches;
    /// writes columns elements. FLOPs: 2 x entries x head_dim (twice for probabilities) per row and head.
    /// </remarks>
    /// <param name="query">[rows, heads, head_dim], rotated.</param>
    /// <param name="queryRowStride">Elements from row to row.</param>
    /// <param name="queryHeadStride">Elements from head to head.</param>
    /// <param name="key">[slots x kv_heads, capacity, head_dim].</param>
    /// <param name="keyHeadStride">Elements from one head of a slot to the next.</param>
    /// <param name="keyEntryStride">Elements from entry to entry.</param>
    /// <param name="prefixKey">The prefix's cache, as <paramref name="key"/>.</param>
    /// <param name="prefixHeadStride">Elements from one head of a prefix to the next.</param>
    /// <param name="prefixEntryStride">Elements from entry to entry.</param>
    /// <param name="prefix">The prefix that this launch is for: its index in the batch, or -1 for rows without one.</param>
    /// <param name="sequenceOfRow">[rows].</param>
    /// <param name="sequences">[sequences, 8]: first row, rows, slot, start, first position, prefix, prefix length, slot of the prefix.</param>
    /// <param name="slopes">[heads] ALiBi slopes, or empty.</param>
    /// <param name="headDim">Elements of a head, at most 32 per column.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="kvHeads">Key-value heads.</param>
    /// <param name="scale">Factor on q . k.</param>
    /// <param name="softCap">0 for none.</param>
    /// <param name="window">In positions; 0 for none.</param>
    /// <param name="probabilities">Probabilities instead of scores.</param>
    /// <param name="columns">Columns of the destination.</param>
    /// <param name="destination">[rows, heads, columns].</param>
    /// <param name="destinationRowStride">Elements from row to row.</param>
    /// <param name="destinationHeadStride">Elements from head to head.</param>
    [Kernel(128, MinGroups = 4)]
    [Instance(typeof(float), typeof(Count4)), Instance(typeof(float), typeof(Count16))]
    [Instance(typeof(BFloat16), typeof(Count4)), Instance(typeof(BFloat16), typeof(Count16))]
    [Instance(typeof(Half), typeof(Count4)), Instance(typeof(Half), typeof(Count16))]
    public static void AttentionScoresKernel<A, TColumns>(
        [ReadOnlyView] ArrayView<A> query, long queryRowStride, int queryHeadStride,
        [ReadOnlyView] ArrayView<A> key, long keyHeadStride, int keyEntryStride,
        [ReadOnlyView] ArrayView<A> prefixKey, long prefixHeadStride, int prefixEntryStride, int prefix,
        [ReadOnlyView] ArrayView<int> sequenceOfRow, [ReadOnlyView] ArrayView<int> sequences, [ReadOnlyView] ArrayView<A> slopes,
        int headDim, int heads, int kvHeads, float scale, float softCap, int window, bool probabilities, int columns,
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
        var entry = sequences[sequence + 3] + row - sequences[sequence];
        var position = sequences[sequence + 4] + entry;
        var prefixLength = sequences[sequence + 6];
        var prefixStart = ((long)sequences[sequence + 7] * kvHeads + kvHead) * prefixHeadStride;
        var ownStart = ((long)sequences[sequence + 2] * kvHeads + kvHead) * keyHeadStride;
        var prefixLane = AttentionLane.Of(true, entry, position, prefixLength, window);
        var ownLane = AttentionLane.Of(false, entry, position, prefixLength, window);
        var slope = slopes.Length > 0 ? Element.ToFloat(slopes[head]) : 0f;
        var q = LocalMemory.Allocate<float>(TColumns.Value);
        AttentionRows.LoadHead<A, TColumns>(query, row * queryRowStride + (long)head * queryHeadStride, headDim, q);
        var start = row * destinationRowStride + (long)head * destinationHeadStride;

        var maximum = float.NegativeInfinity;
        var sum = 0f;
        for (var pass = probabilities ? 0 : 1; pass < 2; pass++)
        {
            for (var column = 0; column < columns; column += 32)
            {
                var mine = float.NegativeInfinity;
                for (var i = 0; i < 32; i++)
                {
                    var at = column + i;
                    var inPrefix = at < prefixLength;
                    var j = inPrefix ? at : at - prefixLength;
                    var low = inPrefix ? prefixLane.Low : ownLane.Low;
                    var high = inPrefix ? prefixLane.High : ownLane.High;
                    if (j >= low && j <= high)
                    {
                        var offset = inPrefix ? prefixStart + (long)j * prefixEntryStride : ownStart + (long)j * keyEntryStride;
                        var dot = AttentionRows.Dot<A, TColumns>(inPrefix ? prefixKey : key, offset, headDim, q);
                        var distance = XMath.Abs((inPrefix ? prefixLane.Centre : ownLane.Centre) - j);
                        var score = AttentionMath.Shape<A>(WarpReduce.Sum(dot) * scale, softCap, slope, distance);
                        mine = Warp.LaneIdx == i ? score : mine;
                    }
                }

                if (pass == 0)
                {
                    var greatest = XMath.Max(maximum, mine);
                    var finite = AttentionMath.Finite(greatest);
                    sum = sum * XMath.Exp(maximum - finite) + XMath.Exp(mine - finite);
                    maximum = greatest;
                }
                else if (column + Warp.LaneIdx < columns)
                {
                    destination[start + column + Warp.LaneIdx] =
                        Element.FromFloat<A>(probabilities ? XMath.Exp(mine - maximum) / sum : mine);
                }
            }

            if (pass == 0)
            {
                // Each lane has seen every 32nd column; the warp's sum refers to the warp's maximum.
                var greatest = WarpReduce.Max(maximum);
                sum = WarpReduce.Sum(sum * XMath.Exp(maximum - greatest));
                maximum = greatest;
            }
        }
    }

    /// <summary>What <see cref="AttentionScoresKernel"/> costs.</summary>
    /// <param name="lanes">Rows x heads.</param>
    /// <param name="visible">Entries seen, summed over lanes.</param>
    /// <param name="columns">Columns of the destination.</param>
    /// <param name="headDim">Elements of a head.</param>
    /// <param name="elementBytes">Bytes of an element.</param>
    /// <param name="probabilities">Whether scores are made twice.</param>
    public static KernelCost Cost(long lanes, long visible, int columns, int headDim, int elementBytes, bool probabilities)
    {
        var passes = probabilities ? 2 : 1;
        return new KernelCost(
            (lanes + passes * visible) * headDim * elementBytes, lanes * columns * elementBytes, 2 * passes * visible * headDim);
    }
}
