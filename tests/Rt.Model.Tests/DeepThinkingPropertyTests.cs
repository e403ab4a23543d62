// What must hold for the think stage, whatever the model: its limits, its masks, its files.
using Rt.Core;

namespace Rt.Model.Tests;

public class DeepThinkingPropertyTests
{
    private static readonly int[] Demonstrations = Loaded.Ids(21, 15);

    public static TheoryData<string, string> FamiliesAndDevices()
    {
        var data = new TheoryData<string, string>();
        foreach (var family in new[] { "gpt2", "opt-350m", "gptj", "neox", "bloom", "gpt-neo", "llama-gqa", "mistral", "gemma3", "phi" })
        {
            data.Add(family, "reference");
            data.Add(family, "cpu");
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(FamiliesAndDevices))]
    public void Think_StepSizeZero_LeavesKvBitEqual(string family, string device)
    {
        using var loaded = new Loaded(family, Loaded.NewDevice(device));
        var options = new ThinkOptions { StepSize = 0, Steps = 3 };
        using var kept = DeepThinking.Begin(loaded.Model, Demonstrations, options);
        using var first = kept.Fork();
        DeepThinking.Step([kept], options);
        DeepThinking.Step([kept], options);
        Assert.All(kept.DistanceTo(first), distance => Assert.Equal((0.0, 0.0), distance));
        Assert.Equal(3, kept.Origin.Steps);
    }

    [Theory]
    [MemberData(nameof(FamiliesAndDevices))]
    public void Think_StepSizeOneNoMomentum_GivesTheNewKeysAndValues(string family, string device)
    {
        using var loaded = new Loaded(family, Loaded.NewDevice(device));
        var full = new ThinkOptions { StepSize = 1, Momentum = 0 };
        var part = new ThinkOptions { StepSize = 0.3, Momentum = 0 };
        using var first = DeepThinking.Begin(loaded.Model, Demonstrations, full);
        using var all = first.Fork();
        using var some = first.Fork();
        var change = DeepThinking.Step([all], full)[0];
        DeepThinking.Step([some], part);
        var rounding = device == "reference" ? 1e-12 : 1e-5;
        for (var layer = 0; layer < loaded.Model.Config.NumHiddenLayers; layer++)
        {
            // KV = (1 - η) KV_old + η KV_new, the closed form without momentum.
            var expected = first.Keys(layer).Zip(all.Keys(layer), (old, next) => 0.7 * old + 0.3 * next);
            Assert.InRange(Rows.Difference([[.. expected]], [some.Keys(layer)]), 0, rounding);
            var norm = Math.Sqrt(first.Values(layer).Zip(all.Values(layer), (old, next) => (next - old) * (next - old)).Sum());
            Assert.Equal(norm, change[layer].ValueGradient, rounding * 10);
        }
    }

    [Theory]
    [MemberData(nameof(FamiliesAndDevices))]
    public void Think_AlignedPositions_LayerZeroMetaGradientIsExactlyZero(string family, string device)
    {
        using var loaded = new Loaded(family, Loaded.NewDevice(device));
        var options = new ThinkOptions { Positions = PositionsMode.Aligned };
        using var kept = DeepThinking.Begin(loaded.Model, Demonstrations, options);
        var change = DeepThinking.Step([kept], options)[0];
        Assert.Equal((0.0, 0.0), (change[0].KeyGradient, change[0].ValueGradient));
        Assert.All(change[1..], layer => Assert.True(layer.ValueGradient > 0));
    }

    [Theory]
    [InlineData("llama-gqa", true)]
    [InlineData("neox", true)]
    [InlineData("bloom", false)]
    public void Think_PaperPositions_LayerZeroValuesDoNotMove(string family, bool keysMove)
    {
        using var loaded = new Loaded(family);
        var options = new ThinkOptions();
        using var kept = DeepThinking.Begin(loaded.Model, Demonstrations, options);
        var change = DeepThinking.Step([kept], options)[0];
        Assert.Equal(0.0, change[0].ValueGradient);
        Assert.Equal(keysMove, change[0].KeyGradient > 0);
    }

    [Theory]
    [MemberData(nameof(FamiliesAndDevices))]
    public void Think_OneStep_EqualsPlainPrompting(string family, string device)
    {
        using var loaded = new Loaded(family, Loaded.NewDevice(device));
        using var kept = DeepThinking.Begin(loaded.Model, Demonstrations, new ThinkOptions());
        var query = Loaded.Ids(22, 6);
        var prompted = loaded.Logits([.. Demonstrations, .. query])[Demonstrations.Length..];
        Assert.InRange(Rows.Difference(prompted, loaded.Logits(query, kept)), 0, device == "reference" ? 1e-12 : 1e-4);
    }

