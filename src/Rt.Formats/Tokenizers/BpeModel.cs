// Byte-pair encoding: a piece becomes the symbols of its characters (or bytes), which merge by rank.
// Source: Sennrich et al. 2016 (arXiv:1508.07909); huggingface/tokenizers, models/bpe/model.rs.
using System.Text;
using Rt.Core;

namespace Rt.Formats.Tokenizers;

/// <summary>The settings of a BPE model, by their names in tokenizer.json.</summary>
/// <param name="UnknownId">Id of unk_token; <see cref="NoUnknown"/> if the model has none, unknown characters then vanish;
/// <see cref="MissingUnknown"/> if it names one that is not in the vocabulary.</param>
/// <param name="FuseUnknown">fuse_unk: neighbouring unknown characters are one token.</param>
/// <param name="ByteFallback">byte_fallback: an unknown character becomes the tokens of its bytes, as far as they exist.</param>
/// <param name="IgnoreMerges">ignore_merges: a piece that is in the vocabulary is that token.</param>
/// <param name="ContinuingPrefix">continuing_subword_prefix, or empty.</param>
/// <param name="EndSuffix">end_of_word_suffix, or empty.</param>
internal sealed record BpeOptions(
    int UnknownId, bool FuseUnknown, bool ByteFallback, bool IgnoreMerges, string ContinuingPrefix, string EndSuffix)
{
    public const int NoUnknown = -1;
    public const int MissingUnknown = -2;

    /// <summary>Nothing looks into the spelling of a piece, so that bytes may stand for the characters of the byte-level alphabet.</summary>
    public bool IsPlain => !ByteFallback && ContinuingPrefix.Length == 0 && EndSuffix.Length == 0;
}

internal sealed class BpeModel : TokenModel
{
    private static readonly byte[] Metaspace = "▁"u8.ToArray();

    private readonly string _file;
    private readonly BpeOptions _options;
    private readonly PieceTable _pieces;
    private readonly MergeTable _merges;
    private readonly bool _rawBytes;
    private readonly bool _splitsAtMetaspace;
    private readonly int[] _singleByteIds = new int[256];
    private readonly int[] _fallbackIds = new int[256];
    private readonly byte[] _prefix;
    private readonly byte[] _suffix;

    /// <param name="file">The file, for messages.</param>
    /// <param name="options">The settings.</param>
    /// <param name="pieces">The vocabulary, sealed; raw bytes where <paramref name="rawBytes"/>.</param>
    /// <param name="merges">The merges.</param>
    /// <param name="rawBytes">Pieces are bytes of the text, not characters of the byte-level alphabet.</param>
    /// <param name="wordsBeginAtMetaspace">No merge makes a piece with a '▁' behind another character.</param>
    public BpeModel(string file, BpeOptions options, PieceTable pieces, MergeTable merges, bool rawBytes, bool wordsBeginAtMetaspace)
    {
        (_file, _options, _pieces, _merges, _rawBytes) = (file, options, pieces, merges, rawBytes);
        _prefix = Encoding.UTF8.GetBytes(options.ContinuingPrefix);
        _suffix = Encoding.UTF8.GetBytes(options.EndSuffix);
        for (int value = 0; value < 256; value++)
        {
            _singleByteIds[value] = pieces.Find([(byte)value]);
            _fallbackIds[value] = pieces.Find(Encoding.UTF8.GetBytes($"<0x{value:X2}>"));
        }

        // Then a text may be cut in front of each '▁' that follows another character: no merge crosses the cut, and as
        // '▁' is a known symbol no run of unknown characters does either. The words so cut can be remembered.
        _splitsAtMetaspace = wordsBeginAtMetaspace && !rawBytes && !options.IgnoreMerges && _prefix.Length == 0
            && _suffix.Length == 0 && pieces.Find(Metaspace) >= 0;
    }

    public override void Encode(ReadOnlySpan<byte> piece, EncodeScratch scratch)
    {
        while (_splitsAtMetaspace)
        {
            int begin = 0;
            while (piece[begin..].StartsWith(Metaspace))
            {
                begin += Metaspace.Length;
            }

            int cut = piece[begin..].IndexOf(Metaspace);
            if (cut < 0)
            {
                break;
            }

            EncodeWord(piece[..(begin + cut)], scratch);
            piece = piece[(begin + cut)..];
        }

        EncodeWord(piece, scratch);
    }

    private void EncodeWord(ReadOnlySpan<byte> word, EncodeScratch scratch)
    {
        if (scratch.Words.TryAppend(word, scratch.Ids, out ulong hash))
        {
            return;
        }

        SpanList<int> symbols = scratch.Merges.Symbols;
        symbols.Clear();
        if (_options.IgnoreMerges && _pieces.Find(word) is int whole and >= 0)
        {
            symbols.Add(whole);
        }
        else
        {
            AddSymbols(word, symbols);
            _merges.Apply(scratch.Merges);
        }

        scratch.Ids.AddRange(symbols.Span);
        scratch.Words.Add(word, symbols.Span, hash);
    }

    private void AddSymbols(ReadOnlySpan<byte> word, SpanList<int> symbols)
    {
        bool pendingUnknown = false;
        var decorated = _prefix.Length + _suffix.Length > 0 ? new SpanList<byte>() : null;
        for (int i = 0, length; i < word.Length; i += length)
        {
            length = _rawBytes ? 1 : UnicodeText.LengthOf(word[i]);
            ReadOnlySpan<byte> character = word.Slice(i, length);
            if (decorated is not null)
            {
                decorated.Clear();
                decorated.AddRange(i > 0 ? _prefix : []);
                decorated.AddRange(character);
                decorated.AddRange(i + length == word.Length ? _suffix : []);
                character = decorated.Span;
            }

            int id = character.Length == 1 ? _singleByteIds[character[0]] : _pieces.Find(character);
            if (id >= 0)
            {
                FlushUnknown(ref pendingUnknown, symbols);
                symbols.Add(id);
                continue;
            }

            if (_options.ByteFallback && TryFallBack(character, symbols))
            {
                continue;
            }

            if (_options.UnknownId == BpeOptions.MissingUnknown)
            {
                throw new BadFileException(_file, "model.unk_token is not in the vocabulary, and the text holds an unknown character");
            }

            if (_options.UnknownId >= 0)
            {
                if (!_options.FuseUnknown)
                {
                    FlushUnknown(ref pendingUnknown, symbols);
                }

                pendingUnknown = true;
            }
        }

        FlushUnknown(ref pendingUnknown, symbols);
    }

    private void FlushUnknown(ref bool pending, SpanList<int> symbols)
    {
        if (pending)
        {
            symbols.Add(_options.UnknownId);
            pending = false;
        }
    }

    private bool TryFallBack(ReadOnlySpan<byte> character, SpanList<int> symbols)
    {
        foreach (byte value in character)
        {
            if (_fallbackIds[value] < 0)
            {
                return false;
            }
        }

        foreach (byte value in character)
        {
            symbols.Add(_fallbackIds[value]);
        }

        return true;
    }
}
