// Attention of many lanes with half-precision activations, on tensor cores.
// FlashAttention-2: Dao 2023, arXiv:2307.08691; fragments: PTX ISA, "Matrix Fragments for mma.m16n8k16".
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>The attention kernel of prefill, and of decode with many heads per key-value head, in BF16 and F16.</summary>
public static class AttentionTensor
{
    private const int Threads = 128;

    /// <summary>Elements between the end of a row in shared memory and the next row: rows are then an odd number of 16-byte chunks apart,
    /// so that the eight rows of a matrix load lie in different banks.</summary>
    private const int Pad = 8;

    /// <summary>Softmax attention of a tile of 64 x <typeparamref name="TFragments"/> lanes: four warps of 16 lanes per fragment.</summary>
    /// <remarks>
    /// Two fragments use each fragment of keys and values twice, where the sums leave registers for it: heads of up to 96 elements.
    /// Scores stay in registers: the accumulators of q kᵀ are, packed, the left fragments of the product with the values.
    /// Keys and values of the next block are on their way while one block is computed with.
    /// Grid: x tiles, y key-value heads, z parts. Group: 128 threads. Shared: <see cref="SharedBytes"/>.
    /// Reads 2 x entries x head_dim elements per tile and head_dim per lane; writes head_dim elements per lane (a part: head_dim + 2 floats).
    /// FLOPs: 4 x entries x head_dim per lane. Parameters: <see cref="AttentionRows.AttentionRowsKernel"/>; heads begin at multiples of 16 bytes.
    /// </remarks>
    [Kernel(Threads)]
    [Instance(typeof(BFloat16), typeof(HeadDim64), typeof(Count1)), Instance(typeof(BFloat16), typeof(HeadDim64), typeof(Count2))]
    [Instance(typeof(BFloat16), typeof(HeadDim96), typeof(Count1)), Instance(typeof(BFloat16), typeof(HeadDim96), typeof(Count2))]
    [Instance(typeof(BFloat16), typeof(HeadDim128), typeof(Count1))]
    [Instance(typeof(BFloat16), typeof(HeadDim256), typeof(Count1))]
    [Instance(typeof(Half), typeof(HeadDim64), typeof(Count1)), Instance(typeof(Half), typeof(HeadDim64), typeof(Count2))]
    [Instance(typeof(Half), typeof(HeadDim96), typeof(Count1)), Instance(typeof(Half), typeof(HeadDim96), typeof(Count2))]
    [Instance(typeof(Half), typeof(HeadDim128), typeof(Count1))]
    [Instance(typeof(Half), typeof(HeadDim256), typeof(Count1))]
    public static void AttentionTensorKernel<A, THeadDim, TFragments>(
        [ReadOnlyView] ArrayView<A> query, long queryRowStride, int queryHeadStride,
        [ReadOnlyView] ArrayView<A> key, [ReadOnlyView] ArrayView<A> value, long keyHeadStride, int keyEntryStride,
        [ReadOnlyView] ArrayView<A> prefixKey, [ReadOnlyView] ArrayView<A> prefixValue, long prefixHeadStride, int prefixEntryStride,
        [ReadOnlyView] ArrayView<int> tiles, int firstTile, [ReadOnlyView] ArrayView<int> list, [ReadOnlyView] ArrayView<A> slopes,
        int headDim, int heads, int kvHeads, float scale, float softCap, int window,
        int mergedRows, int prefixParts, int prefixChunk, int ownChunk,
        ArrayView<float> partials, ArrayView<float> states,
        ArrayView<A> destination, long destinationRowStride, int destinationHeadStride)
        where A : unmanaged
        where THeadDim : IHeadDim
        where TFragments : ICount
    {
        var tile = AttentionTile.Read(tiles, firstTile + Grid.IdxX);
        var keys = AttentionKeys.Of(tile, Grid.IdxZ, window, prefixParts, prefixChunk, ownChunk);
        var blocks = AttentionBlocks.Of(tile, keys, window, Keys<THeadDim, TFragments>());
        if (blocks.Count == 0)
        {
            return;
        }

        var groupHeads = heads / kvHeads;
        var firstHead = Grid.IdxY * groupHeads;
        var stride = THeadDim.Value + Pad;
        var queries = SharedMemory.GetDynamic<A>();
        var stages = queries.SubView(64 * TFragments.Value * stride);
        var lanes = stages.SubView(4 * Keys<THeadDim, TFragments>() * stride).Cast<int>();
        var prefixHead = ((long)tile.PrefixSlot * kvHeads + Grid.IdxY) * prefixHeadStride;
        var ownHead = ((long)tile.Slot * kvHeads + Grid.IdxY) * keyHeadStride;

        AttentionLanes.Fill(tile, list, groupHeads, 64 * TFragments.Value, lanes);
        Group.Barrier();
        AttentionCopies.Queries<A, THeadDim>(
            query, queryRowStride, queryHeadStride, headDim, tile, firstHead, groupHeads, lanes, 64 * TFragments.Value, queries, stride);

        // Registers: the fragments of a warp's queries where they fit, scores of a block, sums, and per row maximum and total.
        var q = LocalMemory.Allocate<uint>(HoldsQueries<THeadDim, TFragments>() ? TFragments.Value * THeadDim.Value / 4 : 4);
        var scores = LocalMemory.Allocate<float>(TFragments.Value * Keys<THeadDim, TFragments>() / 2);
        var sums = LocalMemory.Allocate<float>(TFragments.Value * THeadDim.Value / 2);
        var maxima = LocalMemory.Allocate<float>(2 * TFragments.Value);
        var totals = LocalMemory.Allocate<float>(2 * TFragments.Value);
        for (var i = 0; i < 2 * TFragments.Value; i++)
        {
            maxima[i] = float.NegativeInfinity;
            totals[i] = 0f;
        }

        for (var i = 0; i < TFragments.Value * THeadDim.Value / 2; i++)
        {
            sums[i] = 0f;
        }

        for (var i = 0; i < (HoldsQueries<THeadDim, TFragments>() ? TFragments.Value * THeadDim.Value / 4 : 4); i++)
        {
            q[i] = 0;
        }

        // Matrix loads: lane i gives row i % 8 of matrix i / 8.
        var warpRow = Warp.WarpIdx * 16 * TFragments.Value;
        var queryRow = queries.SubView((warpRow + Warp.LaneIdx % 16) * stride + Warp.LaneIdx / 16 * 8);
        var keyRow = (Warp.LaneIdx / 16 * 8 + Warp.LaneIdx % 8) * stride + Warp.LaneIdx / 8 % 2 * 8;
        var valueRow = Warp.LaneIdx % 16 * stride + Warp.LaneIdx / 16 * 8;
        // Rows of a tile rise: own blocks past the warp's last row are not computed with.
        var lastLane = XMath.Min(warpRow + 16 * TFragments.Value, tile.Lanes) - 1;
        var lastEntry = Warp.Broadcast(lanes[XMath.Max(0, lastLane) * AttentionTile.LaneSize + 1], 0);
        var shaped = softCap > 0 || slopes.Length > 0 || scale <= 0;
        var unit = shaped ? 1f : scale * AttentionMath.Log2E;

        for (var block = -1; block < blocks.Count; block++)
        {
            if (block >= 0)
            {
                AsyncCopy.Wait(0);
                Group.Barrier();
            }

            var next = block + 1;
            if (next < blocks.Count)
            {
                var inPrefix = next < blocks.PrefixCount;
                var start = inPrefix ? prefixHead : ownHead;
                var entryStride = inPrefix ? prefixEntryStride : keyEntryStride;
                var end = inPrefix ? keys.PrefixEnd : keys.OwnEnd;
                var stage = stages.SubView((next & 1) * 2 * Keys<THeadDim, TFragments>() * stride);
                var first = blocks.First(next, Keys<THeadDim, TFragments>());
                AttentionCopies.Entries<A, THeadDim>(
                    inPrefix ? prefixKey : key, start, entryStride, headDim, first, end, Keys<THeadDim, TFragments>(), stage, stride);
                AttentionCopies.Entries<A, THeadDim>(
                    inPrefix ? prefixValue : value, start, entryStride, headDim, first, end, Keys<THeadDim, TFragments>(), stage.SubView(Keys<THeadDim, TFragments>() * stride), stride);
            }

            AsyncCopy.Commit();
            if (block >= 0 && warpRow < tile.Lanes
                && (block < blocks.PrefixCount || blocks.First(block, Keys<THeadDim, TFragments>()) <= lastEntry))
            {
                if (HoldsQueries<THeadDim, TFragments>() && block == 0)
                {
                    LoadQueries<A, THeadDim, TFragments>(queryRow, q);
                }

                var stage = stages.SubView((block & 1) * 2 * Keys<THeadDim, TFragments>() * stride);
                var first = blocks.First(block, Keys<THeadDim, TFragments>());
                var mask = shaped || blocks.NeedsMask(block, Keys<THeadDim, TFragments>());
                Score<A, THeadDim, TFragments>(queryRow, q, stage.SubView(keyRow), scores);
                if (mask)
                {
                    ShapeScores<A, THeadDim, TFragments>(
                        scores, first, block < blocks.PrefixCount, window, lanes, warpRow,
                        scale, shaped, softCap, slopes, tile.FirstLane, groupHeads, firstHead);
                }

                TakeExponentials<THeadDim, TFragments>(scores, unit, maxima, totals, sums);
                WeighValues<A, THeadDim, TFragments>(scores, stage.SubView(Keys<THeadDim, TFragments>() * stride + valueRow), sums);
            }
        }

        if (warpRow < tile.Lanes)
        {
            Finish<A, THeadDim, TFragments>(
                tile, list, lanes, warpRow, headDim, firstHead, groupHeads, heads, mergedRows, unit, maxima, totals, sums, queries.SubView(warpRow * stride),
                partials, states, destination, destinationRowStride, destinationHeadStride);
        }
    }

