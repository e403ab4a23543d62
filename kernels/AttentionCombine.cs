// The second stage of attention that was split over keys: partial results of one lane become one, always in the order of the parts.
// Flash-Decoding, Dao et al. 2023; associativity of online softmax: Milakov and Gimelshein 2018, arXiv:1805.02867.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>Merges partial results of attention.</summary>
public static class AttentionCombine
{
    /// <summary>Parts whose loads are under way together; divides 32.</summary>
    private const int Ahead = 4;

    /// <summary>destination = sum of parts' weighted values over the sum of their exponentials, both brought to the greatest maximum.</summary>
    /// <remarks>
    /// Grid: x listed rows, y heads / 4. Group: 128 threads, one warp per lane. Shared: none.
    /// Reads (head_dim + 2) x 4 bytes per lane and part that the lane sees something of, writes head_dim elements per lane.
    /// FLOPs: 3 x head_dim per lane and part.
    /// </remarks>
    /// <param name="partials">[parts, grid x, heads, head_dim].</param>
    /// <param name="states">[parts, grid x, heads, 2].</param>
    /// <param name="list">[rows, 8]: see <see cref="AttentionTile"/>; its first grid x rows are merged, in the order of their partial results.</param>
    /// <param name="headDim">Elements of a head.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="window">In positions; 0 for none.</param>
    /// <param name="prefixParts">Parts of prefixes.</param>
    /// <param name="prefixChunk">Entries of a part of a prefix.</param>
    /// <param name="ownChunk">Entries of a part of own keys.</param>
    /// <param name="destination">[rows, heads, head_dim].</param>
    /// <param name="destinationRowStride">Elements from row to row.</param>
    /// <param name="destinationHeadStride">Elements from head to head.</param>
    [Kernel(128, MinGroups = 4)]
    [Instance(typeof(float), typeof(Count4)), Instance(typeof(float), typeof(Count16))]
    [Instance(typeof(BFloat16), typeof(Count4)), Instance(typeof(BFloat16), typeof(Count16))]
    [Instance(typeof(Half), typeof(Count4)), Instance(typeof(Half), typeof(Count16))]
    public static void AttentionCombineKernel<A, TColumns>(
        [ReadOnlyView] ArrayView<float> partials, [ReadOnlyView] ArrayView<float> states, [ReadOnlyView] ArrayView<int> list,
        int headDim, int heads, int window, int prefixParts, int prefixChunk, int ownChunk,
        ArrayView<A> destination, long destinationRowStride, int destinationHeadStride)
        where A : unmanaged
        where TColumns : ICount
    {
        var head = Grid.IdxY * 4 + Warp.WarpIdx;
        if (head >= heads)
        {
            return;
        }

        var listed = Grid.IdxX * AttentionTile.ListSize;
        var row = list[listed];
        var entry = list[listed + 1];
        var position = list[listed + 2];
        var prefixLength = list[listed + 3];
        var sums = LocalMemory.Allocate<float>(TColumns.Value);
        for (var column = 0; column < TColumns.Value; column++)
        {
            sums[column] = 0f;
        }

        var maximum = float.NegativeInfinity;
        var sum = 0f;
        var prefix = AttentionLane.Of(true, entry, position, prefixLength, window);
        if (prefix.High >= prefix.Low)
        {
            Merge<A, TColumns>(
                partials, states, prefix.Low / prefixChunk, prefix.High / prefixChunk + 1, heads, head, headDim,
                sums, ref maximum, ref sum);
        }

        var own = AttentionLane.Of(false, entry, position, prefixLength, window);
        Merge<A, TColumns>(
            partials, states, prefixParts + own.Low / ownChunk, prefixParts + own.High / ownChunk + 1, heads, head, headDim,
            sums, ref maximum, ref sum);
        AttentionRows.StoreHead<A, TColumns>(
            sums, 1f / sum, destination, row * destinationRowStride + (long)head * destinationHeadStride, headDim);
    }

    /// <summary>What <see cref="AttentionCombineKernel"/> costs.</summary>
    /// <param name="lanes">Rows x heads.</param>
    /// <param name="parts">Parts per lane.</param>
    /// <param name="headDim">Elements of a head.</param>
    /// <param name="elementBytes">Bytes of an element of the destination.</param>
    public static KernelCost Cost(long lanes, int parts, int headDim, int elementBytes) =>
        new(lanes * parts * (headDim + 2) * 4, lanes * headDim * elementBytes, 3 * lanes * parts * headDim);

    private static void Merge<A, TColumns>(
        ArrayView<float> partials, ArrayView<float> states, int first, int end, int heads, int head, int headDim,
        ArrayView<float> sums, ref float maximum, ref float sum)
        where A : unmanaged
        where TColumns : ICount
    {
        var stride = (long)Grid.DimX * heads;
        var lane = (long)Grid.IdxX * heads + head;
        for (var block = first; block < end; block += 32)
        {
            // A lane of the warp weighs one part; then all take part by part, some loads ahead.
            var isPart = block + Warp.LaneIdx < end;
            var state = (XMath.Min(block + Warp.LaneIdx, end - 1) * stride + lane) * 2;
            var partMaximum = isPart ? states[state] : float.NegativeInfinity;
            var partSum = isPart ? states[state + 1] : 0f;
            var greatest = XMath.Max(maximum, WarpReduce.Max(partMaximum));
            var before = AttentionMath.Exponential<A>(maximum - AttentionMath.Finite(greatest));
            var weight = AttentionMath.Exponential<A>(partMaximum - AttentionMath.Finite(greatest));
            maximum = greatest;
            sum = XMath.Fma(sum, before, WarpReduce.Sum(weight * partSum));
            for (var column = 0; column < TColumns.Value; column++)
            {
                sums[column] *= before;
            }

            for (var part = block; part < XMath.Min(block + 32, end); part += Ahead)
            {
                for (var i = 0; i < Ahead; i++)
                {
                    // Past the end: the last part again, times 0.
                    var factor = part + i < end ? Warp.Shuffle(weight, part + i - block) : 0f;
                    var start = (XMath.Min(part + i, end - 1) * stride + lane) * headDim;
                    for (var column = 0; column < TColumns.Value; column++)
                    {
                        var d = Warp.LaneIdx + 32 * column;
                        if (d < headDim)
                        {
                            sums[column] = XMath.Fma(partials[start + d], factor, sums[column]);
                        }
                    }
                }
            }
        }
    }
}
