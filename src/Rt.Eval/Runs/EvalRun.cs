// Runs the units of a shard: those that are finished are read, the others measured and kept.
using Rt.Core;
using Rt.Model;

namespace Rt.Eval;

/// <summary>Runs a plan.</summary>
public static class EvalRun
{
    /// <summary>Told of progress: units done, units in all, and what is at work.</summary>
    public delegate void Progress(int done, int total, string detail);

    /// <summary>Measures every unit of a shard that is not finished yet.</summary>
    /// <param name="model">The model.</param>
    /// <param name="shuffled">The model with shuffled weights; null where its control is not wanted.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="settings">What is measured.</param>
    /// <param name="shard">Which units.</param>
    /// <param name="folder">Keeps finished units; null keeps them in memory alone.</param>
    /// <param name="progress">Told of every unit and method.</param>
    /// <param name="cancellation">Noticed between passes; finished units stay.</param>
    /// <returns>Records of the shard, in the order of the plan.</returns>
    public static IReadOnlyList<UnitRecord> Run(
        LanguageModel model,
        LanguageModel? shuffled,
        EvalPlan plan,
        EvalSettings settings,
        Shard shard,
        RunFolder? folder,
        Progress? progress = null,
        CancellationToken cancellation = default)
    {
        var runner = new UnitRunner(model, shuffled, settings, plan.Fingerprint);
        var units = shard.Of(plan.Units).ToArray();
        var records = new List<UnitRecord>();
        foreach (var unit in units)
        {
            cancellation.ThrowIfCancellationRequested();
            progress?.Invoke(records.Count, units.Length, unit.Id);
            if (folder is not null && folder.Has(unit.Id))
            {
                records.Add(folder.Read(unit.Id));
                continue;
            }

            var record = runner.Run(unit, stage => progress?.Invoke(records.Count, units.Length, $"{unit.Id}: {stage}"), cancellation);
            folder?.Write(record);
            records.Add(record);
        }

        return records;
    }

    /// <summary>Collects the units of shards of one run.</summary>
    /// <param name="folders">Folders of shards, all of one run; one folder may hold several shards.</param>
    /// <returns>All records, in the order of the plan.</returns>
    /// <exception cref="UsageException">The folders hold different runs, or units are missing.</exception>
    public static IReadOnlyList<UnitRecord> Merge(IReadOnlyList<RunFolder> folders)
    {
        var manifest = folders[0].Manifest;
        if (folders.FirstOrDefault(folder => folder.Manifest.Fingerprint != manifest.Fingerprint) is { } other)
        {
            throw new UsageException($"{folders[0].Path} and {other.Path} hold different runs");
        }

        var missing = manifest.Units.Where(unit => !folders.Any(folder => folder.Has(unit))).ToArray();
        if (missing.Length > 0)
        {
            throw new UsageException($"{missing.Length} of {manifest.Units.Count} units are missing, the first is {missing[0]}: run their shards first");
        }

        var records = manifest.Units.Select(unit => folders.First(folder => folder.Has(unit)).Read(unit)).ToArray();
        foreach (var task in records.GroupBy(record => (record.Task, record.Written)))
        {
            var expected = Points(task.First());
            if (task.FirstOrDefault(record => !Points(record).SequenceEqual(expected)) is { } odd)
            {
                throw new UsageException($"unit {odd.Id} measured other things than {task.First().Id}: the folder is not of one run");
            }
        }

        return records;
    }

    private static IEnumerable<string> Points(UnitRecord record) => record.Measurements
        .Select(measurement => $"{measurement.Method} {measurement.Control} {string.Join(',', measurement.At)} {measurement.CorrectOther.Count}")
        .Append($"{record.KeyGradientNorms.Count} {record.TopTokens.Count}");
}
