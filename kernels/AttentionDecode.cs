// Attention of few lanes over many keys: what a decode step does. Bound by the bytes of keys and values, so each is read once for all
// lanes of its key-value head, and the keys are split over groups. Flash-Decoding, Dao et al. 2023.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>The attention kernel of decode steps.</summary>
public static class AttentionDecode
{
    /// <summary>Most entries of a part: one group scores them all before it takes their exponentials.</summary>
    public const int Chunk = 256;

    private const int Warps = 4;

    /// <summary>Softmax attention of a tile of up to <typeparamref name="TLanes"/> lanes over at most <see cref="Chunk"/> entries, in three
    /// steps: scores of all entries, exponentials over their maximum, weighted values.</summary>
    /// <remarks>
    /// Grid: x tiles, y key-value heads, z parts; a tile of mode whole has no prefix and at most <see cref="Chunk"/> own entries.
    /// Group: 128 threads; the vectors of 16 bytes of a key lie across 4 to 32 threads of a warp. Shared: (256 + 4 x head_dim) x 4 bytes per lane.
    /// Reads 2 x entries x head_dim elements per key-value head, each once, and head_dim per lane; writes (head_dim + 2) x 4 bytes per lane and part.
    /// FLOPs: 4 x entries x head_dim per lane. Parameters: <see cref="AttentionRows.AttentionRowsKernel"/>; heads begin at multiples of 16 bytes.
    /// </remarks>
    [Kernel(128, MinGroups = 3)]
    [Instance(typeof(float), typeof(HeadDim64), typeof(Count4)), Instance(typeof(float), typeof(HeadDim64), typeof(Count8))]
    [Instance(typeof(float), typeof(HeadDim128), typeof(Count4)), Instance(typeof(float), typeof(HeadDim128), typeof(Count8))]
    [Instance(typeof(float), typeof(HeadDim256), typeof(Count4)), Instance(typeof(float), typeof(HeadDim256), typeof(Count8))]
    [Instance(typeof(BFloat16), typeof(HeadDim64), typeof(Count4)), Instance(typeof(BFloat16), typeof(HeadDim64), typeof(Count8))]
    [Instance(typeof(BFloat16), typeof(HeadDim128), typeof(Count4)), Instance(typeof(BFloat16), typeof(HeadDim128), typeof(Count8))]
    [Instance(typeof(BFloat16), typeof(HeadDim256), typeof(Count4)), Instance(typeof(BFloat16), typeof(HeadDim256), typeof(Count8))]
    [Instance(typeof(Half), typeof(HeadDim64), typeof(Count4)), Instance(typeof(Half), typeof(HeadDim64), typeof(Count8))]
    [Instance(typeof(Half), typeof(HeadDim128), typeof(Count4)), Instance(typeof(Half), typeof(HeadDim128), typeof(Count8))]
    [Instance(typeof(Half), typeof(HeadDim256), typeof(Count4)), Instance(typeof(Half), typeof(HeadDim256), typeof(Count8))]
    public static void AttentionDecodeKernel<A, THeadDim, TLanes>(
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
        var inPrefix = tile.Mode == AttentionTile.PrefixPart;
        var first = inPrefix ? keys.PrefixFirst : keys.OwnFirst;
        var end = inPrefix ? keys.PrefixEnd : keys.OwnEnd;
        if (first >= end)
        {
            return;
        }

        var scores = SharedMemory.Allocate<float>(TLanes.Value * Chunk);
        var state = SharedMemory.Allocate<float>(TLanes.Value * 2);
        var gathered = SharedMemory.Allocate<float>(Warps * TLanes.Value * THeadDim.Value);
        var groupHeads = heads / kvHeads;
        var keyHead = inPrefix
            ? ((long)tile.PrefixSlot * kvHeads + Grid.IdxY) * prefixHeadStride
            : ((long)tile.Slot * kvHeads + Grid.IdxY) * keyHeadStride;
        var entryStride = inPrefix ? prefixEntryStride : keyEntryStride;

        ScoreKeys<A, THeadDim, TLanes>(
            query, queryRowStride, queryHeadStride, headDim, inPrefix ? prefixKey : key, keyHead, entryStride, first, end, tile, list, groupHeads, scores);
        Group.Barrier();
        for (var lane = Warp.WarpIdx; lane < TLanes.Value; lane += Warps)
        {
            // Lanes past the tile's last take the last one's place, and are not written.
            var tileLane = XMath.Min(lane, tile.Lanes - 1);
            var listed = tile.Listed(tileLane, groupHeads);
            var bounds = AttentionLane.Of(inPrefix, list[listed + 1], list[listed + 2], list[listed + 3], window);
            var slope = slopes.Length > 0 ? Element.ToFloat(slopes[Grid.IdxY * groupHeads + (tile.FirstLane + tileLane) % groupHeads]) : 0f;
            TakeExponentials<A>(scores.SubView(lane * Chunk), state.SubView(2 * lane), first, end, bounds, scale, softCap, slope);
        }

        Group.Barrier();
        WeighValues<A, THeadDim, TLanes>(inPrefix ? prefixValue : value, keyHead, entryStride, headDim, first, end, scores, gathered);
        Group.Barrier();
        for (var i = Group.IdxX; i < tile.Lanes * THeadDim.Value; i += Group.DimX)
        {
            var lane = i / THeadDim.Value;
            var d = i % THeadDim.Value;
            var sum = gathered[i];
            for (var warp = 1; warp < Warps; warp++)
            {
                sum += gathered[warp * TLanes.Value * THeadDim.Value + i];
            }

            var row = list[tile.Listed(lane, groupHeads)];
            var head = Grid.IdxY * groupHeads + (tile.FirstLane + lane) % groupHeads;
            if (d >= headDim)
            {
                continue;
            }

            if (tile.Mode == AttentionTile.Whole)
            {
                destination[row * destinationRowStride + (long)head * destinationHeadStride + d] =
                    Element.FromFloat<A>(sum * (1f / state[2 * lane + 1]));
            }
            else
            {
                var at = tile.Partial(lane, groupHeads, head, list, mergedRows, heads);
                partials[at * headDim + d] = sum;
                if (d < 2)
                {
                    states[2 * at + d] = state[2 * lane + d];
                }
            }
        }
    }

