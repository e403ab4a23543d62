// A tokenizer as Hugging Face checkpoints carry it: text to token ids and back.
// Source: the behaviour of huggingface/tokenizers 0.23 on the same files.
using System.Text;
using Rt.Core;

namespace Rt.Formats.Tokenizers;

/// <summary>Turns text into token ids and token ids into text. Instances do not change and may be shared by threads.</summary>
public sealed class Tokenizer
{
    private readonly TokenizerParts _parts;
    private readonly AddedTokenFinder? _rawFinder;
    private readonly AddedTokenFinder? _normalizedFinder;

    // One working space is kept for the next call; a second call at the same time makes its own.
    private EncodeScratch? _scratch;

    internal Tokenizer(TokenizerParts parts)
    {
        _parts = parts;
        var raw = new List<(AddedToken, byte[])>();
        var normalized = new List<(AddedToken, byte[])>();
        foreach (AddedToken token in parts.AddedTokens)
        {
            byte[] content = Encoding.UTF8.GetBytes(token.Content);
            if (token.Normalized && parts.Normalizer is Normalizer normalizer)
            {
                var output = new SpanList<byte>();
                normalizer.Apply(content, output);
                normalized.Add((token, output.Span.ToArray()));
            }
            else
            {
                (token.Normalized ? normalized : raw).Add((token, content));
            }
        }

        _rawFinder = raw.Count > 0 ? new AddedTokenFinder(raw) : null;
        _normalizedFinder = normalized.Count > 0 ? new AddedTokenFinder(normalized) : null;
    }

    /// <summary>One more than the largest token id.</summary>
    public int VocabularySize => _parts.Pieces.Length;

    /// <summary>Id of the token that begins a text, if the tokenizer names one.</summary>
    public int? BosTokenId => _parts.BosTokenId;

    /// <summary>Id of the token that ends a text, if the tokenizer names one.</summary>
    public int? EosTokenId => _parts.EosTokenId;

    /// <summary>Id of the token that fills up batches, if the tokenizer names one.</summary>
    public int? PadTokenId => _parts.PadTokenId;

    /// <summary>True if the folder holds a tokenizer: <c>tokenizer.json</c>, or <c>vocab.json</c> and <c>merges.txt</c>.</summary>
    public static bool Exists(string folder) =>
        File.Exists(Path.Combine(folder, "tokenizer.json"))
        || (File.Exists(Path.Combine(folder, "vocab.json")) && File.Exists(Path.Combine(folder, "merges.txt")));

    /// <summary>Reads the tokenizer of a checkpoint folder.</summary>
    /// <param name="folder">Holds <c>tokenizer.json</c>, else <c>vocab.json</c> and <c>merges.txt</c>; the names of the
    /// special tokens come from <c>tokenizer_config.json</c> and <c>special_tokens_map.json</c>.</param>
    /// <exception cref="BadFileException">A file is missing or malformed.</exception>
    /// <exception cref="UnsupportedModelException">A file asks for something this runtime does not compute.</exception>
    public static Tokenizer Load(string folder)
    {
        if (File.Exists(Path.Combine(folder, "tokenizer.json")))
        {
            return new Tokenizer(TokenizerJsonReader.Read(folder));
        }

        return Exists(folder)
            ? new Tokenizer(VocabMergesReader.Read(folder))
            : throw new BadFileException(folder, "holds no tokenizer: expected tokenizer.json, or vocab.json and merges.txt");
    }

    /// <summary>Token ids of a text.</summary>
    /// <param name="text">Any text; a surrogate without its partner counts as U+FFFD.</param>
    /// <param name="addSpecialTokens">Adds what the tokenizer puts around a text, such as a BOS.</param>
    /// <exception cref="BadFileException">A pattern of the file takes too long on this text, or the text holds a
    /// character for which the file has no token and no unknown token.</exception>
    /// <remarks>Added tokens are recognised in the text whatever <paramref name="addSpecialTokens"/> is.</remarks>
    public int[] Encode(string text, bool addSpecialTokens = true)
    {
        EncodeScratch scratch = Interlocked.Exchange(ref _scratch, null) ?? new EncodeScratch();
        scratch.Ids.Clear();
        PostProcessor around = addSpecialTokens ? _parts.PostProcessor : PostProcessor.None;
        scratch.Ids.AddRange(around.Before);
        EncodeText(text, scratch);
        scratch.Ids.AddRange(around.Behind);
        int[] ids = scratch.Ids.Span.ToArray();
        if (scratch.IsSmall)
        {
            _scratch = scratch;
        }

        return ids;
    }

    /// <summary>Text of token ids; bytes that are no UTF-8 become U+FFFD.</summary>
    /// <param name="ids">Token ids.</param>
    /// <param name="skipSpecialTokens">Leaves out special tokens such as BOS and EOS.</param>
    /// <exception cref="UsageException">An id is no token of this vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        var output = new StringBuilder();
        DecodeStage chain = MakeDecodeChain(output);
        foreach (int id in ids)
        {
            string piece = PieceOf(id);
            if (!(skipSpecialTokens && IsSpecial(id)))
            {
                chain.Push(piece, true);
            }
        }

