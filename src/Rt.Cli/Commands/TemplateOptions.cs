// The options that say how demonstrations and queries are put into words.
using System.CommandLine;
using Rt.Eval;

namespace Rt.Cli.Commands;

/// <summary>--template and --separator.</summary>
/// <param name="published">The default, which the help shows.</param>
internal sealed class TemplateOptions(PromptTemplate published)
{
    public Option<string> Template { get; } = new("--template")
    {
        Description = $"How a pair is put into words; \\n is a line break (default: {published.Pattern})",
        HelpName = "TEXT",
    };

    public Option<string> Separator { get; } = new("--separator")
    {
        Description = $"Ends every demonstration (default: {published.Separator.Replace("\n", "\\n")})",
        HelpName = "TEXT",
    };

    /// <summary>The template that the options name.</summary>
    public PromptTemplate Read(CommandContext context) => new(
        context.Get(Template) is { } pattern ? PromptTemplate.Unescape(pattern) : published.Pattern,
        context.Get(Separator) is { } separator ? PromptTemplate.Unescape(separator) : published.Separator);
}
