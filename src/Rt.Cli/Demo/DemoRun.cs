// What the demo computes: think, infer without demonstrations, extract, sweep and patch, with the checks that show they are right.
using System.Diagnostics;
using Rt.Core;
using Rt.Eval;
using Rt.Model;

namespace Rt.Cli.Demo;

/// <summary>Everything the demo found.</summary>
internal sealed record DemoResult
{
    /// <summary>The think stage.</summary>
    public required ThinkResult Thought { get; init; }

    /// <summary>Wall time of step 1.</summary>
    public required double FirstMs { get; init; }

    /// <summary>Largest difference between logits behind kept KV of one step and logits of the plain few-shot prompt, over all queries.</summary>
    public required double FewShotDifference { get; init; }

    /// <summary>Largest logit of the few-shot prompts, to compare the difference with.</summary>
    public required double LargestLogit { get; init; }

    /// <summary>Accuracy without demonstrations.</summary>
    public required Accuracy ZeroShot { get; init; }

    /// <summary>Accuracy behind the plain prefix (step 1).</summary>
    public required Accuracy FewShot { get; init; }

    /// <summary>Accuracy behind the kept KV of the last step.</summary>
    public required Accuracy AfterThinking { get; init; }

    /// <summary>A continuation behind the kept KV.</summary>
    public required string Continuation { get; init; }

    /// <summary>Tokens per second of that continuation, one at a time.</summary>
    public required double TokensPerSecond { get; init; }

    /// <summary>The task vector, all layers.</summary>
    public required TaskVector Vector { get; init; }

    /// <summary>Prompts averaged into it.</summary>
    public required int Prompts { get; init; }

    /// <summary>Per layer, how many of the sweep's predictions differ from the unpatched ones.</summary>
    public required int[] ChangedByLayer { get; init; }

    /// <summary>Queries of the sweep.</summary>
    public required int SweepQueries { get; init; }

    /// <summary>Whether the patch changed the logits while in scope.</summary>
    public required bool PatchChangedLogits { get; init; }

    /// <summary>Whether logits after the scope are those before it, bit for bit.</summary>
    public required bool BitEqualAfterPatch { get; init; }
}

/// <summary>Runs the demo's computations.</summary>
internal static class DemoRun
{
    private const int PatchedLayer = 2;
    private const int ContinuationTokens = 64;

    /// <summary>Runs all of it on a loaded demo model.</summary>
    public static DemoResult Run(LanguageModel model, string folder, ThinkOptions options, CancellationToken cancellation)
    {
        var pairs = DemonstrationFile.Read(Path.Combine(folder, DemoModel.Demonstrations)).Pairs;
        var queries = QueryFile.Read(Path.Combine(folder, DemoModel.Queries));
        var template = PromptTemplate.DeepThinking;
        var demonstrations = model.Encode(template.Demonstrations(pairs));
        var stems = queries.Select(query => model.Encode(template.Query(query.Input!), addSpecialTokens: false)).ToArray();
        // The first pass also compiles the code and makes the buffers; it is not what is timed.
        DeepThinking.Begin(model, demonstrations, options, cancellation).Dispose();

        var clock = Stopwatch.StartNew();
        using var kept = DeepThinking.Begin(model, demonstrations, options, cancellation);
        var firstMs = clock.Elapsed.TotalMilliseconds;
        var (difference, largest) = CompareWithFewShot(model, kept, demonstrations, stems);
        var zeroShot = Score(model, queries, template, null, cancellation);
        var fewShot = Score(model, queries, template, kept, cancellation);
        var thought = DeepThinking.Think(kept, options, cancellation: cancellation);
        var (continuation, tokensPerSecond) = Continue(model, stems[0], thought.Kept, cancellation);
        var prompts = FewShotDraw.Draw(pairs, datasets: 5, shots: 5, dummies: 2, seed: 0)
            .SelectMany(set => set.Prompts(PromptTemplate.TaskVector)).Select(text => model.Encode(text)).ToArray();
        var vector = TaskVector.Extract(model, prompts, cancellation: cancellation);
        var zeroShotPrompts = queries.Select(query => model.Encode(PromptTemplate.TaskVector.Query(query.Input!))).ToArray();
        var (changed, bitEqual) = PatchOnce(model, zeroShotPrompts[0], vector);
        return new DemoResult
        {
            Thought = thought,
            FirstMs = firstMs,
            FewShotDifference = difference,
            LargestLogit = largest,
            ZeroShot = zeroShot,
            FewShot = fewShot,
            AfterThinking = Score(model, queries, template, thought.Kept, cancellation),
            Continuation = continuation,
            TokensPerSecond = tokensPerSecond,
            Vector = vector,
            Prompts = prompts.Length,
            ChangedByLayer = Sweep(model, zeroShotPrompts, vector, cancellation),
            SweepQueries = zeroShotPrompts.Length,
            PatchChangedLogits = changed,
            BitEqualAfterPatch = bitEqual,
        };
    }

