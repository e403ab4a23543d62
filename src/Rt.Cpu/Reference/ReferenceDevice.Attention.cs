// Reference ops on keys and values: append with rotary, attention in all its forms, the meta-gradient update.
using Rt.Core;

namespace Rt.Cpu.Reference;

public sealed unsafe partial class ReferenceDevice
{
    /// <inheritdoc/>
    public void AppendKv(Tensor query, Tensor key, Tensor value, RowBatch rows, int layer, RotaryTable? rotary)
    {
        var kvHeads = rows.Cache.KvHeads;
        var q = new View(query);
        var k = new View(key);
        var v = new View(value);
        var keys = new View(rows.Cache[layer].Key);
        var values = new View(rows.Cache[layer].Value);
        foreach (var sequence in rows.Sequences)
        {
            for (var i = 0; i < sequence.RowCount; i++)
            {
                var row = sequence.FirstRow + i;
                for (var head = 0; head < kvHeads; head++)
                {
                    var target = sequence.Slot * kvHeads + head;
                    for (var d = 0; d < key.Columns; d++)
                    {
                        keys[target, sequence.Start + i, d] = k[row, head, d];
                        values[target, sequence.Start + i, d] = v[row, head, d];
                    }

                    Rotate(keys, target, sequence.Start + i, rotary, row, sequence.Position(i));
                }

                for (var head = 0; head < query.Dim1; head++)
                {
                    Rotate(q, row, head, rotary, row, sequence.Position(i));
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Attention(Tensor query, RowBatch rows, int layer, in AttentionOptions options, Tensor destination)
    {
        var to = new View(destination);
        foreach (var sequence in rows.Sequences)
        {
            var scores = new double[sequence.PrefixLength + sequence.Length];
            for (var i = 0; i < sequence.RowCount; i++)
            {
                for (var head = 0; head < query.Dim1; head++)
                {
                    Scores(query, rows, sequence, layer, options, i, head, scores);
                    Softmax(scores);
                    WeighValues(rows, sequence, layer, head / (query.Dim1 / rows.Cache.KvHeads), scores, to, sequence.FirstRow + i, head);
                }
            }
        }
    }

    /// <inheritdoc/>
    public void AttentionScores(
        Tensor query, RowBatch rows, int layer, in AttentionOptions options, bool probabilities, Tensor destination)
    {
        var to = new View(destination);
        foreach (var sequence in rows.Sequences)
        {
            var scores = new double[sequence.PrefixLength + sequence.Length];
            for (var i = 0; i < sequence.RowCount; i++)
            {
                for (var head = 0; head < query.Dim1; head++)
                {
                    Scores(query, rows, sequence, layer, options, i, head, scores);
                    if (probabilities)
                    {
                        Softmax(scores);
                    }

                    for (var j = 0; j < destination.Columns; j++)
                    {
                        to[sequence.FirstRow + i, head, j] =
                            j < scores.Length ? scores[j] : probabilities ? 0 : double.NegativeInfinity;
                    }
                }
            }
        }
    }

    /// <inheritdoc/>
    public void LinearAttention(Tensor query, RowBatch rows, int layer, double scale, LinearAttentionForm form, Tensor destination)
    {
        var headDim = query.Columns;
        var q = new View(query);
        var to = new View(destination);
        var options = new AttentionOptions(scale);
        foreach (var sequence in rows.Sequences)
        {
            var scores = new double[sequence.PrefixLength + sequence.Length];
            for (var i = 0; i < sequence.RowCount; i++)
            {
                for (var head = 0; head < query.Dim1; head++)
                {
                    var row = sequence.FirstRow + i;
                    var kvHead = head / (query.Dim1 / rows.Cache.KvHeads);
                    if (form == LinearAttentionForm.Attention)
                    {
                        Scores(query, rows, sequence, layer, options, i, head, scores);
                        for (var j = 0; j < scores.Length; j++)
                        {
                            scores[j] = double.IsNegativeInfinity(scores[j]) ? 0 : scores[j];
                        }

                        WeighValues(rows, sequence, layer, kvHead, scores, to, row, head);
                        continue;
                    }

                    var weights = new double[headDim, headDim];
                    for (var j = 0; j < sequence.PrefixLength + sequence.Start + i + 1; j++)
                    {
                        var (keys, values, target, entry) = Entry(rows, sequence, layer, kvHead, j);
                        for (var a = 0; a < headDim; a++)
                        {
                            for (var b = 0; b < headDim; b++)
                            {
                                weights[a, b] += values[target, entry, a] * keys[target, entry, b];
                            }
                        }
                    }

                    for (var a = 0; a < headDim; a++)
                    {
                        var sum = 0.0;
                        for (var b = 0; b < headDim; b++)
                        {
                            sum += weights[a, b] * q[row, head, b];
                        }

                        to[row, head, a] = scale * sum;
                    }
                }
            }
        }
    }

    /// <inheritdoc/>
    public void AccumulateMetaGradient(
        KvLayer current, KvLayer kept, KvLayer velocity, in MetaGradientStep step, Tensor? squaredNorms, KvLayer? copy = null)
    {
        var keyNorm = Accumulate(current.Key, kept.Key, velocity.Key, step, step.UpdateKey);
        var valueNorm = Accumulate(current.Value, kept.Value, velocity.Value, step, step.UpdateValue);
        if (squaredNorms is { } norms)
        {
            norms.HostSpan<double>()[0] = keyNorm;
            norms.HostSpan<double>()[1] = valueNorm;
        }

        if (copy is { } rounded)
        {
            step.CopyUpdated(this, kept, rounded);
        }
    }

    private static double Accumulate(Tensor current, Tensor kept, Tensor velocity, in MetaGradientStep step, bool update)
    {
        RequireSame(current, kept);
        RequireSame(velocity, kept);
        var x = new View(current);
        var k = new View(kept);
        var m = new View(velocity);
        var type = step.Precision;
        var squares = 0.0;
        for (var row = 0; row < kept.Rows; row++)
        {
            for (var i = 0; i < kept.Columns; i++)
            {
                var gradient = Rounding.To(type, Rounding.To(type, x[row, i]) - k[row, i]);
                squares += gradient * gradient;
                if (update)
                {
                    m[row, i] = Rounding.To(type, gradient + Rounding.To(type, step.Momentum * m[row, i]));
                    k[row, i] = Rounding.To(type, k[row, i] + Rounding.To(type, step.StepSize * m[row, i]));
                }
            }
        }

        return squares;
    }

    private static void Rotate(View heads, int a, int b, RotaryTable? rotary, int row, int position)
    {
        if (rotary is null)
        {
            return;
        }

        var cos = new View(rotary.Cos);
        var sin = new View(rotary.Sin);
        var index = rotary.ByRow ? row : position;
        var half = rotary.RotaryDim / 2;
        for (var i = 0; i < half; i++)
        {
            var first = rotary.Interleaved ? 2 * i : i;
            var second = rotary.Interleaved ? 2 * i + 1 : i + half;
            var (x, y) = (heads[a, b, first], heads[a, b, second]);
            heads[a, b, first] = x * cos[index, i] - y * sin[index, i];
            heads[a, b, second] = y * cos[index, i] + x * sin[index, i];
        }
    }

    /// <summary>Where visible entry j of a sequence lies: its prefix first, then its own slot.</summary>
    private static (View Keys, View Values, int Head, int Entry) Entry(
        RowBatch rows, SequenceRows sequence, int layer, int kvHead, int j)
    {
        var inPrefix = j < sequence.PrefixLength;
        var (cache, slot) = inPrefix ? rows.Prefixes[sequence.Prefix] : new KvPrefix(rows.Cache, sequence.Slot);
        return (new View(cache[layer].Key), new View(cache[layer].Value),
            slot * cache.KvHeads + kvHead,
            inPrefix ? j : j - sequence.PrefixLength);
    }

    /// <summary>Scores of one row and head over its prefix and own entries; -infinity where unseen.</summary>
    private static void Scores(
        Tensor query, RowBatch rows, SequenceRows sequence, int layer, in AttentionOptions options, int i, int head, double[] scores)
    {
        var q = new View(query);
        var kvHead = head / (query.Dim1 / rows.Cache.KvHeads);
        var position = sequence.Position(i);
        for (var j = 0; j < scores.Length; j++)
        {
            var own = j - sequence.PrefixLength;
            var distance = Math.Abs(position - (own < 0 ? j : sequence.FirstPosition + own));
            if (own > sequence.Start + i || (options.Window > 0 && distance >= options.Window))
            {
                scores[j] = double.NegativeInfinity;
                continue;
            }

            var (keys, _, target, entry) = Entry(rows, sequence, layer, kvHead, j);
            var sum = 0.0;
            for (var d = 0; d < query.Columns; d++)
            {
                sum += q[sequence.FirstRow + i, head, d] * keys[target, entry, d];
            }

            sum *= options.Scale;
            if (options.SoftCap > 0)
            {
                sum = options.SoftCap * Math.Tanh(sum / options.SoftCap);
            }

            scores[j] = sum - (options.AlibiSlopes is { } slopes ? new View(slopes).GetLinear(head) * distance : 0);
        }
    }

    private static void Softmax(double[] scores)
    {
        var max = scores.Max();
        var sum = 0.0;
        for (var j = 0; j < scores.Length; j++)
        {
            scores[j] = Math.Exp(scores[j] - max);
            sum += scores[j];
        }

        for (var j = 0; j < scores.Length; j++)
        {
            scores[j] /= sum;
        }
    }

    private static void WeighValues(
        RowBatch rows, SequenceRows sequence, int layer, int kvHead, double[] weights, View to, int row, int head)
    {
        for (var d = 0; d < rows.Cache.HeadDim; d++)
        {
            var sum = 0.0;
            for (var j = 0; j < weights.Length; j++)
            {
                if (weights[j] != 0)
                {
                    var (_, values, target, entry) = Entry(rows, sequence, layer, kvHead, j);
                    sum += weights[j] * values[target, entry, d];
                }
            }

            to[row, head, d] = sum;
        }
    }
}