    /// <summary>Dynamic shared memory.</summary>
    /// <param name="headDim">Most elements of a head: the value of THeadDim.</param>
    /// <param name="fragments">Fragments of a warp: the value of TFragments.</param>
    public static int SharedBytes(int headDim, int fragments) =>
        2 * (64 * fragments + 4 * Keys(headDim, fragments)) * (headDim + Pad) + 64 * fragments * 4 * AttentionTile.LaneSize;

    /// <summary>What <see cref="AttentionTensorKernel"/> costs; parameters as of <see cref="AttentionRows.Cost"/>.</summary>
    public static KernelCost Cost(long lanes, long visible, long distinct, int headDim, int elementBytes) =>
        AttentionRows.Cost(lanes, visible, distinct, headDim, elementBytes);

    /// <summary>Entries of a block.</summary>
    private static int Keys<THeadDim, TFragments>() where THeadDim : IHeadDim where TFragments : ICount =>
        Keys(THeadDim.Value, TFragments.Value);

    private static int Keys(int headDim, int fragments) => headDim * fragments > 128 ? 32 : 64;

    /// <summary>Whether the fragments of the queries stay in registers.</summary>
    private static bool HoldsQueries<THeadDim, TFragments>() where THeadDim : IHeadDim where TFragments : ICount =>
        THeadDim.Value * TFragments.Value <= 128;

