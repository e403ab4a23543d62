// Templates that put demonstrations and queries into words. Sources: the published prompts of arXiv:2305.13016 and arXiv:2310.15916.
using System.Text;
using Rt.Core;

namespace Rt.Eval;

/// <summary>A template such as <c>Review: {input}\nSentiment: {output}</c> with the text that ends every demonstration.</summary>
/// <remarks>A query is what stands before the output, without trailing spaces: the option is then tokenised with its space,
/// as the published scoring does.</remarks>
public sealed class PromptTemplate
{
    private const string InputMark = "{input}";
    private const string OutputMark = "{output}";

    private readonly string _before;
    private readonly string _between;
    private readonly string _after;

    /// <param name="pattern">Holds {input} and, behind it, {output}, each once.</param>
    /// <param name="separator">Ends every demonstration.</param>
    /// <exception cref="UsageException">A mark is missing, repeated or out of order.</exception>
    public PromptTemplate(string pattern, string separator)
    {
        var input = pattern.IndexOf(InputMark, StringComparison.Ordinal);
        var output = pattern.IndexOf(OutputMark, StringComparison.Ordinal);
        if (input < 0 || output < input || pattern.LastIndexOf(InputMark, StringComparison.Ordinal) != input
            || pattern.LastIndexOf(OutputMark, StringComparison.Ordinal) != output)
        {
            throw new UsageException($"template '{pattern}': expected {InputMark} and then {OutputMark}, each once");
        }

        Pattern = pattern;
        Separator = separator;
        _before = pattern[..input];
        _between = pattern[(input + InputMark.Length)..output];
        _after = pattern[(output + OutputMark.Length)..];
    }

    /// <summary>Input, a space, output, an empty line: the inputs are whole query parts. arXiv:2305.13016.</summary>
    public static PromptTemplate DeepThinking { get; } = new("{input} {output}", "\n\n");

    /// <summary>One line <c>example:{input}->{output}</c> per demonstration. arXiv:2310.15916.</summary>
    public static PromptTemplate TaskVector { get; } = new("example:{input}->{output}", "\n");

    /// <summary>The pattern.</summary>
    public string Pattern { get; }

    /// <summary>Ends every demonstration.</summary>
    public string Separator { get; }

    /// <summary>All demonstrations, each ended by the separator.</summary>
    public string Demonstrations(IEnumerable<Demonstration> pairs)
    {
        var text = new StringBuilder();
        foreach (var pair in pairs)
        {
            text.Append(_before).Append(pair.Input).Append(_between).Append(pair.Output).Append(_after).Append(Separator);
        }

        return text.ToString();
    }

    /// <summary>The query without its answer.</summary>
    public string Query(string input) => (_before + input + _between).TrimEnd(' ');

    /// <summary>The query with an answer.</summary>
    public string Answered(string input, string output) => _before + input + _between + output + _after;

    /// <summary>Demonstrations and a query: a few-shot prompt.</summary>
    public string FewShot(IEnumerable<Demonstration> pairs, string input) => Demonstrations(pairs) + Query(input);

    /// <summary>A text with \n, \r, \t and \\ replaced by what they stand for, as shells leave them.</summary>
    public static string Unescape(string text)
    {
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            var next = text[i] == '\\' && i + 1 < text.Length ? text[i + 1] : '\0';
            char? replacement = next switch { 'n' => '\n', 'r' => '\r', 't' => '\t', '\\' => '\\', _ => null };
            result.Append(replacement ?? text[i]);
            i += replacement is null ? 0 : 1;
        }

        return result.ToString();
    }
}
