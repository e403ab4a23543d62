// The table of a run, computed from unit records alone: choices of steps and layers, accuracies, errors, differences from icl.
using Rt.Core;
using Rt.Model;

namespace Rt.Eval;

/// <summary>Reads results off unit records.</summary>
public static class ResultTable
{
    private const ulong BootstrapSeed = 20230516;
    private static readonly string?[] Controls = [null, Methods.ShuffledLabels, Methods.RandomWeights];

    /// <summary>Rows task by task, in the order of the records; means over tasks last, where there are several.</summary>
    public static IReadOnlyList<ResultRow> Rows(IReadOnlyList<UnitRecord> records, ReadingSettings reading)
    {
        var rows = new List<ResultRow>();
        foreach (var task in records.Where(record => record.Written is null).GroupBy(record => record.Task))
        {
            rows.AddRange(TaskRows([.. task], reading));
        }

        var means = rows.Select(row => row.Task).Distinct().Count() > 1
            ? rows.GroupBy(row => (row.Method, row.Control)).Select(group => MeanRow([.. group], reading)).ToArray()
            : [];
        foreach (var pair in records.Where(record => record.Written is not null).GroupBy(record => (record.Task, record.Written)))
        {
            rows.AddRange(ConflictRows([.. pair], reading));
        }

        return [.. rows, .. means];
    }

    private static IEnumerable<ResultRow> TaskRows(UnitRecord[] units, ReadingSettings reading)
    {
        var baseline = units[0].Find(Methods.Icl) is null ? null : Samples(units, Methods.Icl, null, _ => 0);
        foreach (var control in Controls)
        {
            foreach (var method in new[] { Methods.ZeroShot, Methods.Icl })
            {
                if (units[0].Find(method, control) is not null)
                {
                    yield return Row(units, method, method, control, null, _ => 0, reading, method == Methods.Icl && control is null ? null : baseline);
                }
            }

            foreach (var row in ChosenRows(units, Methods.DeepThinking, control, reading.FixedStep, reading, baseline)
                .Concat(ChosenRows(units, Methods.TaskVector, control, reading.FixedLayer, reading, baseline)))
            {
                yield return row;
            }

            if (control is not null)
            {
                continue;
            }

            foreach (var (point, repeats) in (units[0].Find(Methods.Repeated)?.At ?? []).Index())
            {
                yield return Row(units, Methods.Repeated, $"icl, demonstrations x{repeats}", null, null, _ => point, reading, baseline);
            }

            foreach (var row in ChosenRows(units, Methods.SelectionOnly, null, null, reading, baseline))
            {
                yield return row;
            }
        }
    }

    /// <summary>A row per choice of the point on the method's axis.</summary>
    private static IEnumerable<ResultRow> ChosenRows(
        UnitRecord[] units, string method, string? control, int? fixedAt, ReadingSettings reading, IReadOnlyList<Sample>? baseline)
    {
        if (units[0].Find(method, control) is not { } measurement)
        {
            yield break;
        }

        foreach (var choice in reading.Choices)
        {
            Func<ulong, int>? point = choice switch
            {
                StepChoice.Fixed => fixedAt is { } at && measurement.At.Contains(at) ? _ => measurement.At.Index().First(pair => pair.Item == at).Index : null,
                StepChoice.Dev => units.All(unit => unit.DevCount > 0) ? BestBySeed(units, method, control, dev: true) : null,
                _ => BestBySeed(units, method, control, dev: false),
            };
            if (point is not null)
            {
                var name = choice switch
                {
                    StepChoice.Fixed => $"{method}, {measurement.Axis} {fixedAt}",
                    StepChoice.Dev => $"{method}, {measurement.Axis} by dev",
                    _ => $"{method}, best {measurement.Axis} (oracle)",
                };
                yield return Row(units, method, name, control, choice, point, reading, baseline);
            }
        }
    }

    /// <summary>For every seed the first best point, by the development queries of all its units, or by the test queries (oracle).</summary>
    internal static Func<ulong, int> BestBySeed(UnitRecord[] units, string method, string? control, bool dev)
    {
        var best = new Dictionary<ulong, int>();
        foreach (var seed in units.GroupBy(unit => unit.Seed))
        {
            var scores = new int[seed.First().Find(method, control)!.At.Count];
            foreach (var unit in seed)
            {
                foreach (var (point, bits) in unit.Find(method, control)!.Correct.Index())
                {
                    scores[point] += bits.AsSpan(dev ? unit.TestCount..bits.Length : 0..unit.TestCount).Count('1');
                }
            }

            best[seed.Key] = Array.IndexOf(scores, scores.Max());
        }

        return seed => best[seed];
    }

