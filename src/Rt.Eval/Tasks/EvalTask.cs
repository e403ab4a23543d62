// A task: examples, a template, and where they come from.
using System.Security.Cryptography;
using System.Text;

namespace Rt.Eval;

/// <summary>A task to evaluate.</summary>
public sealed record EvalTask
{
    /// <summary>Unique name; names files of the results.</summary>
    public required string Name { get; init; }

    /// <summary>The family it belongs to, such as algorithmic.</summary>
    public required string Group { get; init; }

    /// <summary>Puts examples into words.</summary>
    public required PromptTemplate Template { get; init; }

    /// <summary>Demonstrations and development queries come from here; test queries too where <see cref="Test"/> is null.</summary>
    public required IReadOnlyList<EvalExample> Train { get; init; }

    /// <summary>Test queries; null where one list serves for all.</summary>
    public IReadOnlyList<EvalExample>? Test { get; init; }

    /// <summary>Where the examples come from, for the report.</summary>
    public required string Source { get; init; }

    /// <summary>Whether every example has the same options: then demonstrations can be drawn evenly over them.</summary>
    public bool HasClasses => Train[0].Options is { } options && Train.All(example => example.Options is { } own && own.SequenceEqual(options));

    /// <summary>Whether the answer is one of options.</summary>
    public bool HasOptions => Train[0].Options is not null;

    /// <summary>SHA-256 over the template and every example, in hexadecimal.</summary>
    public string Digest()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(Name);
        Append(Template.Pattern);
        Append(Template.Separator);
        foreach (var part in new[] { Train, Test ?? [] })
        {
            Append($"{part.Count}");
            foreach (var example in part)
            {
                Append(example.Input);
                Append(example.Output);
                Append($"{example.Options?.Count ?? 0}");
                foreach (var option in example.Options ?? [])
                {
                    Append(option);
                }
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());

        // A length before every text, so that no two tasks give the same bytes.
        void Append(string text)
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            hash.AppendData(BitConverter.GetBytes(bytes.Length));
            hash.AppendData(bytes);
        }
    }
}