    private static void LoadQueries<A, THeadDim, TFragments>(ArrayView<A> queryRow, ArrayView<uint> q)
        where A : unmanaged
        where THeadDim : IHeadDim
        where TFragments : ICount
    {
        for (var fragment = 0; fragment < TFragments.Value; fragment++)
        {
            for (var d = 0; d < THeadDim.Value / 16; d++)
            {
                LoadQuery<A, THeadDim>(queryRow, fragment, d, q, (fragment * (THeadDim.Value / 16) + d) * 4);
            }
        }
    }

    private static void LoadQuery<A, THeadDim>(ArrayView<A> queryRow, int fragment, int d, ArrayView<uint> q, int at)
        where A : unmanaged
        where THeadDim : IHeadDim
    {
        LdMatrix.X4(queryRow.SubView(fragment * 16 * (THeadDim.Value + Pad) + 16 * d), out var q0, out var q1, out var q2, out var q3);
        q[at] = q0;
        q[at + 1] = q1;
        q[at + 2] = q2;
        q[at + 3] = q3;
    }

    /// <summary>scores = q kᵀ of one block. Score (fragment, 8 entries, c) is element c of an accumulator of 16 x 8.</summary>
    private static void Score<A, THeadDim, TFragments>(ArrayView<A> queryRow, ArrayView<uint> q, ArrayView<A> keyRow, ArrayView<float> scores)
        where A : unmanaged
        where THeadDim : IHeadDim
        where TFragments : ICount
    {
        var eights = Keys<THeadDim, TFragments>() / 8;
        var own = LocalMemory.Allocate<uint>(4 * TFragments.Value);
        for (var i = 0; i < TFragments.Value * Keys<THeadDim, TFragments>() / 2; i++)
        {
            scores[i] = 0f;
        }

        for (var d = 0; d < THeadDim.Value / 16; d++)
        {
            for (var fragment = 0; fragment < TFragments.Value; fragment++)
            {
                if (HoldsQueries<THeadDim, TFragments>())
                {
                    for (var i = 0; i < 4; i++)
                    {
                        own[4 * fragment + i] = q[(fragment * (THeadDim.Value / 16) + d) * 4 + i];
                    }
                }
                else
                {
                    LoadQuery<A, THeadDim>(queryRow, fragment, d, own, 4 * fragment);
                }
            }

            for (var pair = 0; pair < Keys<THeadDim, TFragments>() / 16; pair++)
            {
                LdMatrix.X4(keyRow.SubView(pair * 16 * (THeadDim.Value + Pad) + 16 * d), out var k0, out var k1, out var k2, out var k3);
                for (var fragment = 0; fragment < TFragments.Value; fragment++)
                {
                    Multiply<A>(scores, (fragment * eights + 2 * pair) * 4, own, 4 * fragment, k0, k1);
                    Multiply<A>(scores, (fragment * eights + 2 * pair + 1) * 4, own, 4 * fragment, k2, k3);
                }
            }
        }
    }

