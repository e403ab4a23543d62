// The loop over blocks of keys of one attention tile: scores, running softmax, weighted values.
// Many lanes: Sᵀ = K Qᵀ and O += P V by register tiles, softmax down the keys with one lane per query. Few lanes: dot products.
using System.Runtime.CompilerServices;
using Rt.Core;

namespace Rt.Cpu;

/// <summary>Keys that some of several lanes see, and keys that all of them see; both ends included.</summary>
internal readonly record struct KeySpan(int Low, int High, int CommonLow, int CommonHigh)
{
    public static KeySpan None => new(int.MaxValue, -1, 0, int.MaxValue);

    public KeySpan Join(KeySpan other) => new(
        Math.Min(Low, other.Low), Math.Max(High, other.High), Math.Max(CommonLow, other.CommonLow), Math.Min(CommonHigh, other.CommonHigh));

    /// <summary>The part of a block that some lane sees: [From, To) counted from its first key; empty where To is not above From.</summary>
    public (int From, int To) Within(int first, int count) => (Math.Max(0, Low - first), Math.Min(count, High + 1 - first));
}

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
        var all = SpanOf(lanes, 0, lanes.Count);
        var start = all.Low / KeyBlock * KeyBlock;
        for (var first = start; first <= all.High; first += KeyBlock)
        {
            var count = Math.Min(KeyBlock, all.High + 1 - first);
            var upcoming = first + KeyBlock <= all.High
                ? Upcoming(key, stride, lanes.HeadDim, first + KeyBlock, Math.Min(first + 2 * KeyBlock, all.High + 1))
                : Upcoming(nextKey, stride, lanes.HeadDim, start, nextKey == null ? start : Math.Min(start + KeyBlock, all.High + 1));
            if (dots)
            {
                AttendBlockByDots(ref lanes, key + first * stride, value + first * stride, stride, first, count, softCap, alibi, upcoming);
            }
            else
            {
                AttendBlock(ref lanes, key + first * stride, value + first * stride, stride, first, count, softCap, alibi, upcoming);
            }
        }
    }

    /// <summary>The span of lanes [from, to), as far as there are lanes.</summary>
    private static KeySpan SpanOf(in AttentionLanes lanes, int from, int to)
    {
        var span = KeySpan.None;
        for (var lane = from; lane < Math.Min(to, lanes.Count); lane++)
        {
            int low = (int)lanes.Low[lane], high = (int)lanes.High[lane];
            span = span.Join(new KeySpan(low, high, low, high));
        }

        return span;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AttendBlock(
        ref AttentionLanes lanes, float* key, float* value, nint stride, int first, int count, float softCap, bool alibi,
        UpcomingRows upcomingKeys)
    {
        // Lanes are weighted eight at a time, so eight at least share a span: what one of them adds up, all have scores for.
        nint width = PanelRows(lanes.Count);
        var registers = (int)width / TW.Count;
        var spans = stackalloc KeySpan[Tile.MaxVectors];
        for (var r = 0; r < registers; r++)
        {
            var lane = r * TW.Count / Tile.Rows * Tile.Rows;
            spans[r] = SpanOf(lanes, lane, Math.Max(lane + Tile.Rows, (r + 1) * TW.Count));
        }

        var upcomingValues = Upcoming(value, stride, lanes.HeadDim, 0, count);
        for (var k = 0; k < count; k += Tile.Rows)
        {
            int begin = registers, end = 0;
            for (var r = 0; r < registers; r++)
            {
                if (spans[r].Low < first + k + Tile.Rows && spans[r].High >= first + k)
                {
                    begin = Math.Min(begin, r);
                    end = r + 1;
                }
            }

            if (begin == registers)
            {
                continue;
            }

            var rows = key + k * stride;
            var rowStride = stride;
            if (k + Tile.Rows > count)
            {
                CopyLastKeys(lanes, rows, stride, count - k);
                rows = lanes.Side;
                rowStride = lanes.PaddedDim;
            }

            upcomingValues.Ask(k, Math.Min(k + Tile.Rows, count), count);
            Tile<TW, TV, StridedSide>.Run(
                rows, rowStride, lanes.Panel + begin * TW.Count, width, lanes.HeadDim,
                lanes.Scores + k * Tile.MaxLanes + begin * TW.Count, Tile.MaxLanes, end - begin, false);
        }

        for (var r = 0; r < registers; r++)
        {
            SoftmaxColumns(ref lanes, r * TW.Count, spans[r], first, count, softCap, alibi);
        }

        // The last register of a row of values may reach into the next row, or past the storage's end into its spare line;
        // those lanes are computed and never read.
        for (var lane = 0; lane < lanes.Count; lane += Tile.Rows)
        {
            upcomingKeys.Ask(lane, Math.Min(lane + Tile.Rows, lanes.Count), lanes.Count);
            for (var i = lane; i < Math.Min(lane + Tile.Rows, lanes.Count); i++)
            {
                if (lanes.Factor[i] != 1f)
                {
                    var sums = lanes.Output + i * lanes.PaddedDim;
                    ScaleRow(sums, lanes.Factor[i], lanes.PaddedDim, sums);
                }
            }

            var (from, to) = SpanOf(lanes, lane, lane + Tile.Rows).Within(first, count);
            var left = from < to ? lanes.PaddedDim / TW.Count : 0;
            var d = 0;
            for (var tiles = (left + Tile.MaxVectors - 1) / Tile.MaxVectors; tiles > 0; tiles--)
            {
                var vectors = (left + tiles - 1) / tiles;
                Tile<TW, TV, TransposedSide>.Run(
                    lanes.Scores + from * Tile.MaxLanes + lane, 1, value + from * stride + d, stride, to - from,
                    lanes.Output + lane * lanes.PaddedDim + d, lanes.PaddedDim, vectors, true);
                left -= vectors;
                d += vectors * TW.Count;
            }
        }
    }

    /// <summary>Fewer than eight keys, zeros behind them, so that no tile reads past the last.</summary>
    private static void CopyLastKeys(in AttentionLanes lanes, float* key, nint stride, int count)
    {
        new Span<float>(lanes.Side, Tile.Rows * lanes.PaddedDim).Clear();
        for (var row = 0; row < count; row++)
        {
            new ReadOnlySpan<float>(key + row * stride, lanes.HeadDim).CopyTo(new Span<float>(lanes.Side + row * lanes.PaddedDim, lanes.HeadDim));
        }
    }

    /// <summary>One step of the running softmax for a register of lanes: scores become probabilities relative to the maximum so far,
    /// for the keys of the lanes' span.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SoftmaxColumns(
        ref AttentionLanes lanes, int lane, KeySpan span, int first, int count, float softCap, bool alibi)
    {
        var (from, to) = span.Within(first, count);
        var scores = lanes.Scores + lane;
        var masked = first + from < span.CommonLow || first + to - 1 > span.CommonHigh;
        if (masked || alibi || softCap != 0)
        {
            AdjustColumns(lanes, lane, first, from, to, softCap, alibi);
        }

        TV unseen = TW.Create(float.NegativeInfinity), old = TW.Load(lanes.Maximum + lane);
        var maximum = old;
        for (var k = from; k < to; k++)
        {
            maximum = TW.Max(TW.Load(scores + k * Tile.MaxLanes), maximum);
        }

        // A lane that has seen nothing yet keeps -infinity as its maximum; 0 in its place avoids infinity - infinity.
        var shift = TW.Select(TW.GreaterThan(maximum, unseen), maximum, TW.Zero);
        var factor = VectorMath.Exp<TW, TV>(TW.Subtract(old, shift));
        var sum = TW.Multiply(TW.Load(lanes.Sum + lane), factor);
        for (var k = from; k < to; k++)
        {
            var probability = VectorMath.Exp<TW, TV>(TW.Subtract(TW.Load(scores + k * Tile.MaxLanes), shift));
            sum = TW.Add(sum, probability);
            TW.Store(probability, scores + k * Tile.MaxLanes);
        }

        TW.Store(maximum, lanes.Maximum + lane);
        TW.Store(sum, lanes.Sum + lane);
        TW.Store(factor, lanes.Factor + lane);
    }

    /// <summary>Soft cap, ALiBi bias and -infinity for unseen keys, for a register of lanes.</summary>
    private static void AdjustColumns(in AttentionLanes lanes, int lane, int first, int from, int to, float softCap, bool alibi)
    {
        TV unseen = TW.Create(float.NegativeInfinity), cap = TW.Create(softCap);
        TV low = TW.Load(lanes.Low + lane), high = TW.Load(lanes.High + lane);
        TV centre = TW.Load(lanes.Centre + lane), slope = TW.Load(lanes.Slope + lane);
        for (var k = from; k < to; k++)
        {
            var score = TW.Load(lanes.Scores + k * Tile.MaxLanes + lane);
            var index = TW.Create((float)(first + k));
            if (softCap != 0)
            {
                score = SoftCapFunction.Apply<TW, TV>(score, score, cap);
            }

            if (alibi)
            {
                score = TW.Subtract(score, TW.Multiply(slope, TW.Abs(TW.Subtract(centre, index))));
            }

            score = TW.Select(TW.GreaterThan(index, high), unseen, TW.Select(TW.GreaterThan(low, index), unseen, score));
            TW.Store(score, lanes.Scores + k * Tile.MaxLanes + lane);
        }
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
                ScaleRow(output, factor, lanes.PaddedDim, output);
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

        var last = (byte*)(key + k * stride);
        DotStream1<WeightF32>(paddedQuery, last, last, stride, to - k, headDim, scores + k);
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

        AddOneByOne<WeightF32>(weights + k, (byte*)(value + k * stride), stride, to - k, headDim, output);
    }
}