        chain.End();
        return output.ToString();
    }

    /// <summary>Starts a decoding token by token.</summary>
    public TokenDecoder CreateDecoder(bool skipSpecialTokens = true) => new(this, skipSpecialTokens);

    /// <summary>A token as a reader sees it within a text: spaces as spaces, control characters escaped, bytes that are
    /// no character of their own as <c>\xE2</c>. An id without a token gives its number.</summary>
    public string TokenText(int id)
    {
        if ((uint)id >= (uint)_parts.Pieces.Length || _parts.Pieces[id] is not string piece)
        {
            return $"<{id}>";
        }

        var bytes = new SpanList<byte>();
        if (_parts.AddedById.ContainsKey(id))
        {
            return Visible(Encoding.UTF8.GetBytes(piece));
        }

        if (_parts.IsByteLevel)
        {
            ByteAlphabet.AppendBytes(piece, bytes);
            return Visible(bytes.Span);
        }

        int value = ByteFallbackStage.ByteOf(piece);
        return Visible(value >= 0 ? [(byte)value] : Encoding.UTF8.GetBytes(piece.Replace('▁', ' ')));
    }

    /// <summary>The id of a piece exactly as the vocabulary spells it (<c>Ġthe</c>, <c>▁the</c>), or null.</summary>
    public int? TokenId(string piece) => _parts.IdOfPiece.TryGetValue(piece, out int id) ? id : null;

    /// <summary>Whether an id has a token: models may have more rows than their tokenizer has tokens.</summary>
    public bool Contains(int id) => (uint)id < (uint)_parts.Pieces.Length && _parts.Pieces[id] is not null;

    /// <summary>True for tokens that stand for no text, such as BOS and EOS.</summary>
    public bool IsSpecial(int id) => _parts.AddedById.TryGetValue(id, out AddedToken? token) && token.Special;

    internal string PieceOf(int id) => (uint)id < (uint)_parts.Pieces.Length && _parts.Pieces[id] is string piece
        ? piece
        : throw new UsageException($"token id {id} is outside the vocabulary, whose largest id is {VocabularySize - 1}");

    internal DecodeStage MakeDecodeChain(StringBuilder output) => DecodeStage.Chain(_parts.DecodeStages, output);

    private void EncodeText(string text, EncodeScratch scratch)
    {
        scratch.Text.Clear();
        Encoding.UTF8.GetBytes(text, scratch.Text.Extend(Encoding.UTF8.GetByteCount(text)));
        Cut(_rawFinder, scratch.Text.Span, scratch.Stretches);
        foreach (TextStretch stretch in scratch.Stretches.Span)
        {
            if (stretch.TokenId >= 0)
            {
                scratch.Ids.Add(stretch.TokenId);
                continue;
            }

            // Each stretch between added tokens is normalized and cut on its own.
            ReadOnlySpan<byte> part = scratch.Text.Span[stretch.Start..stretch.End];
            if (_parts.Normalizer is not null)
            {
                scratch.Normalized.Clear();
                _parts.Normalizer.Apply(part, scratch.Normalized);
                part = scratch.Normalized.Span;
            }

            Cut(_normalizedFinder, part, scratch.NormalizedStretches);
            foreach (TextStretch inner in scratch.NormalizedStretches.Span)
            {
                if (inner.TokenId >= 0)
                {
                    scratch.Ids.Add(inner.TokenId);
                }
                else
                {
                    EncodeStretch(part[inner.Start..inner.End], stretch.Start == 0 && inner.Start == 0, scratch);
                }
            }
        }
    }

    private void EncodeStretch(ReadOnlySpan<byte> text, bool atOrigin, EncodeScratch scratch)
    {
        PieceList pieces = scratch.Pieces;
        pieces.Clear();
        pieces.Text.AddRange(text);
        pieces.Pieces.Add(new Range32(0, text.Length));
        pieces.FirstIsAtOrigin = atOrigin;
        foreach (PreTokenizer step in _parts.PreTokenizers)
        {
            step.Apply(pieces);
        }

        ReadOnlySpan<byte> cut = pieces.Text.Span;
        foreach (Range32 piece in pieces.Pieces.Span)
        {
            _parts.Model.Encode(piece.Of(cut), scratch);
        }
    }

    private static void Cut(AddedTokenFinder? finder, ReadOnlySpan<byte> text, SpanList<TextStretch> stretches)
    {
        stretches.Clear();
        if (finder is not null)
        {
            finder.Split(text, stretches);
        }
        else if (!text.IsEmpty)
        {
            stretches.Add(new TextStretch(0, text.Length, -1));
        }
    }

    private static string Visible(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder();
        while (!bytes.IsEmpty)
        {
            System.Buffers.OperationStatus status = Rune.DecodeFromUtf8(bytes, out Rune rune, out int length);
            if (status != System.Buffers.OperationStatus.Done)
            {
                text.Append($"\\x{bytes[0]:X2}");
                bytes = bytes[1..];
                continue;
            }

            text.Append(rune.Value switch
            {
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                _ => Rune.IsControl(rune) ? $"\\u{rune.Value:X4}" : rune.ToString(),
            });
            bytes = bytes[length..];
        }

        return text.ToString();
    }
}