    private static IEnumerable<ResultRow> ConflictRows(UnitRecord[] units, ReadingSettings reading)
    {
        var (shown, written) = (units[0].Task, units[0].Written);
        var name = $"{shown} ← {written}";
        var icl = Samples(units, Methods.Icl, null, _ => 0);
        yield return Row(units, Methods.Icl, "icl, answer of the shown task", null, null, _ => 0, reading, null) with { Task = name };
        yield return Other(Row(units, Methods.Icl, "icl, answer of the written task", null, null, _ => 0, reading, null)) with { Task = name };
        foreach (var choice in reading.Choices)
        {
            // By the written task's accuracy: of its zero-shot development queries, or (oracle) of the patched test queries.
            Func<ulong, int>? point = choice switch
            {
                StepChoice.Fixed => reading.FixedLayer is { } layer ? _ => layer : null,
                StepChoice.Dev => units.All(unit => unit.DevCount > 0) ? BestBySeed(units, Methods.Conflicting, null, dev: true) : null,
                _ => BestWritten(units),
            };
            if (point is null)
            {
                continue;
            }

            var how = choice switch { StepChoice.Fixed => $"layer {reading.FixedLayer}", StepChoice.Dev => "layer by dev", _ => "best layer (oracle)" };
            var row = Row(units, Methods.Conflicting, $"conflicting, {how}, answer of the shown task", null, choice, point, reading, icl) with { Task = name };
            yield return row;
            yield return Other(row) with { Task = name, Method = $"conflicting, {how}, answer of the written task" };
        }
    }

    private static Func<ulong, int> BestWritten(UnitRecord[] units)
    {
        var swapped = units.Select(unit => unit with
        {
            Measurements = [.. unit.Measurements.Select(measurement => measurement with { Correct = measurement.CorrectOther })],
        }).ToArray();
        return BestBySeed(swapped, Methods.Conflicting, null, dev: false);
    }

    /// <summary>The row judged by the written task's answers; its difference from icl would compare other answers and is left out.</summary>
    private static ResultRow Other(ResultRow row)
    {
        var samples = row.Samples.Select(sample => sample with { Correct = sample.CorrectOther ?? false }).ToArray();
        return Counted(row with { Samples = samples, Difference = null });
    }

    private static ResultRow Row(
        UnitRecord[] units, string method, string name, string? control, StepChoice? choice, Func<ulong, int> point, ReadingSettings reading,
        IReadOnlyList<Sample>? baseline)
    {
        var samples = Samples(units, method, control, point);
        var measured = units.Select(unit => (Unit: unit, Measurement: unit.Find(method, control)!, Point: point(unit.Seed))).ToArray();
        var row = new ResultRow
        {
            Task = units[0].Task,
            Method = control is null ? name : $"{name}, {control}",
            Control = control,
            Choice = choice,
            At = choice is null ? [] : [.. measured.GroupBy(one => one.Unit.Seed).Select(seed => seed.First().Measurement.At[seed.First().Point])],
            Shots = method == Methods.ZeroShot ? 0 : units[0].Sets[0].Demonstrations.Count,
            Accuracy = default,
            Value = 0,
            StandardError = 0,
            ClusteredError = 0,
            SeedDeviation = 0,
            PerToken = samples.All(sample => sample.CorrectOther is not null) && samples[0].Query.Options is not null
                ? Accuracy.Of(samples.Select(sample => sample.CorrectOther!.Value)).Value
                : null,
            TokensPerQuery = measured.Sum(one => (double)one.Measurement.Tokens[one.Point]) / samples.Count,
            MillisecondsPerQuery = measured.All(one => one.Measurement.Milliseconds.Count > 0)
                ? measured.Sum(one => one.Measurement.Milliseconds[one.Point]) / samples.Count
                : double.NaN,
            Samples = samples,
        };
        if (baseline is null)
        {
            return Counted(row);
        }

        var paired = samples.Zip(baseline, (sample, icl) => (sample.Set, (sample.Correct ? 1 : 0) - (icl.Correct ? 1 : 0))).ToArray();
        return Counted(row with { Paired = paired, Difference = Compare([paired], reading) });
    }

