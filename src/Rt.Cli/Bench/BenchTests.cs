// What every benchmark test does: the calls a user of the library makes, on random tokens.
using Rt.Core;
using Rt.Model;

namespace Rt.Cli.Bench;

/// <summary>The limit of the machine that a test runs into.</summary>
public enum BenchLimit
{
    /// <summary>Reading memory.</summary>
    ReadBandwidth,

    /// <summary>FP32 arithmetic.</summary>
    Arithmetic,

    /// <summary>Neither.</summary>
    None,
}

/// <summary>A prepared test.</summary>
/// <param name="Spec">Its name.</param>
/// <param name="Unit">tok/s, queries/s or ms.</param>
/// <param name="Units">Tokens or queries per repetition; passes per repetition where the unit is ms.</param>
/// <param name="Limit">The limit it is compared with.</param>
/// <param name="Run">One repetition; starts and stops the meter.</param>
public sealed record BenchTest(BenchSpec Spec, string Unit, int Units, BenchLimit Limit, Action<BenchMeter> Run) : IDisposable
{
    private readonly List<IDisposable> _state = [];

    /// <summary>Repetitions record their ops, to split a step's time; off where a repetition is too short for that.</summary>
    public bool AlwaysRecord { get; init; }

    /// <summary>Makes <paramref name="state"/> end with the test.</summary>
    public BenchTest Owning(params ReadOnlySpan<IDisposable> state)
    {
        _state.AddRange(state);
        return this;
    }

    /// <inheritdoc/>
    public void Dispose() => _state.ForEach(state => state.Dispose());
}

/// <summary>Prepares tests on a model.</summary>
/// <param name="model">The model.</param>
/// <param name="seed">Seed of the random tokens.</param>
/// <param name="cancellation">Noticed between passes.</param>
public sealed class BenchTests(LanguageModel model, ulong seed, CancellationToken cancellation)
{
    private static readonly ThinkOptions Think = new() { StepSize = 0.01, Momentum = 0.9 };

    /// <summary>Makes tokens, kept prefixes and vectors that a test needs.</summary>
    /// <exception cref="UsageException">The test needs more positions than the model has.</exception>
    public BenchTest Prepare(BenchSpec spec) => spec.Kind switch
    {
        BenchKind.Prefill => Prefill(spec),
        BenchKind.Decode => Decode(spec),
        BenchKind.Think => ThinkStep(spec),
        BenchKind.Update => Update(spec),
        BenchKind.Score => Score(spec),
        BenchKind.Sweep => Sweep(spec),
        BenchKind.Extract => Extract(spec),
        _ => throw new ArgumentException($"{spec} does not run on a loaded model"),
    };

    /// <summary>From the folder to the first token, with a device of its own every time.</summary>
    public static BenchTest Load(string folder, Func<IDevice> createDevice, ulong seed) =>
        new(new BenchSpec(BenchKind.Load, 1, 1, 0), "ms", 1, BenchLimit.None, meter =>
        {
            meter.Start();
            using var device = createDevice();
            using var model = LanguageModel.Load(folder, device);
            Generator.Generate(model, [Tokens(model, seed, 1)], new GenerationOptions { MaxNewTokens = 1, IgnoreEos = true });
            meter.Stop();
        });

    private BenchTest Prefill(BenchSpec spec)
    {
        RequirePositions(spec, spec.Depth + spec.Length);
        var prompt = Tokens(model, seed, spec.Length);
        var kept = Keep(spec.Depth);
        var options = new GenerationOptions { MaxNewTokens = 1, IgnoreEos = true };
        var test = new BenchTest(spec, "tok/s", spec.Length, BenchLimit.Arithmetic, meter =>
        {
            meter.Start();
            Generator.Generate(model, [prompt], options, kept, cancellation: cancellation);
            meter.Stop();
        });
        return kept is null ? test : test.Owning(kept);
    }

    private BenchTest Decode(BenchSpec spec)
    {
        // The first token ends the prompt's pass; the tokens after it are the ones measured.
        var prompt = Tokens(model, seed, Math.Max(1, spec.Depth));
        RequirePositions(spec, prompt.Length + spec.Length);
        var options = new GenerationOptions { MaxNewTokens = spec.Length + 1, IgnoreEos = true };
        return new BenchTest(spec, "tok/s", spec.Length, BenchLimit.ReadBandwidth, meter =>
        {
            var tokens = 0;
            Generator.Generate(model, [prompt], options, onToken: (_, _, _) =>
            {
                if (tokens == 0)
                {
                    meter.Start();
                }
                else if (tokens == spec.Length)
                {
                    meter.Stop();
                }

                tokens++;
            }, cancellation: cancellation);
        });
    }

