// Attention of many lanes with F32 activations: register tiles of fused multiply-adds, exact exponentials, no tensor cores.
// FlashAttention-2: Dao 2023, arXiv:2307.08691.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>The attention kernel of prefill in F32.</summary>
public static class AttentionTileF32
{
    /// <summary>Entries of a block.</summary>
    public const int Keys = 64;

    private const int Threads = 256;

    /// <summary>Floats from row to row of the exponentials: rows of the two half-warps lie 16 banks apart.</summary>
    private const int WeightStride = Keys + 16;

    /// <summary>Softmax attention of a tile of 16 x <typeparamref name="TLanes"/> lanes.</summary>
    /// <remarks>
    /// Thread (y, x) of 16 x 16 holds lanes y, y + 16, ... and entries x, x + 16, ... of the scores, and a sixteenth of the head of its lanes' sums.
    /// Keys and queries lie in shared memory with 4 floats between rows, so that neither half-warps nor threads meet in a bank.
    /// The next keys are on their way while values are weighed, and values while scores are made.
    /// Grid: x tiles, y key-value heads, z parts. Group: 256 threads. Shared: <see cref="SharedBytes"/>.
    /// Reads 2 x entries x head_dim floats per tile and head_dim per lane; writes head_dim floats per lane (a part: head_dim + 2).
    /// FLOPs: 4 x entries x head_dim per lane. Parameters: <see cref="AttentionRows.AttentionRowsKernel"/>; heads begin at multiples of 16 bytes.
    /// </remarks>
    [Kernel(Threads)]
    [Instance(typeof(float), typeof(HeadDim64), typeof(Count2)), Instance(typeof(float), typeof(HeadDim64), typeof(Count8))]
    [Instance(typeof(float), typeof(HeadDim128), typeof(Count2)), Instance(typeof(float), typeof(HeadDim128), typeof(Count8))]
    [Instance(typeof(float), typeof(HeadDim256), typeof(Count2)), Instance(typeof(float), typeof(HeadDim256), typeof(Count4))]
    public static void AttentionTileKernel<A, THeadDim, TLanes>(
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
        where TLanes : ICount
    {
        var tile = AttentionTile.Read(tiles, firstTile + Grid.IdxX);
        var keys = AttentionKeys.Of(tile, Grid.IdxZ, window, prefixParts, prefixChunk, ownChunk);
        var blocks = AttentionBlocks.Of(tile, keys, window, Keys);
        if (blocks.Count == 0)
        {
            return;
        }

        var groupHeads = heads / kvHeads;
        var shared = SharedMemory.GetDynamic<float>();
        var queries = shared;
        var keyTile = queries.SubView(16 * TLanes.Value * (THeadDim.Value + 4));
        var valueTile = keyTile.SubView(Keys * (THeadDim.Value + 4));
        var weights = valueTile.SubView(Keys * THeadDim.Value);
        var lanes = weights.SubView(16 * TLanes.Value * WeightStride).Cast<int>();
        var prefixHead = ((long)tile.PrefixSlot * kvHeads + Grid.IdxY) * prefixHeadStride;
        var ownHead = ((long)tile.Slot * kvHeads + Grid.IdxY) * keyHeadStride;

        AttentionLanes.Fill(tile, list, groupHeads, 16 * TLanes.Value, lanes);
        Group.Barrier();
        AttentionCopies.Queries<float, THeadDim>(
            query.Cast<float>(), queryRowStride, queryHeadStride, headDim, tile, Grid.IdxY * groupHeads, groupHeads, lanes,
            16 * TLanes.Value, queries, THeadDim.Value + 4);
        AttentionCopies.Entries<float, THeadDim>(
            (blocks.PrefixCount > 0 ? prefixKey : key).Cast<float>(), blocks.PrefixCount > 0 ? prefixHead : ownHead,
            blocks.PrefixCount > 0 ? prefixEntryStride : keyEntryStride, headDim, blocks.First(0, Keys),
            blocks.PrefixCount > 0 ? keys.PrefixEnd : keys.OwnEnd, Keys, keyTile, THeadDim.Value + 4);
        AsyncCopy.Commit();

        var scores = LocalMemory.Allocate<float>(4 * TLanes.Value);
        var sums = LocalMemory.Allocate<float>(TLanes.Value * THeadDim.Value / 16);
        var maxima = LocalMemory.Allocate<float>(TLanes.Value);
        var totals = LocalMemory.Allocate<float>(TLanes.Value);
        for (var i = 0; i < TLanes.Value; i++)
        {
            maxima[i] = float.NegativeInfinity;
            totals[i] = 0f;
        }

        for (var i = 0; i < TLanes.Value * THeadDim.Value / 16; i++)
        {
            sums[i] = 0f;
        }

        for (var block = 0; block < blocks.Count; block++)
        {
            var inPrefix = block < blocks.PrefixCount;
            var first = blocks.First(block, Keys);
            var end = inPrefix ? keys.PrefixEnd : keys.OwnEnd;
            AsyncCopy.Wait(0);
            Group.Barrier();
            AttentionCopies.Entries<float, THeadDim>(
                (inPrefix ? prefixValue : value).Cast<float>(), inPrefix ? prefixHead : ownHead,
                inPrefix ? prefixEntryStride : keyEntryStride, headDim, first, end, Keys, valueTile, THeadDim.Value);
            AsyncCopy.Commit();

            Score<THeadDim, TLanes>(queries, keyTile, scores);
            for (var i = 0; i < 4 * TLanes.Value; i++)
            {
                scores[i] *= scale;
            }

            if (softCap > 0 || slopes.Length > 0 || blocks.NeedsMask(block, Keys))
            {
                ShapeScores<A, TLanes>(
                    scores, first, inPrefix, window, lanes, softCap, slopes, tile.FirstLane, groupHeads, Grid.IdxY * groupHeads);
            }

            TakeExponentials<THeadDim, TLanes>(scores, maxima, totals, sums, weights);
            AsyncCopy.Wait(0);
            Group.Barrier();
            var next = block + 1;
            if (next < blocks.Count)
            {
                var nextInPrefix = next < blocks.PrefixCount;
                AttentionCopies.Entries<float, THeadDim>(
                    (nextInPrefix ? prefixKey : key).Cast<float>(), nextInPrefix ? prefixHead : ownHead,
                    nextInPrefix ? prefixEntryStride : keyEntryStride, headDim, blocks.First(next, Keys),
                    nextInPrefix ? keys.PrefixEnd : keys.OwnEnd, Keys, keyTile, THeadDim.Value + 4);
            }

            AsyncCopy.Commit();
            WeighValues<THeadDim, TLanes>(weights, valueTile, XMath.Min(Keys, end - first), sums);
        }

        Finish<A, THeadDim, TLanes>(
            tile, list, lanes, headDim, groupHeads, heads, mergedRows, maxima, totals, sums, partials, states,
            destination, destinationRowStride, destinationHeadStride);
    }

    /// <summary>Dynamic shared memory.</summary>
    /// <param name="headDim">Most elements of a head: the value of THeadDim.</param>
    /// <param name="lanes">Lanes of a thread: the value of TLanes.</param>
    public static int SharedBytes(int headDim, int lanes) =>
        4 * (16 * lanes * (headDim + 4) + Keys * (headDim + 4) + Keys * headDim + 16 * lanes * (WeightStride + 4));

    /// <summary>What <see cref="AttentionTileKernel"/> costs; parameters as of <see cref="AttentionRows.Cost"/>.</summary>
    public static KernelCost Cost(long lanes, long visible, long distinct, int headDim, int elementBytes) =>
        AttentionRows.Cost(lanes, visible, distinct, headDim, elementBytes);

    /// <summary>scores[lane, entry] = q . k.</summary>
    private static void Score<THeadDim, TLanes>(ArrayView<float> queries, ArrayView<float> keys, ArrayView<float> scores)
        where THeadDim : IHeadDim
        where TLanes : ICount
    {
        var q = LocalMemory.Allocate<float>(4);
        var k = LocalMemory.Allocate<float>(16);
        var laneRow = queries.SubView(Group.IdxX / 16 * (THeadDim.Value + 4));
        var keyRow = keys.SubView(Group.IdxX % 16 * (THeadDim.Value + 4));
        for (var i = 0; i < 4 * TLanes.Value; i++)
        {
            scores[i] = 0f;
        }

        for (var d = 0; d < THeadDim.Value; d += 4)
        {
            for (var j = 0; j < 4; j++)
            {
                Vectors.Load(keyRow.SubView(16 * j * (THeadDim.Value + 4) + d), k.SubView(4 * j), 4);
            }

            for (var i = 0; i < TLanes.Value; i++)
            {
                Vectors.Load(laneRow.SubView(16 * i * (THeadDim.Value + 4) + d), q, 4);
                for (var j = 0; j < 4; j++)
                {
                    for (var e = 0; e < 4; e++)
                    {
                        scores[4 * i + j] = XMath.Fma(q[e], k[4 * j + e], scores[4 * i + j]);
                    }
                }
            }
        }
    }

    private static void ShapeScores<A, TLanes>(
        ArrayView<float> scores, int first, bool inPrefix, int window, ArrayView<int> lanes, float softCap, ArrayView<A> slopes,
        int firstLane, int groupHeads, int firstHead)
        where A : unmanaged
        where TLanes : ICount
    {
        for (var i = 0; i < TLanes.Value; i++)
        {
            var lane = Group.IdxX / 16 + 16 * i;
            var bounds = AttentionLanes.Bounds(lanes, lane, inPrefix, window);
            var slope = slopes.Length > 0 ? Element.ToFloat(slopes[firstHead + (firstLane + lane) % groupHeads]) : 0f;
            for (var j = 0; j < 4; j++)
            {
                var entry = first + Group.IdxX % 16 + 16 * j;
                var score = AttentionMath.Shape<float>(scores[4 * i + j], softCap, slope, XMath.Abs(bounds.Centre - entry));
                scores[4 * i + j] = entry >= bounds.Low && entry <= bounds.High ? score : float.NegativeInfinity;
            }
        }
    }

    /// <summary>Scores become exponentials in shared memory; maxima, totals and sums follow the new maxima.</summary>
    private static void TakeExponentials<THeadDim, TLanes>(
        ArrayView<float> scores, ArrayView<float> maxima, ArrayView<float> totals, ArrayView<float> sums, ArrayView<float> weights)
        where THeadDim : IHeadDim
        where TLanes : ICount
    {
        var row = weights.SubView(Group.IdxX / 16 * WeightStride + Group.IdxX % 16);
        for (var i = 0; i < TLanes.Value; i++)
        {
            var greatest = XMath.Max(
                XMath.Max(scores[4 * i], scores[4 * i + 1]), XMath.Max(scores[4 * i + 2], scores[4 * i + 3]));
            greatest = XMath.Max(greatest, Warp.ShuffleXor(greatest, 8));
            greatest = XMath.Max(greatest, Warp.ShuffleXor(greatest, 4));
            greatest = XMath.Max(greatest, Warp.ShuffleXor(greatest, 2));
            greatest = XMath.Max(greatest, Warp.ShuffleXor(greatest, 1));
            greatest = XMath.Max(greatest, maxima[i]);
            var finite = AttentionMath.Finite(greatest);
            var factor = XMath.Exp(maxima[i] - finite);
            maxima[i] = greatest;
            totals[i] *= factor;
            for (var j = 0; j < 4; j++)
            {
                var weight = XMath.Exp(scores[4 * i + j] - finite);
                totals[i] += weight;
                row[16 * i * WeightStride + 16 * j] = weight;
            }

            for (var j = 0; j < THeadDim.Value / 16; j++)
            {
                sums[i * (THeadDim.Value / 16) + j] *= factor;
            }
        }
    }

    /// <summary>sums += weights x values.</summary>
    private static void WeighValues<THeadDim, TLanes>(ArrayView<float> weights, ArrayView<float> values, int count, ArrayView<float> sums)
        where THeadDim : IHeadDim
        where TLanes : ICount
    {
        var w = LocalMemory.Allocate<float>(4 * TLanes.Value);
        var v = LocalMemory.Allocate<float>(THeadDim.Value / 16);
        var row = weights.SubView(Group.IdxX / 16 * WeightStride);
        for (var entry = 0; entry < count; entry += 4)
        {
            for (var i = 0; i < TLanes.Value; i++)
            {
                Vectors.Load(row.SubView(16 * i * WeightStride + entry), w.SubView(4 * i), 4);
            }

            for (var e = 0; e < 4; e++)
            {
                for (var part = 0; part < THeadDim.Value / 64; part++)
                {
                    Vectors.Load(values.SubView((entry + e) * THeadDim.Value + 64 * part + Group.IdxX % 16 * 4), v.SubView(4 * part), 4);
                }

                for (var i = 0; i < TLanes.Value; i++)
                {
                    for (var j = 0; j < THeadDim.Value / 16; j++)
                    {
                        sums[i * (THeadDim.Value / 16) + j] = XMath.Fma(w[4 * i + e], v[j], sums[i * (THeadDim.Value / 16) + j]);
                    }
                }
            }
        }
    }

    private static void Finish<A, THeadDim, TLanes>(
        AttentionTile tile, ArrayView<int> list, ArrayView<int> lanes, int headDim, int groupHeads, int heads, int mergedRows,
        ArrayView<float> maxima, ArrayView<float> totals, ArrayView<float> sums, ArrayView<float> partials, ArrayView<float> states,
        ArrayView<A> destination, long destinationRowStride, int destinationHeadStride)
        where A : unmanaged
        where THeadDim : IHeadDim
        where TLanes : ICount
    {
        for (var i = 0; i < TLanes.Value; i++)
        {
            var total = totals[i];
            total += Warp.ShuffleXor(total, 8);
            total += Warp.ShuffleXor(total, 4);
            total += Warp.ShuffleXor(total, 2);
            total += Warp.ShuffleXor(total, 1);
            var lane = Group.IdxX / 16 + 16 * i;
            var row = lanes[lane * AttentionTile.LaneSize];
            var head = Grid.IdxY * groupHeads + (tile.FirstLane + lane) % groupHeads;
            var state = tile.Partial(XMath.Min(lane, tile.Lanes - 1), groupHeads, head, list, mergedRows, heads);
            var whole = tile.Mode == AttentionTile.Whole;
            var factor = whole ? 1f / total : 1f;
            if (lane < tile.Lanes)
            {
                var target = whole
                    ? destination.Cast<float>().SubView(row * destinationRowStride + (long)head * destinationHeadStride)
                    : partials.SubView(state * headDim);
                for (var part = 0; part < THeadDim.Value / 64; part++)
                {
                    var d = 64 * part + Group.IdxX % 16 * 4;
                    var vector = default(Vec4<float>);
                    for (var e = 0; e < 4; e++)
                    {
                        vector[e] = sums[i * (THeadDim.Value / 16) + 4 * part + e] * factor;
                    }

                    if (d < headDim)
                    {
                        target.SubView(d).Cast<Vec4<float>>()[0] = vector;
                    }
                }

                if (!whole && Group.IdxX % 16 == 0)
                {
                    states[2 * state] = maxima[i];
                    states[2 * state + 1] = total;
                }
            }
        }
    }
}
