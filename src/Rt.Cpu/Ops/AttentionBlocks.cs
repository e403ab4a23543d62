// The loop over blocks of keys of one attention tile: scores, running softmax, weighted values.
// Many lanes: Sᵀ = K Qᵀ and O += P V by register tiles, softmax down the keys with one lane per query. Few lanes: dot products.
using System.Runtime.CompilerServices;
using Rt.Core;

namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    /// <param name="lanes">Queries and the state so far.</param>
    /// <param name="key">Keys of one head.</param>
    /// <param name="value">Values of one head.</param>
    /// <param name="nextKey">Keys of the head that comes after this one; null for none.</param>
    /// <param name="stride">Elements between entries.</param>
    /// <param name="softCap">0 for none.</param>
    /// <param name="alibi">Whether lanes have slopes.</param>
    /// <param name="dots">Whether lanes are few.</param>
    private static void Attend(
        ref AttentionLanes lanes, float* key, float* value, float* nextKey, nint stride, float softCap, bool alibi, bool dots)
    {
        // Bounds of the tile: the first key that any lane sees, the last, and the stretch that all lanes see.
        int low = int.MaxValue, high = -1, commonLow = 0, commonHigh = int.MaxValue;
        for (var i = 0; i < lanes.Count; i++)
        {
            low = Math.Min(low, (int)lanes.Low[i]);
            high = Math.Max(high, (int)lanes.High[i]);
            commonLow = Math.Max(commonLow, (int)lanes.Low[i]);
            commonHigh = Math.Min(commonHigh, (int)lanes.High[i]);
        }

        var start = low / KeyBlock * KeyBlock;
        for (var first = start; first <= high; first += KeyBlock)
        {
            var count = Math.Min(KeyBlock, high + 1 - first);
            var masked = first < commonLow || first + count - 1 > commonHigh;
            if (dots)
            {
                var upcoming = first + KeyBlock <= high
                    ? Upcoming(key, stride, lanes.HeadDim, first + KeyBlock, Math.Min(first + 2 * KeyBlock, high + 1))
                    : Upcoming(nextKey, stride, lanes.HeadDim, start, nextKey == null ? start : Math.Min(start + KeyBlock, high + 1));
                AttendBlockByDots(ref lanes, key + first * stride, value + first * stride, stride, first, count, softCap, alibi, upcoming);
            }
            else
            {
                AttendBlock(ref lanes, key + first * stride, value + first * stride, stride, first, count, softCap, alibi, masked);
            }
        }
    }

    private static void AttendBlock(
        ref AttentionLanes lanes, float* key, float* value, nint stride, int first, int count, float softCap, bool alibi, bool masked)
    {
        var registers = (lanes.Count + TW.Count - 1) / TW.Count;
        nint width = registers * TW.Count;
        for (var k = 0; k < count; k += Tile.Rows)
        {
            for (var d = 0; d < lanes.HeadDim; d += Tile.Depth)
            {
                var depth = Math.Min(Tile.Depth, lanes.HeadDim - d);
                for (var row = 0; row < Tile.Rows; row++)
                {
                    var side = lanes.Side + row * Tile.SideStride;
                    if (k + row < count)
                    {
                        Widening.Copy<TW, TV, WeightF32>((byte*)(key + (k + row) * stride + d), 0, depth, side);
                    }
                    else
                    {
                        new Span<float>(side, depth).Clear();
                    }
                }

                Tile<TW, TV, RowMajorSide>.Run(
                    lanes.Side, lanes.Panel + d * width, width, depth, lanes.Scores + k * Tile.MaxLanes, Tile.MaxLanes, registers, d > 0);
            }
        }

        for (var r = 0; r < registers; r++)
        {
            SoftmaxColumns(ref lanes, r * TW.Count, first, count, softCap, alibi, masked);
        }

        for (var i = 0; i < lanes.Count; i++)
        {
            if (lanes.Factor[i] != 1f)
            {
                ScaleRow(lanes.Output + i * lanes.PaddedDim, lanes.Factor[i], lanes.PaddedDim);
            }
        }

        // The last register of a row of values may reach into the next row, or past the storage's end into its spare line;
        // those lanes are computed and never read.
        for (var lane = 0; lane < lanes.Count; lane += Tile.Rows)
        {
            for (var d = 0; d < lanes.PaddedDim; d += PanelLanes)
            {
                Tile<TW, TV, TransposedSide>.Run(
                    lanes.Scores + lane, value + d, stride, count, lanes.Output + lane * lanes.PaddedDim + d, lanes.PaddedDim,
                    Math.Min(Tile.MaxVectors, (lanes.PaddedDim - d) / TW.Count), true);
            }
        }
    }

    /// <summary>One step of the running softmax for a register of lanes: scores [count] become probabilities relative to the maximum so far.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SoftmaxColumns(
        ref AttentionLanes lanes, int lane, int first, int count, float softCap, bool alibi, bool masked)
    {
        var scores = lanes.Scores + lane;
        TV unseen = TW.Create(float.NegativeInfinity), old = TW.Load(lanes.Maximum + lane);
        TV low = TW.Load(lanes.Low + lane), high = TW.Load(lanes.High + lane);
        TV centre = TW.Load(lanes.Centre + lane), slope = TW.Load(lanes.Slope + lane), cap = TW.Create(softCap);
        var maximum = old;
        for (var k = 0; k < count; k++)
        {
            var score = TW.Load(scores + k * Tile.MaxLanes);
            var index = TW.Create((float)(first + k));
            if (softCap != 0)
            {
                score = SoftCapFunction.Apply<TW, TV>(score, score, cap);
            }

            if (alibi)
            {
                score = TW.Subtract(score, TW.Multiply(slope, TW.Abs(TW.Subtract(centre, index))));
            }

            if (masked)
            {
                score = TW.Select(TW.GreaterThan(index, high), unseen, TW.Select(TW.GreaterThan(low, index), unseen, score));
            }

            if (masked || alibi || softCap != 0)
            {
                TW.Store(score, scores + k * Tile.MaxLanes);
            }

            maximum = TW.Max(score, maximum);
        }

        // A lane that has seen nothing yet keeps -infinity as its maximum; 0 in its place avoids infinity - infinity.
        var shift = TW.Select(TW.GreaterThan(maximum, unseen), maximum, TW.Zero);
        var factor = VectorMath.Exp<TW, TV>(TW.Subtract(old, shift));
        var sum = TW.Multiply(TW.Load(lanes.Sum + lane), factor);
        for (var k = 0; k < count; k++)
        {
            var probability = VectorMath.Exp<TW, TV>(TW.Subtract(TW.Load(scores + k * Tile.MaxLanes), shift));
            sum = TW.Add(sum, probability);
            TW.Store(probability, scores + k * Tile.MaxLanes);
        }

        TW.Store(maximum, lanes.Maximum + lane);
        TW.Store(sum, lanes.Sum + lane);
        TW.Store(factor, lanes.Factor + lane);
    }

    /// <summary>Entries [from, to) of one head, to be asked for.</summary>
    private static UpcomingRows Upcoming(float* entries, nint stride, int headDim, int from, int to) =>
        new((byte*)(entries + from * stride), stride * sizeof(float), to - from, headDim * sizeof(float));

    private static void AttendBlockByDots(
        ref AttentionLanes lanes, float* key, float* value, nint stride, int first, int count, float softCap, bool alibi,
        in UpcomingRows upcoming)
    {
        var scores = lanes.Scores;
        for (var i = 0; i < lanes.Count; i++)
        {
            // Only the lane's own stretch of the block is touched.
            var from = Math.Max(0, (int)lanes.Low[i] - first);
            var to = Math.Min(count, (int)lanes.High[i] + 1 - first);
            if (from >= to)
            {
                continue;
            }

            KeyDots(
                lanes.Padded + i * lanes.PaddedDim, key, stride, lanes.HeadDim, from, to, scores,
                i == 0 ? Upcoming(value, stride, lanes.HeadDim, from, to) : default);
            AdjustScores(scores, from, to, first, softCap, alibi ? lanes.Slope[i] : 0f, lanes.Centre[i]);
            var seen = to - from;
            var maximum = Math.Max(lanes.Maximum[i], LargestOf(scores + from, seen));
            var shift = float.IsNegativeInfinity(maximum) ? 0f : maximum;
            var factor = VectorMath.Exp<SimdScalar, float>(lanes.Maximum[i] - shift);
            Exponentials(scores + from, shift, seen);
            var output = lanes.Output + i * lanes.PaddedDim;
            if (factor != 1f)
            {
                ScaleRow(output, factor, lanes.PaddedDim);
            }

            lanes.Maximum[i] = maximum;
            lanes.Sum[i] = lanes.Sum[i] * factor + SumOfLanes(scores + from, seen);
            AddWeighted(scores, value, stride, lanes.HeadDim, from, to, output, i == 0 ? upcoming : default);
        }
    }

    /// <summary>scores[k] = query . key k, for k from <paramref name="from"/> to <paramref name="to"/>. Meanwhile asks for
    /// what is read next: few lanes wait for memory, and a block is too short for the hardware to follow.</summary>
    private static void KeyDots(
        float* paddedQuery, float* key, nint stride, int headDim, int from, int to, float* scores, UpcomingRows upcoming = default)
    {
        var k = from;
        for (; k + 4 <= to; k += 4)
        {
            upcoming.Ask(k - from, k - from + 4, to - from);
            Dot1x4<WeightF32>(paddedQuery, 0, (byte*)(key + k * stride), stride, headDim, scores + k);
        }

        for (; k < to; k++)
        {
            Dot1x1<WeightF32>(paddedQuery, 0, (byte*)(key + k * stride), headDim, scores + k);
        }
    }

    /// <summary>Soft cap and ALiBi bias of scores whose key 0 has index <paramref name="first"/>.</summary>
    private static void AdjustScores(float* scores, int from, int to, int first, float softCap, float slope, float centre)
    {
        if (softCap != 0)
        {
            ApplyRow<SoftCapFunction>(scores + from, scores + from, softCap, scores + from, to - from);
        }

        for (var k = from; slope != 0 && k < to; k++)
        {
            scores[k] -= slope * MathF.Abs(centre - (first + k));
        }
    }

    /// <summary>x = e^(x - shift).</summary>
    private static void Exponentials(float* x, float shift, int count)
    {
        var s = TW.Create(shift);
        for (var i = 0; i < count; i += TW.Count)
        {
            var rest = count - i;
            if (rest >= TW.Count)
            {
                TW.Store(VectorMath.Exp<TW, TV>(TW.Subtract(TW.Load(x + i), s)), x + i);
            }
            else
            {
                StorePartial(VectorMath.Exp<TW, TV>(TW.Subtract(LoadPartial(x + i, rest), s)), x + i, rest);
            }
        }
    }

    private static float SumOfLanes(float* x, int count)
    {
        var sums = TW.Zero;
        var i = 0;
        for (; i <= count - TW.Count; i += TW.Count)
        {
            sums = TW.Add(sums, TW.Load(x + i));
        }

        var sum = TW.Sum(sums);
        for (; i < count; i++)
        {
            sum += x[i];
        }

        return sum;
    }

    /// <summary>output += sum over k of weights[k] * value k. Meanwhile asks for what is read next, as <see cref="KeyDots"/> does.</summary>
    private static void AddWeighted(
        float* weights, float* value, nint stride, int headDim, int from, int to, float* output, UpcomingRows upcoming = default)
    {
        var k = from;
        for (; k + 4 <= to; k += 4)
        {
            upcoming.Ask(k - from, k - from + 4, to - from);
            AddFour1<WeightF32>(weights + k, (byte*)(value + k * stride), stride, headDim, output);
        }

        for (; k < to; k++)
        {
            AddOne<WeightF32>(weights[k], (byte*)(value + k * stride), headDim, output);
        }
    }
}