    private static void Multiply<A>(ArrayView<float> d, int at, ArrayView<uint> a, int left, uint b0, uint b1) where A : unmanaged =>
        Mma.M16N8K16<A>(
            ref d[at], ref d[at + 1], ref d[at + 2], ref d[at + 3], a[left], a[left + 1], a[left + 2], a[left + 3], b0, b1);

    /// <summary>Scale, soft cap and ALiBi where asked for, and -infinity for entries that a lane does not see.</summary>
    private static void ShapeScores<A, THeadDim, TFragments>(
        ArrayView<float> scores, int first, bool inPrefix, int window, ArrayView<int> lanes, int warpRow,
        float scale, bool shaped, float softCap, ArrayView<A> slopes, int firstLane, int groupHeads, int firstHead)
        where A : unmanaged
        where THeadDim : IHeadDim
        where TFragments : ICount
    {
        var eights = Keys<THeadDim, TFragments>() / 8;
        for (var fragment = 0; fragment < TFragments.Value; fragment++)
        {
            for (var half = 0; half < 2; half++)
            {
                var lane = warpRow + fragment * 16 + half * 8 + Warp.LaneIdx / 4;
                var bounds = AttentionLanes.Bounds(lanes, lane, inPrefix, window);
                var slope = slopes.Length > 0 ? Element.ToFloat(slopes[firstHead + (firstLane + lane) % groupHeads]) : 0f;
                for (var eight = 0; eight < Keys<THeadDim, TFragments>() / 8; eight++)
                {
                    for (var i = 0; i < 2; i++)
                    {
                        var at = (fragment * eights + eight) * 4 + 2 * half + i;
                        var entry = first + eight * 8 + Warp.LaneIdx % 4 * 2 + i;
                        if (shaped)
                        {
                            scores[at] = AttentionMath.Shape<A>(scores[at] * scale, softCap, slope, XMath.Abs(bounds.Centre - entry))
                                * AttentionMath.Log2E;
                        }

                        scores[at] = entry >= bounds.Low && entry <= bounds.High ? scores[at] : float.NegativeInfinity;
                    }
                }
            }
        }
    }