    private static List<Sample> Samples(UnitRecord[] units, string method, string? control, Func<ulong, int> point)
    {
        var samples = new List<Sample>();
        foreach (var unit in units)
        {
            var measurement = unit.Find(method, control)
                ?? throw new UsageException($"unit {unit.Id} lacks {method}{(control is null ? "" : $" ({control})")}, which other units of its task have");
            var at = point(unit.Seed);
            foreach (var (i, (set, query)) in unit.TestQueries().Index())
            {
                samples.Add(new Sample(
                    unit, i, set, query, measurement.At[at], measurement.Predictions[at][i], measurement.Correct[at][i] == '1',
                    measurement.CorrectOther.Count == 0 ? null : measurement.CorrectOther[at][i] == '1'));
            }
        }

        return samples;
    }

    /// <summary>The mean paired difference. Whole sets are resampled, as their queries share demonstrations; queries where sets are few.</summary>
    private static DifferenceInterval Compare(IReadOnlyList<IReadOnlyList<(DemonstrationSet Set, int Difference)>> groups, ReadingSettings reading)
    {
        var sets = groups.Select(group => (IReadOnlyList<Cluster>)[.. group.GroupBy(one => (one.Set.Seed, one.Set.Index))
            .Select(set => new Cluster(set.Sum(one => one.Difference), set.Count()))]).ToArray();
        var bySets = sets.All(group => group.Count >= Bootstrap.FewestSets);
        var clusters = bySets ? sets : [.. groups.Select(group => (IReadOnlyList<Cluster>)[.. group.Select(one => new Cluster(one.Difference, 1))])];
        var (low, high) = Bootstrap.Interval(clusters, reading.Resamples, BootstrapSeed);
        return new DifferenceInterval(
            Bootstrap.Mean(clusters), low, high, bySets ? "demonstration sets" : "queries", clusters.Sum(group => group.Count));
    }

    /// <summary>Fills in what follows from the samples.</summary>
    private static ResultRow Counted(ResultRow row)
    {
        var accuracy = Accuracy.Of(row.Samples.Select(sample => sample.Correct));
        var clusters = row.Samples.GroupBy(sample => (sample.Set.Seed, sample.Set.Index))
            .Select(set => new Cluster(set.Count(sample => sample.Correct), set.Count())).ToArray();
        return row with
        {
            Accuracy = accuracy,
            Value = accuracy.Value,
            StandardError = accuracy.StandardError,
            ClusteredError = Bootstrap.ClusteredError(clusters),
            SeedDeviation = Bootstrap.Deviation([.. row.Samples.GroupBy(sample => sample.Set.Seed).Select(seed => Accuracy.Of(seed.Select(sample => sample.Correct)).Value)]),
        };
    }

    /// <summary>The mean of the tasks' accuracies, every task counting the same.</summary>
    private static ResultRow MeanRow(ResultRow[] rows, ReadingSettings reading)
    {
        var perSeed = rows.SelectMany(row => row.Samples.GroupBy(sample => sample.Set.Seed)
            .Select(seed => (seed.Key, Value: Accuracy.Of(seed.Select(sample => sample.Correct)).Value)));
        return rows[0] with
        {
            Task = $"mean of {rows.Length} tasks",
            At = [],
            Accuracy = new Accuracy(rows.Sum(row => row.Accuracy.Correct), rows.Sum(row => row.Accuracy.Count)),
            Value = rows.Average(row => row.Value),
            StandardError = Pooled(row => row.StandardError),
            ClusteredError = Pooled(row => row.ClusteredError),
            SeedDeviation = Bootstrap.Deviation([.. perSeed.GroupBy(one => one.Key).Select(seed => seed.Average(one => one.Value))]),
            PerToken = rows.All(row => row.PerToken is not null) ? rows.Average(row => row.PerToken!.Value) : null,
            Difference = rows.All(row => row.Paired.Count > 0) ? Compare([.. rows.Select(row => row.Paired)], reading) : null,
            TokensPerQuery = rows.Average(row => row.TokensPerQuery),
            MillisecondsPerQuery = rows.Average(row => row.MillisecondsPerQuery),
            Samples = [],
            Paired = [],
        };

        double Pooled(Func<ResultRow, double> error) => Math.Sqrt(rows.Sum(row => error(row) * error(row))) / rows.Length;
    }
}
