// Tasks of the user's own: files of examples, or a description that names them.
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
    /// whose paths are relative to it; or a file of examples: <c>{"input": "output"}</c>, <c>[{"input", "output", "options"?}]</c>,
    /// or one such object per line (.jsonl).</summary>
    /// <exception cref="BadFileException">A file is missing, malformed or empty.</exception>
    public static EvalTask Read(string path) => path.EndsWith(DescriptionEnding, StringComparison.Ordinal)
        ? Described(path)
        : new EvalTask
        {
            Name = SafeName(System.IO.Path.GetFileNameWithoutExtension(path)),
            Group = "files",
            Template = PromptTemplate.TaskVector,
            Train = Examples(path, null),
            Source = path,
        };

    private static EvalTask Described(string path)
    {
        using var json = JsonFile.Read(path);
        var record = new JsonRecord(path, "the description", json.RootElement);
        if (record.Properties().Select(property => property.Name).FirstOrDefault(name => !Known.Contains(name)) is { } unknown)
        {
            throw record.Wrong($"field '{unknown}': unknown; expected {string.Join(", ", Known)}");
        }

        var options = record.Has("options") ? record.Texts("options") : null;
        var published = options is null ? PromptTemplate.TaskVector : PromptTemplate.DeepThinking;
        var train = Beside(path, record.Text("train"));
        var test = record.Has("test") ? Beside(path, record.Text("test")) : null;
        try
        {
            return new EvalTask
            {
                Name = SafeName(record.Has("name") ? record.Text("name") : System.IO.Path.GetFileName(path)[..^DescriptionEnding.Length]),
                Group = record.Has("group") ? record.Text("group") : "files",
                Template = new PromptTemplate(
                    record.Has("template") ? record.Text("template") : published.Pattern,
                    record.Has("separator") ? record.Text("separator") : published.Separator),
                Train = Examples(train, options),
                Test = test is null ? null : Examples(test, options),
                Source = test is null ? train : $"{train}, {test}",
            };
        }
        catch (UsageException e)
        {
            throw new BadFileException(path, e.Message, e);
        }
    }

    private static string Beside(string path, string name) =>
        System.IO.Path.Combine(System.IO.Path.GetDirectoryName(path) is { Length: > 0 } folder ? folder : ".", name);

    private static List<EvalExample> Examples(string path, string[]? options)
    {
        var examples = new List<EvalExample>();
        if (path.EndsWith(".jsonl", StringComparison.Ordinal))
        {
            examples.AddRange(JsonLines.Read(path, MaxBytes).Select(record => Example(record, options)));
        }
        else
        {
            using var json = JsonFile.Read(path, MaxBytes);
            if (json.RootElement.ValueKind == JsonValueKind.Array)
            {
                examples.AddRange(json.RootElement.EnumerateArray().Select((item, i) => Example(new JsonRecord(path, $"item {i}", item), options)));
            }
            else
            {
                var record = new JsonRecord(path, "the file", json.RootElement);
                examples.AddRange(record.Properties().Select(property => Checked(record, property.Name, record.Text(property.Name), options)));
            }
        }

        return examples.Count switch
        {
            0 => throw new BadFileException(path, "expected examples, found none"),
            _ when examples.Any(example => example.Options is null != examples[0].Options is null) =>
                throw new BadFileException(path, "expected options in every example or in none"),
            _ => examples,
        };
    }

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
}
