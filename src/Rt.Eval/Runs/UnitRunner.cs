// Measures one unit: every method and control on the same draws.
using System.Diagnostics;
using Rt.Core;
using Rt.Model;

namespace Rt.Eval;

/// <summary>Runs units of work.</summary>
/// <param name="model">The model.</param>
/// <param name="shuffled">The model with shuffled weights, for its control; null where it is not wanted.</param>
/// <param name="settings">What is measured.</param>
/// <param name="fingerprint">Of the run.</param>
public sealed class UnitRunner(LanguageModel model, LanguageModel? shuffled, EvalSettings settings, string fingerprint)
{
    private const int TopTokens = 10;

    /// <summary>Measures a unit.</summary>
    /// <param name="unit">The unit.</param>
    /// <param name="stage">Told what is at work.</param>
    /// <param name="cancellation">Noticed between passes; nothing of the unit is then kept.</param>
    /// <exception cref="UsageException">A prompt does not fit the model; the message names the task.</exception>
    public UnitRecord Run(EvalUnit unit, Action<string>? stage = null, CancellationToken cancellation = default)
    {
        try
        {
            var record = unit.Written is null ? RunTask(unit, stage, cancellation) : RunConflict(unit, stage, cancellation);
            return settings.Timing ? record with { Finished = DateTimeOffset.UtcNow.ToUnixTimeSeconds() } : record;
        }
        catch (UsageException e)
        {
            throw new UsageException($"task '{unit.Task.Name}': {e.Message}", e);
        }
    }

    private UnitRecord RunTask(EvalUnit unit, Action<string>? stage, CancellationToken cancellation)
    {
        var measurements = new List<Measurement>();
        var plain = new SetsRun(model, unit.Task, unit.Sets, null, settings, measurements, cancellation);
        plain.Run(stage);
        if (settings.Has(Methods.Repeated))
        {
            stage?.Invoke(Methods.Repeated);
            plain.Repeated();
        }

        if (settings.Has(Methods.SelectionOnly))
        {
            stage?.Invoke(Methods.SelectionOnly);
            plain.SelectionOnly();
        }

        if (settings.Has(Methods.ShuffledLabels))
        {
            var sets = unit.Sets.Select(DemonstrationDraw.ShuffleLabels).ToArray();
            new SetsRun(model, unit.Task, sets, Methods.ShuffledLabels, settings, measurements, cancellation).Run(stage);
        }

        if (shuffled is not null)
        {
            new SetsRun(shuffled, unit.Task, unit.Sets, Methods.RandomWeights, settings, measurements, cancellation).Run(stage);
        }

        return new UnitRecord
        {
            Id = unit.Id,
            Fingerprint = fingerprint,
            Task = unit.Task.Name,
            Seed = unit.Seed,
            Sets = unit.Sets,
            Measurements = measurements,
            KeyGradientNorms = plain.KeyNorms,
            ValueGradientNorms = plain.ValueNorms,
            TopTokens = plain.Vectors.Count == 0 ? [] : ReadOut(plain.Vectors),
            Vectors = Values(plain.Vectors),
        };
    }

    /// <summary>Few-shot prompts of the shown task, with the written task's vector at every layer; the layer can be chosen by the written
    /// task's zero-shot accuracy on development queries, as published.</summary>
    private UnitRecord RunConflict(EvalUnit unit, Action<string>? stage, CancellationToken cancellation)
    {
        stage?.Invoke(Methods.Conflicting);
        var vectors = new List<TaskVector>();
        var (shown, written) = (unit.Task, unit.Written!);
        var clock = Stopwatch.StartNew();
        var (prefixes, extracted) = (new List<int[]>(), 0L);
        foreach (var (a, b) in unit.Sets.Zip(unit.WrittenSets))
        {
            prefixes.Add(model.Encode(shown.Template.Demonstrations(a.Demonstrations.Select(example => example.Demonstration))));
            var prompts = SetsRun.ExtractionPrompts(model, written, b);
            extracted += prompts.Sum(prompt => (long)prompt.Length);
            vectors.Add(TaskVector.Extract(model, prompts, cancellation: cancellation));
        }

        var owners = unit.Sets.SelectMany((set, i) => set.Queries.Select(_ => i)).ToArray();
        var devOwners = unit.Sets.SelectMany((set, i) => set.Dev.Select(_ => i)).ToArray();
        var test = new TextBatch(
            model, shown.Template, [.. unit.Sets.SelectMany(set => set.Queries)],
            [.. unit.WrittenSets.SelectMany(set => set.Queries).Select(query => query.Output)], false, settings.FirstToken,
            [.. owners.Select(owner => prefixes[owner])]);
        var dev = new TextBatch(model, written.Template, [.. unit.WrittenSets.SelectMany(set => set.Dev)], [], true, settings.FirstToken);
        var layers = model.Config.NumHiddenLayers;
        var unpatched = test.Answer(new KeptKv?[owners.Length], cancellation);
        var iclMs = clock.Elapsed.TotalMilliseconds;
        var patched = test.Sweep([.. owners.Select(owner => vectors[owner])], layers, cancellation);
        var patchedMs = clock.Elapsed.TotalMilliseconds - iclMs;
        var chosenBy = devOwners.Length == 0 ? [] : dev.Sweep([.. devOwners.Select(owner => vectors[owner])], layers, cancellation);
        var tokens = test.TokenCounts.Sum(count => (long)count);
        return new UnitRecord
        {
            Id = unit.Id,
            Fingerprint = fingerprint,
            Task = shown.Name,
            Written = written.Name,
            Seed = unit.Seed,
            Sets = unit.Sets,
            WrittenSets = unit.WrittenSets,
            Measurements =
            [
                SetsRun.Measure(Methods.Icl, null, "", [0], [unpatched], [tokens], Timed([iclMs])) with { CorrectOther = [Bits(unpatched, outcome => outcome.CorrectOther)] },
                SetsRun.Measure(
                    Methods.Conflicting, null, "layer", [.. Enumerable.Range(0, layers)],
                    [.. patched.Select((outcomes, layer) => devOwners.Length == 0 ? outcomes : [.. outcomes, .. chosenBy[layer]])],
                    [.. Enumerable.Repeat(extracted + tokens, layers)], Timed([.. Enumerable.Repeat(patchedMs / layers, layers)])) with
                {
                    CorrectOther = [.. patched.Select(outcomes => Bits(outcomes, outcome => outcome.CorrectOther))],
                },
            ],
        };
    }

    private double[] Timed(double[] milliseconds) => settings.Timing ? milliseconds : [];

    private static string Bits(IEnumerable<Outcome> outcomes, Func<Outcome, bool> right) => string.Concat(outcomes.Select(outcome => right(outcome) ? '1' : '0'));

    private List<TopToken[]> ReadOut(IReadOnlyList<TaskVector> vectors)
    {
        var layers = Enumerable.Range(0, model.Config.NumHiddenLayers).ToArray();
        var mean = TaskVector.Mean([.. vectors.Select(vector => layers.Select(layer => vector[layer]).ToArray())]);
        return [.. layers.Select(layer => mean.TopTokens(model, layer, TopTokens)
            .Select(token => new TopToken(model.TokenName(token.TokenId), token.Logit)).ToArray())];
    }

    private static float[][][] Values(IReadOnlyList<TaskVector> vectors) =>
        [.. vectors.Select(vector => vector.Layers.Select(layer => Array.ConvertAll(vector[layer], value => (float)value)).ToArray())];
}
