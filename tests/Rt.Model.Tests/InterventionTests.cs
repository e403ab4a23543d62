// Patches, taps, task vectors: exactly what they may change, and nothing else.
using Rt.Core;

namespace Rt.Model.Tests;

public class InterventionTests
{
    private static readonly int[] Prompt = Loaded.Ids(51, 9);

    [Theory]
    [InlineData("gpt2")]
    [InlineData("neox")]
    [InlineData("opt-350m")]
    [InlineData("gemma2")]
    public void Patch_Disposed_LeavesModelBitEqual(string name)
    {
        using var loaded = new Loaded(name);
        var before = loaded.Logits(Prompt);
        using (loaded.Model.Patch(new ResidualPoint(0, Point.Post), Vector(loaded.Model, 1)))
        {
            Assert.NotEqual(before[^1], loaded.Logits(Prompt)[^1]);
        }

        Rows.Equal(before, loaded.Logits(Prompt));
    }

    [Fact]
    public void Patch_Add_LeavesEarlierPointsBitEqualAndThisOneExactlyXPlusV()
    {
        using var loaded = new Loaded("llama-gqa");
        var points = Enumerable.Range(0, 3).SelectMany(layer => new[] { Point.Pre, Point.Mid, Point.Post }.Select(p => new ResidualPoint(layer, p))).ToArray();
        var vector = Vector(loaded.Model, 2);
        var plain = Tap(loaded, points);
        using var patch = loaded.Model.Patch(new ResidualPoint(1, Point.Post), vector, PatchMode.Add);
        var patched = Tap(loaded, points);
        foreach (var point in points.TakeWhile(point => point != new ResidualPoint(1, Point.Post)))
        {
            Rows.Equal(plain[point].Rows, patched[point].Rows);
        }

        var at = new ResidualPoint(1, Point.Post);
        Rows.Equal(plain[at].Rows.SkipLast(1), patched[at].Rows.SkipLast(1));
        Assert.Equal(plain[at].Rows[^1].Select((x, i) => (double)((float)x + (float)vector[i])), patched[at].Rows[^1]);
        Assert.NotEqual(plain[new ResidualPoint(2, Point.Post)].Rows[^1], patched[new ResidualPoint(2, Point.Post)].Rows[^1]);
    }

    [Fact]
    public void Patch_MiddleOfParallelBlock_IsRefusedByName()
    {
        using var loaded = new Loaded("gptj");
        var error = Assert.Throws<UsageException>(() => loaded.Model.Patch(new ResidualPoint(0, Point.Mid), Vector(loaded.Model, 3)));
        Assert.Contains("gptj", error.Message);
    }

    [Fact]
    public void Patch_WrongLayerOrWidth_IsUsageError()
    {
        using var loaded = new Loaded("gpt2");
        Assert.Throws<UsageException>(() => loaded.Model.Patch(new ResidualPoint(3, Point.Post), Vector(loaded.Model, 3)));
        Assert.Throws<UsageException>(() => loaded.Model.Patch(new ResidualPoint(0, Point.Post), [1, 2, 3]));
    }

    [Fact]
    public void Patch_GeneratedRowsToo_ChangesLaterTokensDifferently()
    {
        using var loaded = new Loaded("llama-gqa");
        var options = new GenerationOptions { MaxNewTokens = 8, IgnoreEos = true };
        var vector = Vector(loaded.Model, 4, 6);
        IReadOnlyList<int> once, always;
        using (loaded.Model.Patch(new ResidualPoint(1, Point.Post), vector))
        {
            once = Generator.Generate(loaded.Model, [Prompt], options)[0].TokenIds;
        }

        using (loaded.Model.Patch(new ResidualPoint(1, Point.Post), vector, generatedRows: true))
        {
            always = Generator.Generate(loaded.Model, [Prompt], options)[0].TokenIds;
        }

        Assert.Equal(once[0], always[0]);
        Assert.NotEqual(once, always);
    }

    [Fact]
    public void HeadPatch_ReplacingByWhatWasRead_ChangesNothing()
    {
        using var loaded = new Loaded("llama-gqa");
        var tap = new HeadTap(1, TapRows.PromptEnds);
        double[][] before;
        using (loaded.Model.Attach(tap))
        {
            before = loaded.Logits(Prompt);
        }

        var headDim = loaded.Model.Config.HeadDim;
        var head = tap.Record.Rows[0].AsSpan(2 * headDim, headDim).ToArray();
        using (loaded.Model.Attach(new HeadPatch(loaded.Model, 1, 2, head)))
        {
            Rows.Equal(before, loaded.Logits(Prompt));
        }

        using (loaded.Model.Attach(new HeadPatch(loaded.Model, 1, 2, new double[headDim])))
        {
            Assert.NotEqual(before[^1], loaded.Logits(Prompt)[^1]);
        }
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("neox")]
    [InlineData("gemma3")]
    public void BranchTaps_Added_GiveTheNextResidual(string name)
    {
        using var loaded = new Loaded(name, Loaded.NewDevice("reference"));
        var attention = new BranchTap(new ResidualPoint(1, Point.Mid));
        var mlp = new BranchTap(new ResidualPoint(1, Point.Post));
        ResidualPoint pre = new(1, Point.Pre), post = new(1, Point.Post);
        var residual = new ResidualTap([pre, post]);
        using (loaded.Model.Attach(attention))
        using (loaded.Model.Attach(mlp))
        using (loaded.Model.Attach(residual))
        {
            loaded.Logits(Prompt);
        }

        var sum = residual[pre].Rows.Select((row, r) => row.Select((x, i) => x + attention.Record.Rows[r][i] + mlp.Record.Rows[r][i]).ToArray());
        Assert.InRange(Rows.Difference(sum, residual[post].Rows), 0, 1e-12);
    }

