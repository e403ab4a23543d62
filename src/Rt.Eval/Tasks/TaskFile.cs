// Tasks of the user's own: files of examples, or a description that holds or names them.
using System.Text.Json;
using Rt.Core;
using Rt.Formats;

namespace Rt.Eval;

/// <summary>Reads task files.</summary>
internal static class TaskFile
{
    private const long MaxBytes = 512 << 20;
    private const string DescriptionEnding = ".task.json";
    private static readonly string[] Known = ["name", "group", "template", "separator", "options", "train", "test"];

    /// <summary>Whether a name on the command line is a file's.</summary>
    public static bool IsPath(string name) => name.EndsWith(".json", StringComparison.Ordinal) || name.EndsWith(".jsonl", StringComparison.Ordinal);

    /// <summary>Reads <c>X.task.json</c>, a description <c>{"name"?, "group"?, "template"?, "separator"?, "options"?, "train", "test"?}</c>
    /// with examples in it or paths relative to it; or a file of examples: <c>{"input": "output"}</c>, <c>[{"input", "output", "options"?}]</c>,
    /// or one such object per line (.jsonl).</summary>
    /// <exception cref="BadFileException">A file is missing, malformed or empty.</exception>
    public static EvalTask Read(string path)
    {
        if (!path.EndsWith(DescriptionEnding, StringComparison.Ordinal))
        {
            return new EvalTask
            {
                Name = SafeName(System.IO.Path.GetFileNameWithoutExtension(path)),
                Group = "files",
                Template = PromptTemplate.TaskVector,
                Train = Examples(path, null),
                Source = path,
            };
        }

        using var json = JsonFile.Read(path, MaxBytes);
        return Described(path, json.RootElement);
    }

    /// <summary>Reads a description.</summary>
    /// <param name="path">Its file: named in messages; gives the task its name and the folder of its paths.</param>
    /// <param name="root">The description.</param>
    /// <exception cref="BadFileException">It is malformed, or a file that it names is.</exception>
    public static EvalTask Described(string path, JsonElement root)
    {
        var record = new JsonRecord(path, "the description", root);
        if (record.Properties().Select(property => property.Name).FirstOrDefault(name => !Known.Contains(name)) is { } unknown)
        {
            throw record.Wrong($"field '{unknown}': unknown; expected {string.Join(", ", Known)}");
        }

        var options = record.Has("options") ? record.Texts("options") : null;
        var published = options is null ? PromptTemplate.TaskVector : PromptTemplate.DeepThinking;
        var train = Part(path, record, root, "train", options);
        var test = record.Has("test") ? Part(path, record, root, "test", options) : null;
        try
        {
            return new EvalTask
            {
                Name = SafeName(record.Has("name") ? record.Text("name") : System.IO.Path.GetFileName(path)[..^DescriptionEnding.Length]),
                Group = record.Has("group") ? record.Text("group") : "files",
                Template = new PromptTemplate(
                    record.Has("template") ? record.Text("template") : published.Pattern,
                    record.Has("separator") ? record.Text("separator") : published.Separator),
                Train = train.Examples,
                Test = test?.Examples,
                Source = test is null || test.Source == train.Source ? train.Source : $"{train.Source}, {test.Source}",
            };
        }
        catch (UsageException e)
        {
            throw new BadFileException(path, e.Message, e);
        }
    }

    /// <summary>The examples of a field and where they come from: the description itself, or the file whose path the field holds.</summary>
    private static TaskPart Part(string path, JsonRecord record, JsonElement root, string field, string[]? options)
    {
        if (record.Has(field) && root.GetProperty(field) is { ValueKind: JsonValueKind.Object or JsonValueKind.Array } written)
        {
            return new TaskPart(Some(path, Examples(path, field, written, options)), path);
        }

        if (!record.Has(field) || root.GetProperty(field).ValueKind != JsonValueKind.String)
        {
            throw record.Wrong(field, "examples or a file's path");
        }

        var file = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(path) is { Length: > 0 } folder ? folder : ".", record.Text(field));
        return new TaskPart(Examples(file, options), file);
    }

    private static List<EvalExample> Examples(string path, string[]? options)
    {
        if (path.EndsWith(".jsonl", StringComparison.Ordinal))
        {
            return Some(path, [.. JsonLines.Read(path, MaxBytes).Select(record => Example(record, options))]);
        }

        using var json = JsonFile.Read(path, MaxBytes);
        return Some(path, Examples(path, null, json.RootElement, options));
    }

    private static List<EvalExample> Examples(string path, string? field, JsonElement element, string[]? options)
    {
        if (element.ValueKind == JsonValueKind.Array)
        {
            return [.. element.EnumerateArray().Select((item, i) => Example(
                new JsonRecord(path, field is null ? $"item {i}" : $"field '{field}', item {i}", item), options))];
        }

        var record = new JsonRecord(path, field is null ? "the file" : $"field '{field}'", element);
        return [.. record.Properties().Select(property => Checked(record, property.Name, record.Text(property.Name), options))];
    }

    private static List<EvalExample> Some(string path, List<EvalExample> examples) => examples.Count switch
    {
        0 => throw new BadFileException(path, "expected examples, found none"),
        _ when examples.Any(example => example.Options is null != examples[0].Options is null) =>
            throw new BadFileException(path, "expected options in every example or in none"),
        _ => examples,
    };

    private static EvalExample Example(JsonRecord record, string[]? options) => Checked(
        record, record.Text("input"), record.Text("output"), record.Has("options") ? record.Texts("options") : options);

    private static EvalExample Checked(JsonRecord record, string input, string output, string[]? options)
    {
        if (options is not null && !options.Contains(output))
        {
            throw record.Wrong($"output '{output}': expected one of the options");
        }

        return output.Trim().Length > 0 ? new EvalExample(input, output, options) : throw record.Wrong($"input '{input}': expected an output, found an empty one");
    }

    /// <summary>A name that can be part of a file's name on every system.</summary>
    private static string SafeName(string name) =>
        string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' ? c : '_')).Trim('.') is { Length: > 0 } safe ? safe : "task";

    private sealed record TaskPart(List<EvalExample> Examples, string Source);
}