    [Fact]
    public void Think_OneStepBatchInvariant_EqualsPlainPromptingBitForBit()
    {
        using var loaded = new Loaded("llama-gqa", Loaded.NewDevice("cpu invariant"));
        using var kept = DeepThinking.Begin(loaded.Model, Demonstrations, new ThinkOptions());
        using var whole = new Sequence(loaded.Model, Demonstrations.Length);
        whole.Append(Demonstrations);
        for (var layer = 0; layer < loaded.Model.Config.NumHiddenLayers; layer++)
        {
            Assert.Equal(whole.Keys(layer), kept.Keys(layer));
            Assert.Equal(whole.Values(layer), kept.Values(layer));
        }
    }

    [Fact]
    public void Think_SeveralSetsTogether_EqualsEachAlone()
    {
        using var loaded = new Loaded("llama-gqa", Loaded.NewDevice("cpu invariant"));
        int[][] sets = [Loaded.Ids(31, 9), Loaded.Ids(32, 20), Loaded.Ids(33, 2)];
        var options = new ThinkOptions { StepSize = 0.1 };
        var together = sets.Select(ids => DeepThinking.Begin(loaded.Model, ids, options)).ToArray();
        var changes = DeepThinking.Step(together, options);
        changes = DeepThinking.Step(together, options);
        for (var i = 0; i < sets.Length; i++)
        {
            using var alone = DeepThinking.Begin(loaded.Model, sets[i], options);
            DeepThinking.Step([alone], options);
            Assert.Equal(DeepThinking.Step([alone], options)[0], changes[i]);
            Assert.All(alone.DistanceTo(together[i]), distance => Assert.Equal((0.0, 0.0), distance));
            together[i].Dispose();
        }
    }

    [Fact]
    public void Think_Masks_MoveOnlyWhatTheyName()
    {
        using var loaded = new Loaded("gpt2");
        var options = new ThinkOptions { StepSize = 0.5, Layers = new HashSet<int> { 1 }, UpdateKey = false };
        using var kept = DeepThinking.Begin(loaded.Model, Demonstrations, options);
        using var first = kept.Fork();
        DeepThinking.Step([kept], options);
        var distances = kept.DistanceTo(first);
        Assert.Equal((0.0, 0.0), distances[0]);
        Assert.Equal(0.0, distances[1].Key);
        Assert.True(distances[1].Value > 0);
        Assert.Equal((0.0, 0.0), distances[2]);
    }

    [Fact]
    public void Think_ModelDtypePrecision_KeepsValuesOfThatDtype()
    {
        using var loaded = new Loaded("llama-gqa-bf16");
        var options = new ThinkOptions { StepSize = 0.1, Precision = DType.BF16 };
        using var kept = DeepThinking.Begin(loaded.Model, Demonstrations, options);
        DeepThinking.Step([kept], options);
        DeepThinking.Step([kept], options);
        Assert.All(kept.Keys(2), value => Assert.Equal(Rounding.To(DType.BF16, value), value));
        using var master = DeepThinking.Begin(loaded.Model, Demonstrations, options with { Precision = null });
        DeepThinking.Step([master], options with { Precision = null });
        DeepThinking.Step([master], options with { Precision = null });
        Assert.All(kept.DistanceTo(master), distance => Assert.InRange(distance.Key, 1e-6, 1));
    }

    [Fact]
    public void Think_ChoosingAStep_KeepsTheFirstBest()
    {
        using var loaded = new Loaded("gpt2");
        using var kept = DeepThinking.Begin(loaded.Model, Demonstrations, new ThinkOptions());
        var scores = new Queue<double>([0.1, 0.7, 0.7, 0.2]);
        var result = DeepThinking.Think(kept, new ThinkOptions { Steps = 4 }, StepChoice.Dev, _ => scores.Dequeue());
        using (result.Kept)
        {
            Assert.Equal(2, result.Kept.Origin.Steps);
            Assert.Equal([1, 2, 3, 4], result.Steps.Select(step => step.Step));
            Assert.Equal([0.1, 0.7, 0.7, 0.2], result.Steps.Select(step => step.Score));
            Assert.Equal(4, kept.Origin.Steps);
        }
    }