    [Fact]
    public void AttentionTap_Probabilities_AreTheSoftmaxOfScoresAndSumToOne()
    {
        using var loaded = new Loaded("mistral");
        using var kept = DeepThinking.Begin(loaded.Model, Loaded.Ids(52, 5), new ThinkOptions());
        var tap = new AttentionTap(0);
        using (loaded.Model.Attach(tap))
        {
            loaded.Logits(Prompt, kept);
        }

        Assert.Equal(Prompt.Length, tap.Probabilities.Count);
        for (var row = 0; row < Prompt.Length; row++)
        {
            for (var head = 0; head < loaded.Model.Config.NumAttentionHeads; head++)
            {
                var scores = tap.Scores[row][head];
                var sum = scores.Sum(Math.Exp);
                Assert.Equal(5 + Prompt.Length, scores.Length);
                Assert.Equal(1, tap.Probabilities[row][head].Sum(), 1e-5);
                Assert.All(scores.Zip(tap.Probabilities[row][head]), pair => Assert.Equal(Math.Exp(pair.First) / sum, pair.Second, 1e-5));
                Assert.Equal(Prompt.Length - 1 - row, scores.Skip(5 + row + 1).Count(double.IsNegativeInfinity));
            }
        }
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("neox")]
    [InlineData("bloom")]
    [InlineData("gemma2")]
    [InlineData("opt-350m")]
    public void LayerSweep_Packed_EqualsOneQueryAndLayerAtATime(string name)
    {
        using var loaded = new Loaded(name);
        var layers = Enumerable.Range(0, loaded.Model.Config.NumHiddenLayers).ToArray();
        var vectors = Enumerable.Range(0, 3).Select(i => TaskVector.Extract(loaded.Model, [Loaded.Ids(60 + i, 12), Loaded.Ids(70 + i, 10)])).ToArray();
        var queries = vectors.Select((vector, i) => new PatchedQuery(Loaded.Ids(80 + i, i == 0 ? 1 : 4 + i), vector)).ToArray();
        var logits = new Dictionary<(int, int), double[]>();
        LayerSweep.Run(loaded.Model, queries, layers, (query, layer, row) =>
        {
            var values = new double[row.Columns];
            loaded.Device.Download(row, values);
            logits[(query, layer)] = values;
        });
        Assert.Equal(queries.Length * layers.Length, logits.Count);
        foreach (var ((query, layer), found) in logits)
        {
            using var patch = loaded.Model.Patch(new ResidualPoint(layer, Point.Post), queries[query].Vector[layer]);
            Assert.InRange(Rows.Difference([loaded.Logits(queries[query].TokenIds)[^1]], [found]), 0, 1e-4);
        }
    }

    [Fact]
    public void TaskVector_SavedAndLoaded_IsTheSame()
    {
        using var loaded = new Loaded("llama-mha");
        var vector = TaskVector.Extract(loaded.Model, [Loaded.Ids(90, 8), Loaded.Ids(91, 12)]);
        var path = Path.Combine(Path.GetTempPath(), $"rt-{Guid.NewGuid():n}.safetensors");
        try
        {
            vector.Save(path, loaded.Model);
            var all = TaskVector.Load(path, loaded.Model);
            vector.At(1).Save(path, loaded.Model);
            var one = TaskVector.Load(path, loaded.Model);
            Assert.Equal((2, null, 1), (all.Prompts, all.Layer, one.Layer));
            Assert.Equal(vector[2].Select(x => (double)(float)x), all[2]);
            Assert.Equal(all[1], one[1]);
            Assert.Equal(1, all.Cosine(vector, 0), 1e-6);
            Assert.Throws<UsageException>(() => one[0]);
            Assert.Throws<BadFileException>(() => KeptKv.Load(path, loaded.Model));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void TaskVector_OverManyPrompts_IsTheMeanOfEach()
    {
        using var loaded = new Loaded("neox");
        var prompts = Enumerable.Range(0, 70).Select(i => Loaded.Ids(100 + i, 5 + i % 11)).ToArray();
        var each = TaskVector.ExtractEach(loaded.Model, prompts);
        var point = new ResidualPoint(1, Point.Post);
        for (var i = 0; i < prompts.Length; i += 23)
        {
            var tap = new ResidualTap([point], TapRows.PromptEnds);
            using (loaded.Model.Attach(tap))
            {
                loaded.Logits(prompts[i]);
            }

            Assert.InRange(Rows.Difference([tap[point].Rows[0]], [each[i][1]]), 0, 1e-4);
        }

        var mean = TaskVector.Mean(each);
        Assert.Equal(each.Average(state => state[2][5]), mean[2][5], 1e-9);
    }

    private static ResidualTap Tap(Loaded loaded, ResidualPoint[] points)
    {
        var tap = new ResidualTap(points);
        using (loaded.Model.Attach(tap))
        {
            loaded.Logits(Prompt);
        }

        return tap;
    }

    private static double[] Vector(LanguageModel model, int seed, double scale = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, model.Config.HiddenSize).Select(_ => scale * (random.NextDouble() * 2 - 1))];
    }
}
