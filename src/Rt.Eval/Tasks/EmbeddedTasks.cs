// The tasks that the embedded model was trained for: weights/tasks, written by weights/train/export_tasks.py.
using Rt.Formats;

namespace Rt.Eval;

/// <summary>Tasks of the embedded model: its training showed their train examples in this very format, and never their test examples.</summary>
internal static class EmbeddedTasks
{
    private const string Folder = "tasks/";
    private const string Ending = ".task.json";

    /// <summary>Every task, in alphabetical order.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. EmbeddedResource.Names.Where(name => name.StartsWith(Folder, StringComparison.Ordinal)).Select(name => name[Folder.Length..^Ending.Length])
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>Reads a task.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    public static EvalTask Read(string name)
    {
        using var stream = EmbeddedResource.Open($"{Folder}{name}{Ending}");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        using var json = JsonFile.Parse($"{name}{Ending}", bytes);
        return TaskFile.Described($"{name}{Ending}", json.RootElement) with { Source = $"weights/{Folder}{name}{Ending}" };
    }
}
