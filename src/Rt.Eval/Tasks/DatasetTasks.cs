// The ten datasets of the Deep-Thinking paper: fields, options and templates of JSONL files that the user supplies.
// Source: arXiv:2305.13016 and its published code.
using Rt.Core;

namespace Rt.Eval;

/// <summary>Reads the ten datasets. An example's input is its whole query part; a line of a prompt is the query part, a space, and an option.</summary>
internal static class DatasetTasks
{
    private const long MaxBytes = 512 << 20;

    private static readonly string[] Polarity = ["negative", "positive"];
    private static readonly string[] Trains = ["train"];
    private static readonly string[] Tests = ["validation", "test", "dev"];

    /// <summary>Reader of a line, per dataset.</summary>
    public static IReadOnlyDictionary<string, Func<JsonRecord, EvalExample>> All { get; } = new Dictionary<string, Func<JsonRecord, EvalExample>>
    {
        ["sst2"] = line => Classified(line, $"Review: {line.Text("sentence").Trim()}\nSentiment:", "label", Polarity),
        ["sst5"] = line => Classified(
            line, $"Review: {line.Text("text").Trim()}\nSentiment:", "label", ["terrible", "negative", "neutral", "positive", "great"]),
        ["mr"] = line => Classified(line, $"Review: {line.Text("text").Trim()}\nSentiment:", "label", Polarity),
        ["agnews"] = line => Classified(line, $"Article: {line.Text("text")}\nCategory:", "label", ["World", "Sports", "Business", "Technology"]),
        ["trec"] = line => Classified(
            line, $"Question: {line.Text("text")}\nType:", line.Has("coarse_label") ? "coarse_label" : "label-coarse",
            ["Abbreviation", "Entity", "Description", "Person", "Location", "Number"]),
        ["qasc"] = line => Lettered(line, line.Text("question"), ""),
        ["obqa"] = line => Lettered(line, line.Text("question_stem"), "."),
        ["hellaswag"] = line => Chosen(line, line.Text("ctx"), line.Texts("endings"), Whole(line, "label")),
        ["copa"] = Copa,
        ["winogrande"] = Winogrande,
    };

    /// <summary>A dataset below a folder: NAME/train.jsonl with NAME/validation.jsonl (or test, dev), or NAME.jsonl for both.</summary>
    /// <exception cref="BadFileException">The files are missing or malformed.</exception>
    public static EvalTask Read(string name, string folder)
    {
        var train = Find(folder, name, Trains);
        var test = Find(folder, name, Tests);
        var single = Path.Combine(folder, $"{name}.jsonl");
        if (train is null && test is null && File.Exists(single))
        {
            return Task(name, single, Examples(name, single), null);
        }

        if (train is null || test is null)
        {
            throw new BadFileException(
                Path.Combine(folder, name), $"expected {name}/train.jsonl with {name}/validation.jsonl (or test, dev), or {name}.jsonl; "
                + $"found {(train is null && test is null ? "none" : train ?? test)}");
        }

        return Task(name, $"{train}, {test}", Examples(name, train), Examples(name, test));
    }

    private static EvalTask Task(string name, string source, IReadOnlyList<EvalExample> train, IReadOnlyList<EvalExample>? test) => new()
    {
        Name = name,
        Group = "classification",
        Template = PromptTemplate.DeepThinking,
        Train = train,
        Test = test,
        Source = source,
    };

    private static string? Find(string folder, string name, string[] splits) =>
        splits.Select(split => Path.Combine(folder, name, $"{split}.jsonl")).FirstOrDefault(File.Exists);

    private static IReadOnlyList<EvalExample> Examples(string name, string path)
    {
        var examples = JsonLines.Read(path, MaxBytes).Select(All[name]).ToArray();
        return examples.Length > 0 ? examples : throw new BadFileException(path, "expected examples, found none");
    }

    private static EvalExample Classified(JsonRecord line, string query, string field, string[] classes)
    {
        var (text, index) = line.TextOrIndex(field);
        var label = index ?? Array.IndexOf(classes, text);
        return Chosen(line, query, classes, label);
    }

    /// <summary>Choices {"text": [...], "label": [...]} with the right letter in answerKey.</summary>
    private static EvalExample Lettered(JsonRecord line, string query, string ending)
    {
        var choices = line.Record("choices");
        var key = line.Text("answerKey");
        return Chosen(line, query, [.. choices.Texts("text").Select(text => text + ending)], Array.IndexOf(choices.Texts("label"), key));
    }

    private static EvalExample Copa(JsonRecord line)
    {
        var premise = line.Text("premise").Trim();
        var because = line.Text("question") switch
        {
            "cause" => " because",
            "effect" => " therefore",
            _ => throw line.Wrong("question", "cause or effect"),
        };
        return Chosen(line, (premise.EndsWith('.') ? premise[..^1] : premise) + because, [line.Text("choice1"), line.Text("choice2")], Whole(line, "label"));
    }

    private static EvalExample Winogrande(JsonRecord line)
    {
        var sentence = line.Text("sentence");
        var gap = sentence.IndexOf('_', StringComparison.Ordinal);
        if (gap < 0)
        {
            throw line.Wrong("sentence", "a sentence with a gap '_'");
        }

        var after = sentence[(gap + 1)..].TrimStart();
        return Chosen(
            line, sentence[..gap].Trim(), [$"{line.Text("option1")} {after}", $"{line.Text("option2")} {after}"], Whole(line, "answer") - 1);
    }

    private static int Whole(JsonRecord line, string field)
    {
        var (text, index) = line.TextOrIndex(field);
        return index ?? (int.TryParse(text, out var parsed) ? parsed : throw line.Wrong(field, "an index"));
    }

    private static EvalExample Chosen(JsonRecord line, string query, string[] options, int answer) => answer >= 0 && answer < options.Length
        ? options.Distinct().Count() == options.Length || options[..answer].All(option => option != options[answer])
            ? new EvalExample(query, options[answer], options)
            : throw line.Wrong("the right option stands there twice")
        : throw line.Wrong($"expected the label of one of {options.Length} options, found another");
}
