// The dual form against attention computed by hand from downloaded keys, values and queries.
using Rt.Cpu.Reference;
using Rt.Model;
using Rt.Tests;

namespace Rt.Eval.Tests;

public sealed class DualFormTests
{
    [Fact]
    public void Measure_OnReference_EqualsSumsWrittenOut()
    {
        using var device = new ReferenceDevice();
        using var model = LanguageModel.Load(Fixtures.Golden("llama-gqa"), device);
        using var kept = DeepThinking.Begin(model, [1, 125, 106, 96, 54], new ThinkOptions());
        int[] query = [30, 42, 7];
        const int Layer = 1, Head = 4;
        var dual = DualForm.Measure(model, kept, [query]).Single(head => head is { Layer: Layer, Head: Head });

        var config = model.Config;
        var width = config.HeadDim;
        var group = Head / (config.NumAttentionHeads / config.NumKeyValueHeads);
        using var sequence = new Sequence(model, query.Length, kept);
        var tap = new AttentionTap(Layer);
        using (model.Attach(tap))
        {
            sequence.Append(query);
        }

        var q = tap.Queries[^1][Head];
        var keys = Rows(kept.Keys(Layer), group, kept.Length, width).Concat(Rows(sequence.Keys(Layer), group, query.Length, width)).ToArray();
        var values = Rows(kept.Values(Layer), group, kept.Length, width).Concat(Rows(sequence.Values(Layer), group, query.Length, width)).ToArray();
        var scale = config.Layers[Layer].Scale;
        var scores = keys.Select(key => scale * key.Zip(q, (a, b) => a * b).Sum()).ToArray();
        var with = Softmax(scores, values);
        var without = Softmax(scores[kept.Length..], values[kept.Length..]);
        var update = Sum(scores[..kept.Length], values[..kept.Length]);

        Assert.Equal(Cosine(with, without), dual.WithWithout, 1e-10);
        Assert.Equal(Cosine(with, [.. without.Zip(update, (a, b) => a + b)]), dual.WithUpdated, 1e-10);
        Assert.Equal(Cosine([.. with.Zip(without, (a, b) => a - b)], update), dual.EffectUpdate, 1e-10);
        Assert.Equal(Math.Sqrt(Dot(update, update) / Dot(with, with)), dual.UpdateSize, 1e-10);
        Assert.InRange(dual.FormDifference, 0, 1e-12);
    }

    private static IEnumerable<double[]> Rows(double[] heads, int head, int length, int width) =>
        heads.Skip(head * length * width).Take(length * width).Chunk(width);

    private static double[] Softmax(double[] scores, double[][] values)
    {
        var exponentials = scores.Select(score => Math.Exp(score - scores.Max())).ToArray();
        return Sum([.. exponentials.Select(e => e / exponentials.Sum())], values);
    }

    private static double[] Sum(double[] weights, double[][] values) =>
        [.. Enumerable.Range(0, values[0].Length).Select(i => weights.Zip(values, (w, v) => w * v[i]).Sum())];

    private static double Cosine(double[] a, double[] b) => Dot(a, b) / Math.Sqrt(Dot(a, a) * Dot(b, b));

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();
}
