// Everything a tokenizer is made of, as its files give it.
// Source: own.
namespace Rt.Formats.Tokenizers;

internal sealed class TokenizerParts
{
    /// <summary>Largest number of ids: far above any published vocabulary, low enough for a table.</summary>
    public const int MostIds = 1 << 22;

    /// <summary>Most bytes of all added tokens together.</summary>
    public const int MostAddedBytes = 1 << 22;

    /// <summary>The piece of each id; null where an id has none.</summary>
    public required string?[] Pieces { get; init; }

    /// <summary>The id of each piece, added tokens included.</summary>
    public required Dictionary<string, int> IdOfPiece { get; init; }

    public required IReadOnlyList<AddedToken> AddedTokens { get; init; }

    public required Dictionary<int, AddedToken> AddedById { get; init; }

    public required Normalizer? Normalizer { get; init; }

    public required IReadOnlyList<PreTokenizer> PreTokenizers { get; init; }

    public required TokenModel Model { get; init; }

    public required PostProcessor PostProcessor { get; init; }

    public required IReadOnlyList<Func<bool, DecodeStage>> DecodeStages { get; init; }

    /// <summary>Pieces are spelled in the byte-level alphabet.</summary>
    public required bool IsByteLevel { get; init; }

    public int? BosTokenId { get; init; }

    public int? EosTokenId { get; init; }

    public int? PadTokenId { get; init; }
}
