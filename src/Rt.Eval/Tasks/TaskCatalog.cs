// Every task by name, and what the names on a command line stand for.
using Rt.Core;

namespace Rt.Eval;

/// <summary>Finds tasks.</summary>
public static class TaskCatalog
{
    private const string Algorithmic = "algorithmic";
    private const string All = "all";

    /// <summary>The group of the embedded model's tasks; <c>embedded/NAME</c> is one of them.</summary>
    public const string EmbeddedGroup = "embedded";

    /// <summary>Pairs of tasks over the same inputs with other answers, as in the task-vector paper.</summary>
    public static IReadOnlyList<(string Shown, string Written)> ConflictingPairs { get; } =
    [
        ("next_letter", "to_upper"), ("list_last", "list_first"), ("prev_letter", "next_letter"),
        ("present_simple_past_simple", "present_simple_gerund"), ("en_es", "en_fr"),
    ];

    /// <summary>Built-in tasks by group; none needs a file.</summary>
    public static IReadOnlyList<(string Group, IReadOnlyList<string> Names)> BuiltIn { get; } =
    [
        (Algorithmic, [.. AlgorithmicTasks.All.Keys]),
        .. WordTasks.All.GroupBy(task => task.Value.Group).Select(group => (group.Key, (IReadOnlyList<string>)[.. group.Select(task => task.Key)])),
    ];

    /// <summary>Tasks that the embedded model was trained for, as <c>embedded/NAME</c>; their test queries are inputs held out of its training.</summary>
    public static IReadOnlyList<string> Embedded { get; } = [.. EmbeddedTasks.Names.Select(name => $"{EmbeddedGroup}/{name}")];

    /// <summary>Datasets read from JSONL files that the user supplies.</summary>
    public static IReadOnlyList<string> Datasets { get; } = [.. DatasetTasks.All.Keys];

    /// <summary>Tasks for names: a task, a group, <c>all</c> (every built-in one), <c>embedded</c> (the embedded model's), a dataset, or a file.</summary>
    /// <param name="names">In the order wanted; repeated tasks count once.</param>
    /// <param name="dataFolder">Holds the datasets; null where none is given.</param>
    /// <exception cref="UsageException">An unknown name, a dataset without a folder, or two tasks of one name.</exception>
    /// <exception cref="BadFileException">A file is missing or malformed.</exception>
    public static IReadOnlyList<EvalTask> Resolve(IEnumerable<string> names, string? dataFolder)
    {
        var tasks = new List<EvalTask>();
        var sources = new HashSet<string>();
        foreach (var name in names.SelectMany(Expand))
        {
            if (!sources.Add(name))
            {
                continue;
            }

            var task = Find(name, dataFolder);
            if (tasks.Any(known => known.Name == task.Name))
            {
                throw new UsageException($"two tasks are named '{task.Name}': give one of them another name in a .task.json file");
            }

            tasks.Add(task);
        }

        return tasks;
    }

    private static IEnumerable<string> Expand(string name) => name switch
    {
        All => BuiltIn.SelectMany(group => group.Names),
        EmbeddedGroup => Embedded,
        _ => BuiltIn.FirstOrDefault(group => group.Group == name).Names ?? [name],
    };

    private static EvalTask Find(string name, string? dataFolder)
    {
        if (AlgorithmicTasks.All.TryGetValue(name, out var generate))
        {
            return BuiltInTask(name, Algorithmic, "generated", generate());
        }

        if (WordTasks.All.TryGetValue(name, out var words))
        {
            return BuiltInTask(name, words.Group, $"built-in list of {words.List}", WordTasks.Examples(name));
        }

        if (DatasetTasks.All.ContainsKey(name))
        {
            return DatasetTasks.Read(name, dataFolder ?? throw new UsageException($"task '{name}' is read from files: give their folder by --data"));
        }

        if (Embedded.Contains(name))
        {
            return EmbeddedTasks.Read(name[(EmbeddedGroup.Length + 1)..]);
        }

        return TaskFile.IsPath(name) ? TaskFile.Read(name) : throw new UsageException(
            $"task '{name}': unknown; expected a file (.json, .jsonl, .task.json), all, embedded, "
            + $"{string.Join(", ", BuiltIn.Select(group => group.Group))}, or one that `rt eval --list` names");
    }

    private static EvalTask BuiltInTask(string name, string group, string source, IReadOnlyList<EvalExample> examples) => new()
    {
        Name = name,
        Group = group,
        Template = PromptTemplate.TaskVector,
        Train = examples,
        Source = source,
    };
}
