// The demo's folder: the embedded model, and demonstrations and queries of two of its tasks to try things out with.
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Rt.Core;
using Rt.Eval;
using Rt.Formats;

namespace Rt.Cli.Demo;

/// <summary>Writes the demo's folder.</summary>
internal static class DemoFolder
{
    /// <summary>Demonstrations of the first task.</summary>
    public const string Capitals = "capitals.jsonl";

    /// <summary>Demonstrations of the second task, over the same kind of input.</summary>
    public const string Languages = "languages.jsonl";

    /// <summary>Held-out inputs of the first task with their answers.</summary>
    public const string Queries = "queries.jsonl";

    /// <summary>Pairs in a file of demonstrations.</summary>
    public const int Pairs = 10;

    private const string Weights = "model.safetensors";

    // Text outside ASCII stays readable in the files.
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The tasks of the files, and their files.</summary>
    public static IReadOnlyList<(string Task, string File)> Tasks { get; } = [("country_capital", Capitals), ("country_language", Languages)];

    /// <summary>One of the embedded model's tasks.</summary>
    public static EvalTask Task(string name) => TaskCatalog.Resolve([$"{TaskCatalog.EmbeddedGroup}/{name}"], null)[0];

    /// <summary>Writes all files; the bytes are the same on every run.</summary>
    /// <param name="folder">Made where absent.</param>
    /// <param name="cancellation">Leaves no half-written file.</param>
    /// <returns>Names of the files.</returns>
    /// <exception cref="UsageException">The folder holds something else.</exception>
    public static IReadOnlyList<string> Write(string folder, CancellationToken cancellation)
    {
        RefuseForeign(folder);
        DefaultModel.Write(folder, cancellation);
        foreach (var (name, file) in Tasks)
        {
            var shown = Task(name).Train.Select(example => example.Demonstration).ToArray();
            WriteLines(folder, file, FewShotDraw.Draw(shown, datasets: 1, Pairs, dummies: 1, seed: 0)[0].Demonstrations
                .Select(pair => new Dictionary<string, string> { ["input"] = pair.Input, ["output"] = pair.Output }));
        }

        WriteLines(folder, Queries, Task(Tasks[0].Task).Test!.Select(query => new Dictionary<string, string> { ["input"] = query.Input, ["answer"] = query.Output }));
        return [.. DefaultModel.Files, .. Tasks.Select(task => task.File), Queries];
    }

    private static void RefuseForeign(string folder)
    {
        if (File.Exists(folder))
        {
            throw new UsageException($"{folder}: expected a folder for the demo, found a file");
        }

        // Weights of the user's own, say this model trained on, are never overwritten.
        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any() && !DefaultModel.IsIn(folder, Weights))
        {
            throw new UsageException($"{folder}: holds other files; name an empty or new folder, or one that the demo of this rt made");
        }
    }

    private static void WriteLines(string folder, string file, IEnumerable<Dictionary<string, string>> lines)
    {
        var text = Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => JsonSerializer.Serialize(line, Plain) + "\n")));
        AtomicFile.Write(Path.Combine(folder, file), stream => stream.Write(text));
    }
}