    /// <summary>What <see cref="AttentionDecodeKernel"/> costs; parameters as of <see cref="AttentionRows.Cost"/>.</summary>
    public static KernelCost Cost(long lanes, long visible, long distinct, int headDim, int elementBytes) =>
        AttentionRows.Cost(lanes, visible, distinct, headDim, elementBytes);

    /// <summary>Threads that one key lies across: its vectors, rounded up to a power of two, at most a warp.</summary>
    private static int KeyThreads<A, THeadDim>() where A : unmanaged where THeadDim : IHeadDim =>
        HeadVectors<A, THeadDim>() > 16 ? 32 : HeadVectors<A, THeadDim>() > 8 ? 16 : HeadVectors<A, THeadDim>() > 4 ? 8 : 4;

    private static int HeadVectors<A, THeadDim>() where A : unmanaged where THeadDim : IHeadDim =>
        THeadDim.Value / Vectors.Chunk<A>();

    /// <summary>Vectors of a key that one thread reads.</summary>
    private static int VectorsPerThread<A, THeadDim>() where A : unmanaged where THeadDim : IHeadDim =>
        (HeadVectors<A, THeadDim>() + 31) / 32;

    /// <summary>Keys that a thread has under way at a time.</summary>
    private static int KeysAtOnce<TLanes>() where TLanes : ICount => TLanes.Value <= 2 ? 8 : 4;

    /// <summary>scores[lane][entry - first] = q . k, unscaled.</summary>
    private static void ScoreKeys<A, THeadDim, TLanes>(
        ArrayView<A> query, long queryRowStride, int queryHeadStride, int headDim, ArrayView<A> key, long keyHead, int entryStride, int first, int end,
        AttentionTile tile, ArrayView<int> list, int groupHeads, ArrayView<float> scores)
        where A : unmanaged
        where THeadDim : IHeadDim
        where TLanes : ICount
    {
        var threads = KeyThreads<A, THeadDim>();
        var length = Vectors.Chunk<A>();
        var width = VectorsPerThread<A, THeadDim>() * length;
        var unroll = KeysAtOnce<TLanes>();
        var thread = Warp.LaneIdx % threads;
        var q = LocalMemory.Allocate<float>(TLanes.Value * VectorsPerThread<A, THeadDim>() * Vectors.Chunk<A>());
        for (var lane = 0; lane < TLanes.Value; lane++)
        {
            var tileLane = XMath.Min(lane, tile.Lanes - 1);
            var row = list[tile.Listed(tileLane, groupHeads)];
            var head = Grid.IdxY * groupHeads + (tile.FirstLane + tileLane) % groupHeads;
            LoadPart<A, THeadDim>(query, row * queryRowStride + (long)head * queryHeadStride, headDim, thread, q, lane * width);
        }

        var k = LocalMemory.Allocate<float>(VectorsPerThread<A, THeadDim>() * Vectors.Chunk<A>());
        var dots = LocalMemory.Allocate<float>(KeysAtOnce<TLanes>() * TLanes.Value);
        var keysPerStep = 32 / threads;
        var keysPerTurn = keysPerStep * unroll;
        for (var turn = first + Warp.WarpIdx * keysPerTurn; turn < end; turn += Warps * keysPerTurn)
        {
            for (var u = 0; u < KeysAtOnce<TLanes>(); u++)
            {
                var entry = XMath.Min(turn + u * keysPerStep + Warp.LaneIdx / threads, end - 1);
                LoadPart<A, THeadDim>(key, keyHead + (long)entry * entryStride, headDim, thread, k, 0);
                for (var lane = 0; lane < TLanes.Value; lane++)
                {
                    var dot = 0f;
                    for (var i = 0; i < VectorsPerThread<A, THeadDim>() * Vectors.Chunk<A>(); i++)
                    {
                        dot = XMath.Fma(q[lane * width + i], k[i], dot);
                    }

                    dots[u * TLanes.Value + lane] = dot;
                }
            }

            ReduceKeys<A, THeadDim, TLanes>(dots);
            StoreScores<A, THeadDim, TLanes>(dots, scores, turn - first, end - first);
        }
    }

