// A model turns one piece of text into token ids. Word-level lookup is the simplest of them.
// Source: huggingface/tokenizers, models.
using Rt.Core;

namespace Rt.Formats.Tokenizers;

/// <summary>What one encoding call works in; reused by later calls, never shared by two at once.</summary>
internal sealed class EncodeScratch
{
    public SpanList<byte> Text { get; } = new(1024);

    public SpanList<byte> Normalized { get; } = new(1024);

    public SpanList<TextStretch> Stretches { get; } = new(16);

    public SpanList<TextStretch> NormalizedStretches { get; } = new(16);

    public PieceList Pieces { get; } = new();

    public SpanList<int> Ids { get; } = new(1024);

    public WordCache Words { get; } = new();

    public MergeScratch Merges { get; } = new();

    public SpanList<BestCut> Cuts { get; } = new();

    /// <summary>True if a later call may reuse this without holding on to the memory of a huge text.</summary>
    public bool IsSmall => Text.Capacity <= 1 << 20 && Merges.IsSmall && Cuts.Capacity <= 1 << 20 && Ids.Capacity <= 1 << 20;
}

internal abstract class TokenModel
{
    /// <summary>Appends the ids of a piece that is not empty.</summary>
    public abstract void Encode(ReadOnlySpan<byte> piece, EncodeScratch scratch);
}

/// <summary>Each piece is one token, or the unknown one.</summary>
internal sealed class WordLevelModel(PieceTable pieces, int unknownId, string file) : TokenModel
{
    public override void Encode(ReadOnlySpan<byte> piece, EncodeScratch scratch)
    {
        int id = pieces.Find(piece);
        id = id >= 0 ? id : unknownId;
        scratch.Ids.Add(id >= 0
            ? id
            : throw new BadFileException(file, "model.unk_token is not in the vocabulary, and the text holds an unknown word"));
    }
}
