// Linguistic, knowledge and translation tasks over word lists written for this repository (Data/*.tsv).
// Their names and kinds follow arXiv:2310.15916.

namespace Rt.Eval;

/// <summary>Tasks over the built-in word lists.</summary>
internal static class WordTasks
{
    /// <summary>Every task: its group, its list, and the columns of input and output.</summary>
    public static IReadOnlyDictionary<string, (string Group, string List, int Input, int Output)> All { get; } =
        new Dictionary<string, (string, string, int, int)>
        {
            ["present_simple_gerund"] = ("linguistic", "verbs", 0, 2),
            ["present_simple_past_simple"] = ("linguistic", "verbs", 0, 1),
            ["plural_singular"] = ("linguistic", "nouns", 1, 0),
            ["antonyms"] = ("linguistic", "antonyms", 0, 1),
            ["country_capital"] = ("knowledge", "countries", 0, 1),
            ["location_continent"] = ("knowledge", "countries", 0, 2),
            ["person_language"] = ("knowledge", "writers", 0, 1),
            ["location_religion"] = ("knowledge", "sanctuaries", 0, 1),
            ["en_fr"] = ("translation", "words", 0, 1),
            ["fr_en"] = ("translation", "words", 1, 0),
            ["en_es"] = ("translation", "words", 0, 2),
            ["es_en"] = ("translation", "words", 2, 0),
        };

    /// <summary>Examples of a task.</summary>
    public static IReadOnlyList<EvalExample> Examples(string name)
    {
        var (_, list, input, output) = All[name];
        var examples = Rows(list).Select(row => new EvalExample(row[input], row[output]));
        // A word with two translations would have two right answers: the first stays.
        return [.. examples.DistinctBy(example => example.Input)];
    }

    private static IEnumerable<string[]> Rows(string list)
    {
        using var reader = new StreamReader(EmbeddedResource.Open($"words/{list}.tsv"));
        while (reader.ReadLine() is { } line)
        {
            if (line.Length > 0)
            {
                yield return line.Split('\t');
            }
        }
    }
}