    /// <summary>Sums dots over the threads of a key. While there are several values, each step halves both threads and values: a thread
    /// keeps one half and gives the other away, so that n values cost about n exchanges instead of n log2(threads).</summary>
    private static void ReduceKeys<A, THeadDim, TLanes>(ArrayView<float> dots)
        where A : unmanaged
        where THeadDim : IHeadDim
        where TLanes : ICount
    {
        for (var step = 0; step < 5; step++)
        {
            var distance = KeyThreads<A, THeadDim>() >> (step + 1);
            var half = (KeysAtOnce<TLanes>() * TLanes.Value) >> (step + 1);
            if (distance > 0 && half > 0)
            {
                var upper = (Warp.LaneIdx & distance) != 0;
                for (var i = 0; i < half; i++)
                {
                    var kept = upper ? dots[i + half] : dots[i];
                    var given = upper ? dots[i] : dots[i + half];
                    dots[i] = kept + Warp.ShuffleXor(given, distance);
                }
            }
            else if (distance > 0)
            {
                dots[0] += Warp.ShuffleXor(dots[0], distance);
            }
        }
    }

    /// <summary>Writes what <see cref="ReduceKeys"/> left: thread t of a key's n holds the values from t * count / n on.</summary>
    private static void StoreScores<A, THeadDim, TLanes>(ArrayView<float> dots, ArrayView<float> scores, int turn, int count)
        where A : unmanaged
        where THeadDim : IHeadDim
        where TLanes : ICount
    {
        var threads = KeyThreads<A, THeadDim>();
        var values = KeysAtOnce<TLanes>() * TLanes.Value;
        var thread = Warp.LaneIdx % threads;
        // Where there are fewer values than threads, some threads hold the same one.
        var copies = threads > values ? threads / values : 1;
        for (var i = 0; i < (values > threads ? values / threads : 1); i++)
        {
            var index = thread * values / threads + i;
            var entry = turn + index / TLanes.Value * (32 / threads) + Warp.LaneIdx / threads;
            if (entry < count && thread % copies == 0)
            {
                scores[index % TLanes.Value * Chunk + entry] = dots[i];
            }
        }
    }

    /// <summary>Turns the scores of one lane into exponentials over their maximum, 0 where unseen; state receives maximum and sum.</summary>
    private static void TakeExponentials<A>(
        ArrayView<float> scores, ArrayView<float> state, int first, int end, AttentionLane bounds, float scale, float softCap, float slope)
        where A : unmanaged
    {
        var values = LocalMemory.Allocate<float>(Chunk / 32);
        var maximum = float.NegativeInfinity;
        for (var i = 0; i < Chunk / 32; i++)
        {
            var entry = first + Warp.LaneIdx + 32 * i;
            values[i] = float.NegativeInfinity;
            if (entry < end && entry >= bounds.Low && entry <= bounds.High)
            {
                values[i] = AttentionMath.Shape<A>(
                    scores[Warp.LaneIdx + 32 * i] * scale, softCap, slope, XMath.Abs(bounds.Centre - entry)) * AttentionMath.Unit<A>();
            }

            maximum = XMath.Max(maximum, values[i]);
        }

        maximum = WarpReduce.Max(maximum);
        var sum = 0f;
        for (var i = 0; i < Chunk / 32; i++)
        {
            values[i] = AttentionMath.Exponential<A>(values[i] - AttentionMath.Finite(maximum));
            scores[Warp.LaneIdx + 32 * i] = values[i];
            sum += values[i];
        }

        sum = WarpReduce.Sum(sum);
        if (Warp.LaneIdx == 0)
        {
            state[0] = maximum;
            state[1] = sum;
        }
    }