    /// <summary>Scores become exponentials over the new maxima, which totals and sums follow. Totals are of the thread's own entries.</summary>
    /// <param name="scores">In units of <paramref name="unit"/>.</param>
    /// <param name="unit">What makes scores exponents of 2.</param>
    /// <param name="maxima">Per row, in units.</param>
    /// <param name="totals">Per row.</param>
    /// <param name="sums">Per row and element of the head.</param>
    private static void TakeExponentials<THeadDim, TFragments>(
        ArrayView<float> scores, float unit, ArrayView<float> maxima, ArrayView<float> totals, ArrayView<float> sums)
        where THeadDim : IHeadDim
        where TFragments : ICount
    {
        var eights = Keys<THeadDim, TFragments>() / 8;
        var factors = LocalMemory.Allocate<float>(2 * TFragments.Value);
        var changed = false;
        for (var fragment = 0; fragment < TFragments.Value; fragment++)
        {
            for (var half = 0; half < 2; half++)
            {
                var greatest = XMath.Max(scores[fragment * eights * 4 + 2 * half], scores[fragment * eights * 4 + 2 * half + 1]);
                for (var eight = 1; eight < Keys<THeadDim, TFragments>() / 8; eight++)
                {
                    var at = (fragment * eights + eight) * 4 + 2 * half;
                    greatest = XMath.Max(greatest, XMath.Max(scores[at], scores[at + 1]));
                }

                var row = 2 * fragment + half;
                greatest = XMath.Max(maxima[row], WarpReduce.Quad<MaxFloat>(greatest));
                var shift = AttentionMath.Finite(greatest) * unit;
                // Exactly 1 where the maximum stays: sums are then left alone, and blocks that a lane does not see leave its bits alone.
                factors[row] = Approximate.Exp2((maxima[row] - AttentionMath.Finite(greatest)) * unit);
                changed |= factors[row] != 1f;
                maxima[row] = greatest;
                var total = totals[row] * factors[row];
                for (var eight = 0; eight < Keys<THeadDim, TFragments>() / 8; eight++)
                {
                    for (var i = 0; i < 2; i++)
                    {
                        var at = (fragment * eights + eight) * 4 + 2 * half + i;
                        scores[at] = Approximate.Exp2(XMath.Fma(scores[at], unit, -shift));
                        total += scores[at];
                    }
                }

                totals[row] = total;
            }
        }

        if (Warp.Any(changed))
        {
            for (var fragment = 0; fragment < TFragments.Value; fragment++)
            {
                for (var i = 0; i < THeadDim.Value / 2; i++)
                {
                    sums[fragment * (THeadDim.Value / 2) + i] *= factors[2 * fragment + i / 2 % 2];
                }
            }
        }
    }

    /// <summary>sums += exponentials x values of one block.</summary>
    private static void WeighValues<A, THeadDim, TFragments>(ArrayView<float> scores, ArrayView<A> valueRow, ArrayView<float> sums)
        where A : unmanaged
        where THeadDim : IHeadDim
        where TFragments : ICount
    {
        var eights = Keys<THeadDim, TFragments>() / 8;
        var weights = LocalMemory.Allocate<uint>(4 * TFragments.Value);
        for (var sixteen = 0; sixteen < Keys<THeadDim, TFragments>() / 16; sixteen++)
        {
            for (var fragment = 0; fragment < TFragments.Value; fragment++)
            {
                for (var i = 0; i < 4; i++)
                {
                    var at = (fragment * eights + 2 * sixteen) * 4 + 2 * i;
                    weights[4 * fragment + i] = Element.Pack<A>(scores[at], scores[at + 1]);
                }
            }

            for (var d = 0; d < THeadDim.Value / 16; d++)
            {
                LdMatrix.X4Transposed(
                    valueRow.SubView(sixteen * 16 * (THeadDim.Value + Pad) + 16 * d), out var v0, out var v1, out var v2, out var v3);
                for (var fragment = 0; fragment < TFragments.Value; fragment++)
                {
                    Multiply<A>(sums, (fragment * (THeadDim.Value / 8) + 2 * d) * 4, weights, 4 * fragment, v0, v1);
                    Multiply<A>(sums, (fragment * (THeadDim.Value / 8) + 2 * d + 1) * 4, weights, 4 * fragment, v2, v3);
                }
            }
        }
    }

