// Names of benchmark tests in llama-bench's spirit: pp512, tg128@d512, think512, score64x16@512, sweep, extract, load.
using System.Globalization;
using Rt.Core;

namespace Rt.Cli.Bench;

/// <summary>What a benchmark test measures.</summary>
public enum BenchKind
{
    /// <summary>pp: one prompt, logits of its last token only.</summary>
    Prefill,

    /// <summary>tg: tokens generated one after another, batch 1.</summary>
    Decode,

    /// <summary>think: one step of Deep-Thinking over kept keys and values of the same length.</summary>
    Think,

    /// <summary>update: the meta-gradient update of all layers alone.</summary>
    Update,

    /// <summary>score: queries with two one-token options over a kept prefix.</summary>
    Score,

    /// <summary>sweep: every query patched at every layer.</summary>
    Sweep,

    /// <summary>extract: the residual stream at every prompt's end, all layers.</summary>
    Extract,

    /// <summary>load: from the folder to the first token.</summary>
    Load,
}

/// <summary>One test and its sizes.</summary>
/// <param name="Kind">What is measured.</param>
/// <param name="Count">Prompts or queries.</param>
/// <param name="Length">Tokens of each prompt or query; tokens generated for <see cref="BenchKind.Decode"/>.</param>
/// <param name="Depth">Tokens that are there before: of the prompt (decode) or of a kept prefix (prefill, score).</param>
public readonly record struct BenchSpec(BenchKind Kind, int Count, int Length, int Depth)
{
    /// <summary>Upper bound of every size: far beyond any model's positions, small enough for all products.</summary>
    private const int MaxSize = 1 << 20;

    private static readonly (string Name, BenchKind Kind)[] Names =
    [
        ("pp", BenchKind.Prefill), ("tg", BenchKind.Decode), ("think", BenchKind.Think), ("update", BenchKind.Update),
        ("score", BenchKind.Score), ("sweep", BenchKind.Sweep), ("extract", BenchKind.Extract), ("load", BenchKind.Load),
    ];

    /// <summary>Reads one test's name.</summary>
    /// <exception cref="UsageException">Not a test, or a size that is no number from 1 to 1048576.</exception>
    public static BenchSpec Parse(string text)
    {
        var letters = text.AsSpan().IndexOfAnyExceptInRange('a', 'z');
        var name = letters < 0 ? text : text[..letters];
        var index = Array.FindIndex(Names, candidate => candidate.Name == name);
        if (index < 0)
        {
            throw Wrong(text);
        }

        var kind = Names[index].Kind;
        var sizes = text[name.Length..];
        var at = sizes.IndexOf('@', StringComparison.Ordinal);
        var depth = at < 0 ? null : sizes[(at + 1)..];
        if (at >= 0)
        {
            sizes = sizes[..at];
        }

        switch (kind)
        {
            case BenchKind.Prefill or BenchKind.Decode:
                return new BenchSpec(kind, 1, Size(sizes), depth is null ? 0 : Size(depth.StartsWith('d') ? depth[1..] : ""));
            case BenchKind.Think or BenchKind.Update when depth is null:
                return new BenchSpec(kind, 1, Size(sizes), 0);
            case BenchKind.Score:
                var (queries, length) = sizes == "" ? (64, 16) : Pair(sizes);
                return new BenchSpec(kind, queries, length, depth is null ? sizes == "" ? 512 : 0 : Size(depth));
            case BenchKind.Sweep when depth is null:
                (queries, length) = sizes == "" ? (50, 12) : Pair(sizes);
                return new BenchSpec(kind, queries, length, 0);
            case BenchKind.Extract when depth is null:
                (queries, length) = sizes == "" ? (50, 80) : Pair(sizes);
                return new BenchSpec(kind, queries, length, 0);
            case BenchKind.Load when depth is null && sizes == "":
                return new BenchSpec(kind, 1, 1, 0);
            default:
                throw Wrong(text);
        }

        (int, int) Pair(string pair)
        {
            var x = pair.IndexOf('x', StringComparison.Ordinal);
            return x < 0 ? throw Wrong(text) : (Size(pair[..x]), Size(pair[(x + 1)..]));
        }

        int Size(string digits) =>
            int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var size) && size is >= 1 and <= MaxSize
                ? size
                : throw Wrong(text);
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        var name = Names.First(Is).Name;
        return Kind switch
        {
            BenchKind.Load => name,
            BenchKind.Prefill or BenchKind.Decode => Depth == 0 ? $"{name}{Length}" : $"{name}{Length}@d{Depth}",
            BenchKind.Think or BenchKind.Update => $"{name}{Length}",
            _ => Depth == 0 ? $"{name}{Count}x{Length}" : $"{name}{Count}x{Length}@{Depth}",
        };
    }

    private bool Is((string Name, BenchKind Kind) entry) => entry.Kind == Kind;

    private static UsageException Wrong(string text) => new(
        $"test '{text}': expected ppN[@dN], tgN[@dN], thinkN, updateN, score[NxN[@N]], sweep[NxN], extract[NxN] or load, with N from 1 to {MaxSize}");
}