    private BenchTest ThinkStep(BenchSpec spec)
    {
        RequirePositions(spec, 2 * spec.Length);
        var kept = Keep(spec.Length)!;
        return new BenchTest(spec, "ms", 1, BenchLimit.Arithmetic, meter =>
        {
            meter.Start();
            DeepThinking.Step([kept], Think);
            meter.Stop();
        })
        {
            AlwaysRecord = true,
        }.Owning(kept);
    }

    private BenchTest Update(BenchSpec spec)
    {
        // Several passes make a repetition, so that the clock and the waking of threads do not matter.
        const int Passes = 10;
        KvCache[] caches = [.. Enumerable.Range(0, 3).Select(i => model.NewCache(1, spec.Length, type: i == 0 ? null : model.Device.MasterType))];
        var device = model.Device;
        var values = RandomValues(caches[0][0].Key.Count);
        foreach (var cache in caches)
        {
            for (var layer = 0; layer < cache.Layers; layer++)
            {
                device.Upload(values, cache[layer].Key);
                device.Upload(values, cache[layer].Value);
            }
        }

        var norms = device.Allocate(DType.F64, 1, 1, 2);
        var squares = new double[2];
        var step = new MetaGradientStep(Think.StepSize, Think.Momentum, device.MasterType);
        return new BenchTest(spec, "ms", Passes, BenchLimit.ReadBandwidth, meter =>
        {
            meter.Start();
            for (var pass = 0; pass < Passes; pass++)
            {
                cancellation.ThrowIfCancellationRequested();
                for (var layer = 0; layer < caches[0].Layers; layer++)
                {
                    device.AccumulateMetaGradient(caches[0][layer], caches[1][layer], caches[2][layer], step, norms);
                }
            }

            // Whoever computes later than it is asked to has now done all of it.
            device.Download(norms, squares);
            meter.Stop();
        }).Owning([.. caches, norms.Storage]);
    }

    private BenchTest Score(BenchSpec spec)
    {
        RequirePositions(spec, spec.Depth + spec.Length + 1);
        var kept = Keep(spec.Depth);
        var queries = Prompts(spec).Select((prompt, i) =>
        {
            var options = Tokens(model, seed + 0x10000 + (ulong)i, 2);
            return new OptionQuery(prompt, [[options[0]], [options[1]]]);
        }).ToArray();
        var test = new BenchTest(spec, "queries/s", spec.Count, BenchLimit.Arithmetic, meter =>
        {
            meter.Start();
            OptionScorer.Score(model, queries, kept, cancellation);
            meter.Stop();
        });
        return kept is null ? test : test.Owning(kept);
    }

    private BenchTest Sweep(BenchSpec spec)
    {
        RequirePositions(spec, spec.Length);
        var vectors = Enumerable.Range(0, model.Config.NumHiddenLayers).Select(_ => RandomValues(model.Config.HiddenSize)).ToArray();
        var vector = new TaskVector(vectors, null, Point.Post, 1);
        var queries = Prompts(spec).Select(prompt => new PatchedQuery(prompt, vector)).ToArray();
        int[] layers = [.. Enumerable.Range(0, model.Config.NumHiddenLayers)];
        return new BenchTest(spec, "ms", 1, BenchLimit.Arithmetic, meter =>
        {
            meter.Start();
            LayerSweep.Predict(model, queries, layers, cancellation);
            meter.Stop();
        });
    }

    private BenchTest Extract(BenchSpec spec)
    {
        RequirePositions(spec, spec.Length);
        int[][] prompts = [.. Prompts(spec)];
        return new BenchTest(spec, "ms", 1, BenchLimit.Arithmetic, meter =>
        {
            meter.Start();
            TaskVector.ExtractEach(model, prompts, cancellation: cancellation);
            meter.Stop();
        });
    }

    private KeptKv? Keep(int length) =>
        length == 0 ? null : DeepThinking.Begin(model, Tokens(model, seed + 1, length), Think, cancellation);

    private IEnumerable<int[]> Prompts(BenchSpec spec) =>
        Enumerable.Range(0, spec.Count).Select(i => Tokens(model, seed + 2 + (ulong)i, spec.Length));

    private void RequirePositions(BenchSpec spec, int positions)
    {
        if (positions > model.Config.PositionLimit)
        {
            throw new UsageException(
                $"test {spec}: needs {positions} positions, {model.Folder} has {model.Config.PositionLimit} (max_position_embeddings)");
        }
    }

    private static int[] Tokens(LanguageModel model, ulong seed, int count)
    {
        var random = new Random(unchecked((int)(seed * 0x9E3779B1 + 12345)));
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(model.Config.VocabularySize))];
    }

    private double[] RandomValues(long count)
    {
        var random = new Random(unchecked((int)seed));
        return [.. Enumerable.Range(0, checked((int)count)).Select(_ => random.NextDouble() - 0.5)];
    }
}