    /// <summary>Writes results by way of the warp's own rows of the queries' shared memory, so that rows are written 16 bytes at a time; or a part.</summary>
    private static void Finish<A, THeadDim, TFragments>(
        AttentionTile tile, ArrayView<int> list, ArrayView<int> lanes, int warpRow, int headDim, int firstHead, int groupHeads, int heads,
        int mergedRows, float unit,
        ArrayView<float> maxima, ArrayView<float> totals, ArrayView<float> sums, ArrayView<A> staging,
        ArrayView<float> partials, ArrayView<float> states,
        ArrayView<A> destination, long destinationRowStride, int destinationHeadStride)
        where A : unmanaged
        where THeadDim : IHeadDim
        where TFragments : ICount
    {
        var stride = THeadDim.Value + Pad;
        // The warp's queries have been read by all of its lanes.
        Warp.Barrier();
        for (var row = 0; row < 2 * TFragments.Value; row++)
        {
            var total = WarpReduce.Quad<AddFloat>(totals[row]);
            var warpLane = row * 8 + Warp.LaneIdx / 4;
            if (tile.Mode == AttentionTile.Whole)
            {
                var factor = 1f / total;
                for (var eight = 0; eight < THeadDim.Value / 8; eight++)
                {
                    var at = (row / 2 * (THeadDim.Value / 8) + eight) * 4 + row % 2 * 2;
                    staging.Cast<uint>()[(warpLane * stride + eight * 8) / 2 + Warp.LaneIdx % 4] =
                        Element.Pack<A>(sums[at] * factor, sums[at + 1] * factor);
                }
            }
            else if (warpRow + warpLane < tile.Lanes)
            {
                var lane = warpRow + warpLane;
                var head = firstHead + (tile.FirstLane + lane) % groupHeads;
                var state = tile.Partial(lane, groupHeads, head, list, mergedRows, heads);
                var target = partials.SubView(state * headDim).Cast<Vec2<float>>();
                for (var eight = 0; eight < THeadDim.Value / 8; eight++)
                {
                    var at = (row / 2 * (THeadDim.Value / 8) + eight) * 4 + row % 2 * 2;
                    var pair = default(Vec2<float>);
                    pair[0] = sums[at];
                    pair[1] = sums[at + 1];
                    if (eight * 8 < headDim)
                    {
                        target[eight * 4 + Warp.LaneIdx % 4] = pair;
                    }
                }

                if (Warp.LaneIdx % 4 == 0)
                {
                    states[2 * state] = maxima[row] * unit;
                    states[2 * state + 1] = total;
                }
            }
        }

        if (tile.Mode == AttentionTile.Whole)
        {
            Warp.Barrier();
            for (var i = Warp.LaneIdx; i < 16 * TFragments.Value * (THeadDim.Value / 8); i += 32)
            {
                var warpLane = i / (THeadDim.Value / 8);
                var d = i % (THeadDim.Value / 8) * 8;
                var lane = warpRow + warpLane;
                if (lane < tile.Lanes && d < headDim)
                {
                    var head = firstHead + (tile.FirstLane + lane) % groupHeads;
                    var target = destination.SubView(
                        lanes[lane * AttentionTile.LaneSize] * destinationRowStride + (long)head * destinationHeadStride + d);
                    target.Cast<Vec8<A>>()[0] = staging.SubView(warpLane * stride + d).Cast<Vec8<A>>()[0];
                }
            }
        }
    }
}
