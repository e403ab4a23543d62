// Drawn demonstration sets and queries as a file: saved with every run, and replayed by another.
using Rt.Core;

namespace Rt.Eval;

/// <summary>The sets of one task and seed.</summary>
/// <param name="Sets">In order.</param>
internal sealed record DrawnSets(IReadOnlyList<DemonstrationSet> Sets);

/// <summary>Drawn sets by task.</summary>
public sealed record DrawFile
{
    private const string CurrentFormat = "rt-eval-draws-1";

    /// <summary>Names the format and its version.</summary>
    public required string Format { get; init; }

    /// <summary>Sets of every task, all seeds.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<DemonstrationSet>> Tasks { get; init; }

    /// <summary>The draws of finished units, in the order of their ids.</summary>
    public static DrawFile Of(IEnumerable<UnitRecord> records)
    {
        var tasks = new SortedDictionary<string, IReadOnlyList<DemonstrationSet>>(StringComparer.Ordinal);
        foreach (var task in records.GroupBy(record => (record.Task, record.Written)))
        {
            var name = task.Key.Written is null ? task.Key.Task : $"{task.Key.Task}.{task.Key.Written}";
            tasks[name] = [.. task.SelectMany(record => record.Sets)];
            if (task.Key.Written is not null)
            {
                tasks[$"{name} written"] = [.. task.SelectMany(record => record.WrittenSets)];
            }
        }

        return new DrawFile { Format = CurrentFormat, Tasks = tasks };
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="BadFileException">Not such a file.</exception>
    public static DrawFile Read(string path)
    {
        var file = EvalJson.Read<DrawFile>(path);
        if (file.Format != CurrentFormat)
        {
            throw new BadFileException(path, $"field 'format': expected {CurrentFormat}, found '{file.Format}'");
        }

        foreach (var (task, set) in file.Tasks.SelectMany(task => task.Value.Select(set => (task.Key, set))))
        {
            if (set.Queries.Count == 0 || set.Dummies.Count == 0)
            {
                throw new BadFileException(path, $"task '{task}', seed {set.Seed}, set {set.Index}: expected queries and dummies, found none");
            }
        }

        foreach (var (task, sets) in file.Tasks)
        {
            var asked = sets.SelectMany(set => set.Queries.Concat(set.Dev)).ToArray();
            if (asked.FirstOrDefault(query => query.Options is not null && !query.Options.Contains(query.Output)) is { } odd)
            {
                throw new BadFileException(path, $"task '{task}', query '{odd.Input}': expected an output that is one of its options");
            }

            if (asked.Any(query => query.Options is null != asked[0].Options is null))
            {
                throw new BadFileException(path, $"task '{task}': expected options in every query or in none");
            }
        }

        return file;
    }

    /// <summary>Writes the file.</summary>
    public void Write(string path) => EvalJson.Write(path, this);

    /// <summary>The sets of a task and seed.</summary>
    /// <exception cref="UsageException">There are none.</exception>
    public IReadOnlyList<DemonstrationSet> Sets(string task, ulong seed)
    {
        var sets = Tasks.GetValueOrDefault(task)?.Where(set => set.Seed == seed).ToArray();
        return sets is { Length: > 0 } ? sets : throw new UsageException($"the draws hold no set of task '{task}' with seed {seed}");
    }
}