    /// <summary>gathered[warp][lane][d] = sum of the warp's values, weighted.</summary>
    private static void WeighValues<A, THeadDim, TLanes>(
        ArrayView<A> value, long keyHead, int entryStride, int headDim, int first, int end, ArrayView<float> weights, ArrayView<float> gathered)
        where A : unmanaged
        where THeadDim : IHeadDim
        where TLanes : ICount
    {
        var threads = KeyThreads<A, THeadDim>();
        var width = VectorsPerThread<A, THeadDim>() * Vectors.Chunk<A>();
        var thread = Warp.LaneIdx % threads;
        var sums = LocalMemory.Allocate<float>(TLanes.Value * VectorsPerThread<A, THeadDim>() * Vectors.Chunk<A>());
        for (var i = 0; i < TLanes.Value * VectorsPerThread<A, THeadDim>() * Vectors.Chunk<A>(); i++)
        {
            sums[i] = 0f;
        }

        var v = LocalMemory.Allocate<float>(VectorsPerThread<A, THeadDim>() * Vectors.Chunk<A>());
        var keysPerStep = 32 / threads;
        var keysPerTurn = keysPerStep * KeysAtOnce<TLanes>();
        for (var turn = first + Warp.WarpIdx * keysPerTurn; turn < end; turn += Warps * keysPerTurn)
        {
            for (var u = 0; u < KeysAtOnce<TLanes>(); u++)
            {
                var entry = turn + u * keysPerStep + Warp.LaneIdx / threads;
                LoadPart<A, THeadDim>(value, keyHead + (long)XMath.Min(entry, end - 1) * entryStride, headDim, thread, v, 0);
                for (var lane = 0; lane < TLanes.Value; lane++)
                {
                    var weight = entry < end ? weights[lane * Chunk + entry - first] : 0f;
                    for (var i = 0; i < VectorsPerThread<A, THeadDim>() * Vectors.Chunk<A>(); i++)
                    {
                        sums[lane * width + i] = XMath.Fma(weight, v[i], sums[lane * width + i]);
                    }
                }
            }
        }

        for (var i = 0; i < TLanes.Value * VectorsPerThread<A, THeadDim>() * Vectors.Chunk<A>(); i++)
        {
            for (var step = 0; step < 3; step++)
            {
                var distance = KeyThreads<A, THeadDim>() << step;
                if (distance < 32)
                {
                    sums[i] += Warp.ShuffleXor(sums[i], distance);
                }
            }
        }

        if (Warp.LaneIdx < threads)
        {
            for (var lane = 0; lane < TLanes.Value; lane++)
            {
                for (var part = 0; part < VectorsPerThread<A, THeadDim>(); part++)
                {
                    var vector = thread + part * threads;
                    if (vector < HeadVectors<A, THeadDim>())
                    {
                        for (var i = 0; i < Vectors.Chunk<A>(); i++)
                        {
                            gathered[(Warp.WarpIdx * TLanes.Value + lane) * THeadDim.Value + vector * Vectors.Chunk<A>() + i] =
                                sums[lane * width + part * Vectors.Chunk<A>() + i];
                        }
                    }
                }
            }
        }
    }

    /// <summary>The vectors of a head that one thread holds; zeros past the head's end.</summary>
    private static void LoadPart<A, THeadDim>(ArrayView<A> source, long offset, int headDim, int thread, ArrayView<float> target, int at)
        where A : unmanaged
        where THeadDim : IHeadDim
    {
        for (var part = 0; part < VectorsPerThread<A, THeadDim>(); part++)
        {
            var d = (thread + part * KeyThreads<A, THeadDim>()) * Vectors.Chunk<A>();
            for (var i = 0; i < Vectors.Chunk<A>(); i++)
            {
                target[at + part * Vectors.Chunk<A>() + i] = 0f;
            }

            if (d < headDim)
            {
                Vectors.Load(source.SubView(offset + d), target.SubView(at + part * Vectors.Chunk<A>()), Vectors.Chunk<A>());
            }
        }
    }
}
