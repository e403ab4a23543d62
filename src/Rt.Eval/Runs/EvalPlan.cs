// The units of work of a run: every task and seed, in groups of sets small enough to think together.
using System.Security.Cryptography;
using System.Text;
using Rt.Core;
using Rt.Model;

namespace Rt.Eval;

/// <summary>A unit of work: computed as a whole, whichever shard it falls to.</summary>
/// <param name="Id">Unique in the run; names its files.</param>
/// <param name="Task">The task; of conflicting tasks, the shown one.</param>
/// <param name="Written">Of conflicting tasks, the one whose vector is written.</param>
/// <param name="Seed">Seed of the draws.</param>
/// <param name="Sets">Sets with their queries.</param>
/// <param name="WrittenSets">Of conflicting tasks, the sets of the written task.</param>
public sealed record EvalUnit(
    string Id, EvalTask Task, EvalTask? Written, ulong Seed, IReadOnlyList<DemonstrationSet> Sets, IReadOnlyList<DemonstrationSet> WrittenSets)
{
    /// <summary>Shots of the sets.</summary>
    public int Shots => Sets[0].Demonstrations.Count;
}

/// <summary>A part of a run's units.</summary>
/// <param name="Index">From 1 to <paramref name="Count"/>.</param>
/// <param name="Count">Parts.</param>
public readonly record struct Shard(int Index, int Count)
{
    /// <summary>The whole run.</summary>
    public static Shard Whole { get; } = new(1, 1);

    /// <summary>Units of this part: every <see cref="Count"/>-th.</summary>
    public IEnumerable<EvalUnit> Of(IReadOnlyList<EvalUnit> units)
    {
        var (index, count) = (Index, Count);
        return units.Where((_, i) => i % count == index - 1);
    }
}

/// <summary>Everything a run will do, known before it starts.</summary>
/// <param name="Units">In the order of the results.</param>
/// <param name="Fingerprint">Hash of everything the measurements depend on.</param>
public sealed record EvalPlan(IReadOnlyList<EvalUnit> Units, string Fingerprint)
{
    /// <summary>Sets that think and are scored together; bounds memory, and is part of the results' last bits.</summary>
    private const int SetsPerUnit = 10;

    /// <summary>Plans a run.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tasks">Tasks, in order.</param>
    /// <param name="pairs">Conflicting pairs, measured where <see cref="Methods.Conflicting"/> is wanted.</param>
    /// <param name="settings">What is measured.</param>
    /// <param name="draws">Drawn sets to use again; null to draw.</param>
    /// <exception cref="UsageException">A task has too few examples, or the draws lack a task.</exception>
    public static EvalPlan Make(
        LanguageModel model,
        IReadOnlyList<EvalTask> tasks,
        IReadOnlyList<(EvalTask Shown, EvalTask Written)> pairs,
        EvalSettings settings,
        DrawFile? draws = null)
    {
        settings.Check();
        var units = new List<EvalUnit>();
        if (settings.Methods.Any(method => method != Methods.Conflicting))
        {
            foreach (var task in tasks)
            {
                foreach (var seed in settings.Seeds)
                {
                    var sets = draws?.Sets(task.Name, seed) ?? DemonstrationDraw.Draw(task, settings.Draw, seed);
                    Add(units, task.Name, task, null, seed, sets, []);
                }
            }
        }

        if (settings.Has(Methods.Conflicting))
        {
            foreach (var (shown, written) in pairs)
            {
                foreach (var seed in settings.Seeds)
                {
                    AddPair(units, shown, written, seed, settings, draws);
                }
            }
        }

        if (units.GroupBy(unit => unit.Id, StringComparer.OrdinalIgnoreCase).FirstOrDefault(same => same.Count() > 1) is { } twice)
        {
            throw new UsageException($"two units are named {twice.Key}: give one of their tasks another name in a .task.json file");
        }

        return units.Count > 0
            ? new EvalPlan(units, FingerprintOf(model, units, settings))
            : throw new UsageException("nothing to measure: no tasks, or no pairs of conflicting tasks");
    }

    private static void AddPair(List<EvalUnit> units, EvalTask shown, EvalTask written, ulong seed, EvalSettings settings, DrawFile? draws)
    {
        if (shown.HasOptions || written.HasOptions)
        {
            throw new UsageException($"conflicting tasks {shown.Name}:{written.Name}: expected tasks with free answers, found options");
        }

        var common = shown.Train.Select(example => example.Input).Intersect(written.Train.Select(example => example.Input)).ToHashSet();
        var name = $"{shown.Name}.{written.Name}";
        var a = shown with { Name = name, Train = [.. shown.Train.Where(example => common.Contains(example.Input))], Test = null };
        var b = written with { Name = $"{name} written", Train = [.. written.Train.Where(example => common.Contains(example.Input))], Test = null };
        var sets = draws?.Sets(a.Name, seed) ?? DemonstrationDraw.Draw(a, settings.Draw, seed);
        var writtenSets = draws?.Sets(b.Name, seed) ?? [.. sets.Select(set => DemonstrationDraw.DrawAround(b, settings.Draw, set))];
        Add(units, name, shown, written, seed, sets, writtenSets);
    }

    private static void Add(
        List<EvalUnit> units, string name, EvalTask task, EvalTask? written, ulong seed,
        IReadOnlyList<DemonstrationSet> sets, IReadOnlyList<DemonstrationSet> writtenSets)
    {
        foreach (var (group, chunk) in sets.Chunk(SetsPerUnit).Index())
        {
            var id = $"{name}.seed-{seed}.{group}";
            units.Add(new EvalUnit(id, task, written, seed, chunk, [.. writtenSets.Skip(group * SetsPerUnit).Take(SetsPerUnit)]));
        }
    }

    private static string FingerprintOf(LanguageModel model, List<EvalUnit> units, EvalSettings settings)
    {
        var text = new StringBuilder("rt eval 1\n");
        text.Append(model.Identity.Model).Append(model.Identity.Tokenizer).Append('\n');
        text.Append(model.Device.Name).Append(model.Device.ActivationType).Append('\n');
        text.Append(EvalJson.Text(settings)).Append('\n');
        foreach (var unit in units)
        {
            text.Append(unit.Id).Append(unit.Task.Digest()).Append(unit.Written?.Digest()).Append('\n');
            text.Append(EvalJson.Text(new DrawnSets(unit.Sets))).Append(EvalJson.Text(new DrawnSets(unit.WrittenSets))).Append('\n');
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }
}
