// The name of a model on the Hugging Face hub: org/name, with an optional revision.
// Rules: huggingface_hub, utils/_validators.py (validate_repo_id) and git-check-ref-format.
using Rt.Core;

namespace Rt.Formats;

/// <summary>A model repository and a revision of it.</summary>
/// <param name="Repository">org/name, or a bare name for the oldest models.</param>
/// <param name="Revision">A branch, a tag or a 40-digit commit.</param>
public readonly record struct HubModel(string Repository, string Revision)
{
    private const int MaxLength = 96;

    /// <summary>The folder of the repository in the cache.</summary>
    public string CacheFolder => "models--" + Repository.Replace("/", "--", StringComparison.Ordinal);

    /// <summary>Reads <c>org/name[@revision]</c>; the revision is main where none is given.</summary>
    /// <exception cref="UsageException">Not such a name. Dots, dashes and separators that could lead elsewhere are refused.</exception>
    public static HubModel Parse(string text)
    {
        var at = text.IndexOf('@', StringComparison.Ordinal);
        var model = new HubModel(at < 0 ? text : text[..at], at < 0 ? "main" : text[(at + 1)..]);
        if (!IsRepository(model.Repository))
        {
            throw new UsageException($"{MessageText.Quote(text)}: expected a folder, or a model as org/name[@revision]");
        }

        return IsRevision(model.Revision)
            ? model
            : throw new UsageException($"{MessageText.Quote(text)}: expected a branch, tag or commit after @, found {MessageText.Quote(model.Revision)}");
    }

    /// <summary>Whether <paramref name="text"/> has the form <c>org/name[@revision]</c>.</summary>
    public static bool IsName(string text)
    {
        var at = text.IndexOf('@', StringComparison.Ordinal);
        return IsRepository(at < 0 ? text : text[..at]) && (at < 0 || IsRevision(text[(at + 1)..]));
    }

    /// <summary>Whether <paramref name="text"/> is a commit: 40 lower-case hexadecimal digits.</summary>
    internal static bool IsCommit(string text) => text.Length == 40 && text.All(char.IsAsciiHexDigitLower);

    /// <inheritdoc/>
    public override string ToString() => $"{Repository}@{Revision}";

    private static bool IsRepository(string text) =>
        text.Length is > 0 and <= MaxLength && text.Split('/') is { Length: 1 or 2 } parts && parts.All(IsPart);

    private static bool IsPart(string part) =>
        part.Length > 0 && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
        && !part.Contains("..", StringComparison.Ordinal) && !part.Contains("--", StringComparison.Ordinal)
        && part[0] is not ('.' or '-') && part[^1] is not ('.' or '-') && !part.EndsWith(".git", StringComparison.Ordinal);

    private static bool IsRevision(string text) =>
        text.Length is > 0 and <= 255 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/' or '+')
        && text.Split('/').All(part => part.Length > 0 && part[0] is not ('.' or '-') && part[^1] != '.' && !part.Contains("..", StringComparison.Ordinal));
}
