// Demonstrations: pairs of input and output, and the files that hold them.
using System.Text.Json;
using Rt.Core;
using Rt.Formats;

namespace Rt.Eval;

/// <summary>One solved example.</summary>
/// <param name="Input">What is asked.</param>
/// <param name="Output">The answer.</param>
public readonly record struct Demonstration(string Input, string Output);

/// <summary>A file of demonstrations: a text used verbatim, or pairs that a template puts into words.</summary>
public sealed class DemonstrationFile
{
    private const long MaxBytes = 64 << 20;

    private DemonstrationFile(string path, string? text, IReadOnlyList<Demonstration> pairs)
    {
        Path = path;
        Text = text;
        Pairs = pairs;
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>The demonstration text as it stands in the file; null where the file holds pairs.</summary>
    public string? Text { get; }

    /// <summary>The pairs; empty where the file holds a text.</summary>
    public IReadOnlyList<Demonstration> Pairs { get; }

    /// <summary>Reads a file by its ending: <c>.txt</c> is the text verbatim; <c>.jsonl</c> holds one <c>{"input", "output"}</c> per line;
    /// <c>.json</c> a list of such objects, or one object that maps inputs to outputs.</summary>
    /// <exception cref="BadFileException">The file is missing, malformed or empty.</exception>
    /// <exception cref="UsageException">Another ending.</exception>
    public static DemonstrationFile Read(string path) => System.IO.Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".txt" => new DemonstrationFile(path, TextFile.Read(path, MaxBytes) is { Length: > 0 } text
            ? text
            : throw new BadFileException(path, "expected demonstrations, found an empty file"), []),
        ".jsonl" => new DemonstrationFile(path, null, Some(path, [.. JsonLines.Read(path, MaxBytes).Select(Pair)])),
        ".json" => new DemonstrationFile(path, null, Some(path, ReadJson(path))),
        _ => throw new UsageException($"{path}: expected a demonstration file ending in .txt, .jsonl or .json"),
    };

    /// <summary>The demonstration text: the file's own, or its pairs in the words of a template.</summary>
    public string TextBy(PromptTemplate template) => Text ?? template.Demonstrations(Pairs);

    private static List<Demonstration> ReadJson(string path)
    {
        using var json = JsonFile.Read(path, MaxBytes);
        var pairs = new List<Demonstration>();
        if (json.RootElement.ValueKind == JsonValueKind.Array)
        {
            foreach (var (i, element) in json.RootElement.EnumerateArray().Index())
            {
                pairs.Add(Pair(new JsonRecord(path, $"item {i}", element)));
            }

            return pairs;
        }

        foreach (var property in new JsonRecord(path, "the file", json.RootElement).Properties())
        {
            pairs.Add(property.Value.ValueKind == JsonValueKind.String
                ? new Demonstration(property.Name, property.Value.GetString()!)
                : throw new BadFileException(path, $"field '{property.Name}': expected a string, found {property.Value.ValueKind}"));
        }

        return pairs;
    }

    private static Demonstration Pair(JsonRecord record) => new(record.Text("input"), record.Text("output"));

    private static IReadOnlyList<Demonstration> Some(string path, IReadOnlyList<Demonstration> pairs) => pairs.Count > 0
        ? pairs
        : throw new BadFileException(path, "expected demonstrations, found none");
}