    private static (double Difference, double Largest) CompareWithFewShot(LanguageModel model, KeptKv kept, int[] demonstrations, int[][] stems)
    {
        var (difference, largest) = (0.0, 0.0);
        foreach (var stem in stems)
        {
            using var prompted = new Sequence(model, demonstrations.Length + stem.Length);
            using var behind = new Sequence(model, stem.Length, kept);
            var expected = prompted.Append([.. demonstrations, .. stem])[demonstrations.Length..];
            foreach (var (a, b) in expected.Zip(behind.Append(stem)))
            {
                for (var i = 0; i < a.Length; i++)
                {
                    difference = Math.Max(difference, Math.Abs(a[i] - b[i]));
                    largest = Math.Max(largest, Math.Abs(a[i]));
                }
            }
        }

        return (difference, largest);
    }

    private static Accuracy Score(
        LanguageModel model, IReadOnlyList<Query> queries, PromptTemplate template, KeptKv? kept, CancellationToken cancellation)
    {
        var scoring = new OptionScoring(model, queries, template, addSpecialTokens: kept is null);
        return OptionScoring.AccuracyOf(scoring.Score(kept, queries.Count, null, cancellation))!.Value;
    }

    private static (string Text, double TokensPerSecond) Continue(LanguageModel model, int[] stem, KeptKv kept, CancellationToken cancellation)
    {
        var options = new GenerationOptions { MaxNewTokens = ContinuationTokens, IgnoreEos = true };
        var clock = Stopwatch.StartNew();
        var first = TimeSpan.Zero;
        var generation = Generator.Generate(
            model, [stem], options, kept, (_, _, _) => first = first == TimeSpan.Zero ? clock.Elapsed : first, cancellation)[0];
        return (generation.Text ?? "", (generation.TokenIds.Count - 1) / (clock.Elapsed - first).TotalSeconds);
    }

    private static (bool Changed, bool BitEqualAfter) PatchOnce(LanguageModel model, int[] prompt, TaskVector vector)
    {
        var before = Logits();
        double[] patched;
        using (model.Patch(new ResidualPoint(PatchedLayer, Point.Post), vector[PatchedLayer]))
        {
            patched = Logits();
        }

        return (!before.AsSpan().SequenceEqual(patched), before.AsSpan().SequenceEqual(Logits()));

        double[] Logits()
        {
            using var sequence = new Sequence(model, prompt.Length);
            return sequence.Append(prompt)[^1];
        }
    }

    private static int[] Sweep(LanguageModel model, int[][] prompts, TaskVector vector, CancellationToken cancellation)
    {
        var layers = Enumerable.Range(0, model.Config.NumHiddenLayers).ToArray();
        var plain = prompts.Select(prompt =>
        {
            using var sequence = new Sequence(model, prompt.Length);
            var logits = sequence.Append(prompt)[^1];
            return Array.IndexOf(logits, logits.Max());
        }).ToArray();
        var predicted = LayerSweep.Predict(model, [.. prompts.Select(prompt => new PatchedQuery(prompt, vector))], layers, cancellation);
        return [.. layers.Select(layer => predicted.Where((tokens, query) => tokens[layer] != plain[query]).Count())];
    }
}
