// What must hold for any model: causality, splitting, batching, threads.
using Rt.Core;
using Rt.Cpu;

namespace Rt.Model.Tests;

public class ForwardPropertyTests
{
    // F32 rounding on logits of order 1 to 10, by summation in another order.
    private const double Rounding = 1e-4;

    public static TheoryData<string> Families() =>
        ["gpt2", "opt-350m", "gptj", "neox", "bloom", "gpt-neo", "llama-gqa-bf16", "llama-gqa-f16", "mistral", "qwen3", "gemma2", "gemma3", "phi", "phi3"];

    [Theory]
    [MemberData(nameof(Families))]
    public void Forward_LaterTokenChanged_EarlierLogitsStayBitEqual(string name)
    {
        using var loaded = new Loaded(name);
        var ids = Loaded.Ids(1, 12);
        var before = loaded.Logits(ids);
        ids[^1] = ids[^1] == 5 ? 6 : 5;
        var after = loaded.Logits(ids);
        Rows.Equal(before[..^1], after[..^1]);
        Assert.NotEqual(before[^1], after[^1]);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Forward_TokenByToken_EqualsPrefill(string name)
    {
        using var loaded = new Loaded(name);
        var ids = Loaded.Ids(2, 14);
        using var sequence = new Sequence(loaded.Model, ids.Length);
        var single = ids.SelectMany(id => sequence.Append([id]));
        Assert.InRange(Rows.Difference(loaded.Logits(ids), single), 0, Rounding);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Forward_BatchInvariant_SameBitsForAnySplit(string name)
    {
        using var loaded = new Loaded(name, Loaded.NewDevice("cpu invariant"));
        var ids = Loaded.Ids(3, 20);
        var whole = loaded.Logits(ids);
        foreach (var split in new[] { 1, 7, 19 })
        {
            using var sequence = new Sequence(loaded.Model, ids.Length);
            Rows.Equal(whole, [.. sequence.Append(ids.AsSpan(0, split)), .. sequence.Append(ids.AsSpan(split))]);
        }
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Forward_AnyThreadCount_SameBits(string name)
    {
        var ids = Loaded.Ids(4, 31);
        double[][]? first = null;
        foreach (var threads in new[] { 1, 2, 3, 5 })
        {
            using var loaded = new Loaded(name, new CpuDevice(new CpuOptions(Threads: threads)));
            var logits = loaded.Logits(ids);
            Rows.Equal(first ??= logits, logits);
        }
    }

    [Fact]
    public void Generate_BatchOfDifferentLengths_SameTokensAsOneByOne()
    {
        using var loaded = new Loaded("llama-gqa", Loaded.NewDevice("cpu invariant"));
        int[][] prompts = [Loaded.Ids(5, 3), Loaded.Ids(6, 17), Loaded.Ids(7, 1), Loaded.Ids(8, 9)];
        var options = new GenerationOptions { MaxNewTokens = 12, IgnoreEos = true, Temperature = 0.8, TopP = 0.9, Seed = 7 };
        var together = Generator.Generate(loaded.Model, prompts, options);
        var apart = prompts.Select(prompt => Generator.Generate(loaded.Model, [prompt], options)[0]);
        Assert.Equal(apart.Select(g => g.TokenIds), together.Select(g => g.TokenIds));
    }

    [Fact]
    public void Generate_GreedyBatchOnDefaultDevice_SameTokensAsOneByOne()
    {
        using var loaded = new Loaded("gpt2");
        int[][] prompts = [Loaded.Ids(5, 3), Loaded.Ids(6, 17), Loaded.Ids(7, 1), Loaded.Ids(8, 9)];
        var options = new GenerationOptions { MaxNewTokens = 12, IgnoreEos = true };
        var together = Generator.Generate(loaded.Model, prompts, options);
        var apart = prompts.Select(prompt => Generator.Generate(loaded.Model, [prompt], options)[0]);
        Assert.Equal(apart.Select(g => g.TokenIds), together.Select(g => g.TokenIds));
    }

    [Theory]
    [InlineData("llama-gqa")]
    [InlineData("gpt2")]
    [InlineData("bloom")]
    public void GenerateBehind_PrefixesOfDifferentLengths_SameTokensAsOneByOne(string name)
    {
        using var loaded = new Loaded(name, Loaded.NewDevice("reference"));
        using var a = DeepThinking.Begin(loaded.Model, Loaded.Ids(1, 5), new ThinkOptions());
        using var b = DeepThinking.Begin(loaded.Model, Loaded.Ids(2, 9), new ThinkOptions());
        KeptKv?[] kept = [a, b, null, a];
        int[][] prompts = [Loaded.Ids(5, 3), Loaded.Ids(6, 7), Loaded.Ids(7, 1), Loaded.Ids(8, 4)];
        var options = new GenerationOptions { MaxNewTokens = 6, IgnoreEos = true };
        var together = Generator.GenerateBehind(loaded.Model, prompts, options, kept);
        var apart = prompts.Zip(kept, (prompt, own) => Generator.Generate(loaded.Model, [prompt], options, own)[0]);
        Assert.Equal(apart.Select(g => g.TokenIds), together.Select(g => g.TokenIds));
        // A prompt continues differently without its prefix, else nothing was tested.
        Assert.NotEqual(Generator.Generate(loaded.Model, prompts, options).Select(g => g.TokenIds), together.Select(g => g.TokenIds));
    }

    [Fact]
    public void ScoreBehind_PrefixesOfDifferentLengths_SameScoresAsOneByOne()
    {
        using var loaded = new Loaded("mistral", Loaded.NewDevice("reference"));
        using var a = DeepThinking.Begin(loaded.Model, Loaded.Ids(1, 5), new ThinkOptions());
        using var b = DeepThinking.Begin(loaded.Model, Loaded.Ids(2, 9), new ThinkOptions());
        KeptKv?[] kept = [a, null, b, a];
        OptionQuery[] queries = [.. Enumerable.Range(0, 4).Select(i => new OptionQuery(Loaded.Ids(20 + i, 3 + i), [[5], [6, 7], [8, 9, 10]]))];
        var together = OptionScorer.ScoreBehind(loaded.Model, queries, kept);
        for (var i = 0; i < queries.Length; i++)
        {
            var alone = OptionScorer.Score(loaded.Model, [queries[i]], kept[i])[0];
            Assert.All(alone.Zip(together[i]), pair => Assert.Equal(pair.First.LogProbability, pair.Second.LogProbability, 1e-10));
        }
    }

    [Fact]
    public void Generate_TopKOne_EqualsGreedy()
    {
        using var loaded = new Loaded("llama-gqa");
        int[][] prompt = [Loaded.Ids(9, 6)];
        var greedy = Generator.Generate(loaded.Model, prompt, new GenerationOptions { MaxNewTokens = 10, IgnoreEos = true });
        var sampled = Generator.Generate(
            loaded.Model, prompt, new GenerationOptions { MaxNewTokens = 10, IgnoreEos = true, Temperature = 1.3, TopK = 1, Seed = 3 });
        Assert.Equal(greedy[0].TokenIds, sampled[0].TokenIds);
    }

    [Fact]
    public void Generate_UpToLastPosition_StopsByLengthWithoutError()
    {
        using var loaded = new Loaded("gpt2");
        var positions = loaded.Model.Config.MaxPositionEmbeddings;
        var result = Generator.Generate(
            loaded.Model, [Loaded.Ids(10, positions - 2)], new GenerationOptions { MaxNewTokens = 50, IgnoreEos = true })[0];
        Assert.Equal((3, FinishReason.Length), (result.TokenIds.Count, result.Finish));
    }

    [Fact]
    public void Prompt_LongerThanPositions_IsUsageError()
    {
        using var loaded = new Loaded("gpt2");
        var positions = loaded.Model.Config.MaxPositionEmbeddings;
        var error = Assert.Throws<UsageException>(() => loaded.Logits(Loaded.Ids(11, positions + 1)));
        Assert.Contains($"{positions + 1}", error.Message);
        Assert.Contains($"{positions}", error.Message);
    }

    [Fact]
    public void Generate_PerToken_AllocatesAlmostNothing()
    {
        using var loaded = new Loaded("llama-gqa");
        var prompt = Loaded.Ids(12, 4);
        Generate(120);
        var few = Generate(20);
        var many = Generate(120);
        // The list of generated ids grows; nothing else may.
        Assert.InRange(many - few, 0, 100 * 24);

        long Generate(int tokens)
        {
            var options = new GenerationOptions { MaxNewTokens = tokens, IgnoreEos = true };
            var before = GC.GetAllocatedBytesForCurrentThread();
            Generator.Generate(loaded.Model, [prompt], options);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    [Fact]
    public void Score_OptionsOfSeveralTokens_EqualSumsOfLogProbabilities()
    {
        using var loaded = new Loaded("mistral");
        var stem = Loaded.Ids(13, 7);
        int[][] options = [[5], [6, 7], [8, 9, 10, 11], [6, 9]];
        var scores = OptionScorer.Score(loaded.Model, [new OptionQuery(stem, options), new OptionQuery(stem[..3], options)]);
        for (var i = 0; i < options.Length; i++)
        {
            var rows = loaded.Logits([.. stem, .. options[i]]);
            var expected = options[i].Select((id, n) => LogSoftmax(rows[stem.Length - 1 + n], id)).Sum();
            Assert.Equal(expected, scores[0][i].LogProbability, 1e-4);
            Assert.Equal(expected / options[i].Length, scores[0][i].PerToken, 1e-4);
        }
    }

    [Theory]
    [InlineData(13)]
    [InlineData(LanguageModel.DefaultRowBudget + 90)]
    public void Score_OptionsOfOneToken_EqualLogProbabilities(int stemLength)
    {
        // No option goes on from the stem's keys and values; a stem of several passes itself does.
        using var loaded = new Loaded("bloom");
        var stem = Loaded.Ids(13, stemLength);
        var scores = OptionScorer.Score(loaded.Model, [new OptionQuery(stem, [[5], [6]]), new OptionQuery(stem[..3], [[5]])]);
        var last = loaded.Logits(stem)[^1];
        Assert.Equal(LogSoftmax(last, 5), scores[0][0].LogProbability, 1e-4);
        Assert.Equal(LogSoftmax(last, 6), scores[0][1].LogProbability, 1e-4);
        Assert.Equal(LogSoftmax(loaded.Logits(stem[..3])[^1], 5), scores[1][0].LogProbability, 1e-4);
    }

    internal static double LogSoftmax(double[] logits, int id)
    {
        var max = logits.Max();
        return logits[id] - max - Math.Log(logits.Sum(x => Math.Exp(x - max)));
    }
}
