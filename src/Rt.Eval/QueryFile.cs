// Query files: one query per line, with options to score and answers where known.
using Rt.Core;

namespace Rt.Eval;

/// <summary>A query of a file.</summary>
/// <param name="Place">Its line, for messages.</param>
/// <param name="Input">Its text, or null where token ids are given.</param>
/// <param name="TokenIds">Its token ids, or null where a text is given.</param>
/// <param name="Options">Texts of the options; null where there are none or token ids are given.</param>
/// <param name="OptionTokenIds">Token ids of the options.</param>
/// <param name="AnswerIndex">Index of the right option.</param>
/// <param name="AnswerText">The right answer where there are no options.</param>
public sealed record Query(
    string Place, string? Input, int[]? TokenIds, string[]? Options, int[][]? OptionTokenIds, int? AnswerIndex, string? AnswerText)
{
    /// <summary>Whether there are options to score.</summary>
    public bool HasOptions => Options is not null || OptionTokenIds is not null;

    /// <summary>Number of options.</summary>
    public int OptionCount => Options?.Length ?? OptionTokenIds?.Length ?? 0;

    /// <summary>A name for an option: its text, or its index.</summary>
    public string OptionName(int option) => Options?[option] ?? option.ToString(System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>Reads query files.</summary>
public static class QueryFile
{
    private const long MaxBytes = 256 << 20;

    /// <summary>Reads lines <c>{"input" | "token_ids", "options"? | "option_token_ids"?, "answer"?}</c>; the answer is the index or the
    /// text of an option, or any text where there are no options.</summary>
    /// <exception cref="BadFileException">The file is missing, malformed or empty, or mixes lines with and without options.</exception>
    public static IReadOnlyList<Query> Read(string path)
    {
        var queries = JsonLines.Read(path, MaxBytes).Select(Parse).ToArray();
        if (queries.Length == 0)
        {
            throw new BadFileException(path, "expected queries, found none");
        }

        var odd = queries.FirstOrDefault(query => query.HasOptions != queries[0].HasOptions);
        return odd is null
            ? queries
            : throw new BadFileException(path, $"{odd.Place}: expected {(queries[0].HasOptions ? "" : "no ")}options as in the lines before");
    }

    private static Query Parse(JsonRecord record)
    {
        if (record.Has("input") == record.Has("token_ids"))
        {
            throw record.Wrong("expected either 'input' or 'token_ids'");
        }

        if (record.Has("options") && record.Has("option_token_ids"))
        {
            throw record.Wrong("expected 'options' or 'option_token_ids', not both");
        }

        if (record.Has("options") && !record.Has("input"))
        {
            throw record.Wrong("field 'options': texts need 'input'; give 'option_token_ids' with 'token_ids'");
        }

        var query = new Query(
            record.Place,
            record.Has("input") ? record.Text("input") : null,
            record.Has("token_ids") ? record.Ids("token_ids") : null,
            record.Has("options") ? record.Texts("options") : null,
            record.Has("option_token_ids") ? record.IdLists("option_token_ids") : null,
            null,
            null);
        return record.Has("answer") ? WithAnswer(query, record) : query;
    }

    private static Query WithAnswer(Query query, JsonRecord record)
    {
        var (text, index) = record.TextOrIndex("answer");
        if (!query.HasOptions)
        {
            return query with { AnswerText = text ?? throw record.Wrong("answer", "a text, as there are no options") };
        }

        var answer = index ?? Array.IndexOf(query.Options ?? [], text);
        return answer >= 0 && answer < query.OptionCount
            ? query with { AnswerIndex = answer }
            : throw record.Wrong($"field 'answer': expected an option or an index from 0 to {query.OptionCount - 1}, found {text ?? $"{index}"}");
    }
}