    [Fact]
    public void Think_ReportedDisplacement_IsTheDistanceFromStepOne()
    {
        using var loaded = new Loaded("opt");
        var options = new ThinkOptions { Steps = 5, StepSize = 0.1 };
        using var kept = DeepThinking.Begin(loaded.Model, Demonstrations, options);
        using var first = kept.Fork();
        using var result = DeepThinking.Think(kept, options).Kept;
        var report = DeepThinking.Think(first.Fork(), options).Steps[^1].Layers;
        foreach (var (layer, distance) in result.DistanceTo(first).Index())
        {
            Assert.Equal(distance.Key, report[layer].KeyDisplacement, 1e-4);
            Assert.Equal(distance.Value, report[layer].ValueDisplacement, 1e-4);
        }
    }

    [Fact]
    public void KeptKv_SavedAndResumed_ThinksOnBitForBit()
    {
        using var loaded = new Loaded("llama-gqa");
        var path = Path.Combine(Path.GetTempPath(), $"rt-{Guid.NewGuid():n}.safetensors");
        var options = new ThinkOptions { StepSize = 0.1 };
        try
        {
            using var kept = DeepThinking.Begin(loaded.Model, Demonstrations, options);
            DeepThinking.Step([kept], options);
            kept.Save(path);
            using var resumed = KeptKv.Load(path, loaded.Model);
            Assert.Equal(kept.Origin with { DemonstrationIds = [] }, resumed.Origin with { DemonstrationIds = [] });
            Assert.Equal(Demonstrations, resumed.Origin.DemonstrationIds);
            DeepThinking.Step([kept], options);
            DeepThinking.Step([resumed], options);
            Assert.All(kept.DistanceTo(resumed), distance => Assert.Equal((0.0, 0.0), distance));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void KeptKv_LoadedWithAnotherModel_NamesFileFieldExpectedAndFound()
    {
        using var loaded = new Loaded("llama-gqa");
        using var other = new Loaded("llama-gqa-bf16");
        var path = Path.Combine(Path.GetTempPath(), $"rt-{Guid.NewGuid():n}.safetensors");
        try
        {
            using var kept = DeepThinking.Begin(loaded.Model, Demonstrations, new ThinkOptions());
            kept.Save(path, withVelocity: false);
            var error = Assert.Throws<BadFileException>(() => KeptKv.Load(path, other.Model));
            Assert.Equal(3, error.ExitCode);
            Assert.Contains(path, error.Message);
            Assert.Contains("model: expected", error.Message);
            using var same = KeptKv.Load(path, loaded.Model);
            Assert.False(same.HasVelocity);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void KeptKv_Fork_IsIndependent()
    {
        using var loaded = new Loaded("gpt2");
        var options = new ThinkOptions { StepSize = 0.5 };
        using var kept = DeepThinking.Begin(loaded.Model, Demonstrations, options);
        using var fork = kept.Fork();
        DeepThinking.Step([fork], options);
        Assert.Equal(1, kept.Origin.Steps);
        Assert.Contains(kept.DistanceTo(fork), distance => distance.Key > 0);
    }

    [Fact]
    public void Think_PositionsExhausted_IsUsageError()
    {
        using var loaded = new Loaded("gpt2");
        var ids = Loaded.Ids(40, 40);
        using var kept = DeepThinking.Begin(loaded.Model, ids, new ThinkOptions());
        Assert.Throws<UsageException>(() => DeepThinking.Step([kept], new ThinkOptions()));
        DeepThinking.Step([kept], new ThinkOptions { Positions = PositionsMode.Aligned });
        Assert.Equal(2, kept.Origin.Steps);
    }

    [Fact]
    public void Think_MoreTokensThanOnePassHolds_EqualsTheReference()
    {
        var ids = Loaded.Ids(41, 100);
        var options = new ThinkOptions { StepSize = 0.1, Positions = PositionsMode.Aligned };
        using var fast = new Loaded("llama3-rope");
        using var exact = new Loaded("llama3-rope", Loaded.NewDevice("reference"));
        using var a = DeepThinking.Begin(fast.Model, ids, options);
        using var b = DeepThinking.Begin(exact.Model, ids, options);
        DeepThinking.Step([a], options);
        DeepThinking.Step([b], options);
        for (var layer = 0; layer < 2; layer++)
        {
            Assert.InRange(Rows.Difference([b.Keys(layer)], [a.Keys(layer)]), 0, 1e-4);
        }
    }
}
