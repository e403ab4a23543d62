// The decoders of tokenizer.json as a chain of streaming stages; a whole decode runs through the same chain.
// Source: huggingface/tokenizers, decoders.
using System.Text;
using Rt.Core;

namespace Rt.Formats.Tokenizers;

/// <summary>One stage of decoding. Texts come in token by token; behind a fusing stage one token may come in parts.</summary>
internal abstract class DecodeStage
{
    /// <summary>The stage that takes what this one gives.</summary>
    protected DecodeStage Next { get; private set; } = NullStage.Instance;

    /// <summary>Takes a text.</summary>
    /// <param name="text">The text of a token, or a further part of it.</param>
    /// <param name="beginsToken">False if <paramref name="text"/> continues the token that came before.</param>
    public abstract void Push(string text, bool beginsToken);

    /// <summary>Takes the end of the text: whatever is held back goes out.</summary>
    public virtual void End() => Next.End();

    /// <summary>Builds the chain that writes into <paramref name="sink"/>.</summary>
    public static DecodeStage Chain(IEnumerable<Func<bool, DecodeStage>> makers, StringBuilder sink)
    {
        DecodeStage? first = null, last = null;
        bool fused = false;
        foreach (Func<bool, DecodeStage> make in makers.Append(_ => new SinkStage(sink)))
        {
            DecodeStage stage = make(fused);
            fused |= stage.Fuses;
            first ??= stage;
            if (last is not null)
            {
                last.Next = stage;
            }

            last = stage;
        }

        return first!;
    }

    /// <summary>True if the stage makes one token of all.</summary>
    protected virtual bool Fuses => false;

    private sealed class NullStage : DecodeStage
    {
        public static readonly NullStage Instance = new();

        public override void Push(string text, bool beginsToken)
        {
        }

        public override void End()
        {
        }
    }

    private sealed class SinkStage(StringBuilder sink) : DecodeStage
    {
        public override void Push(string text, bool beginsToken) => sink.Append(text);
    }
}

/// <summary>A stage that must see each token whole. Behind a fusing stage that is the whole text, at its end.</summary>
internal abstract class WholeTokenStage(bool comesInParts) : DecodeStage
{
    private StringBuilder? _parts;

    public sealed override void Push(string text, bool beginsToken)
    {
        if (comesInParts)
        {
            (_parts ??= new StringBuilder()).Append(text);
        }
        else
        {
            Token(text);
        }
    }

    public sealed override void End()
    {
        if (_parts is not null)
        {
            Token(_parts.ToString());
            _parts = null;
        }

        EndTokens();
        base.End();
    }

    /// <summary>Takes one whole token.</summary>
    protected abstract void Token(string token);

    protected virtual void EndTokens()
    {
    }
}

/// <summary>Byte-level: the bytes of all tokens, read as UTF-8.</summary>
internal sealed class ByteLevelStage : DecodeStage
{
    // Holds the bytes of a character that has not ended, and writes U+FFFD once a fault is certain.
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private readonly SpanList<byte> _bytes = new();
    private bool _begun;

    protected override bool Fuses => true;

    public override void Push(string text, bool beginsToken)
    {
        _bytes.Clear();
        ByteAlphabet.AppendBytes(text, _bytes);
        Write(flush: false);
    }

    public override void End()
    {
        _bytes.Clear();
        Write(flush: true);
        base.End();
    }

    private void Write(bool flush)
    {
        var characters = new char[_decoder.GetCharCount(_bytes.Span, flush)];
        int count = _decoder.GetChars(_bytes.Span, characters, flush);
        if (count > 0)
        {
            Next.Push(new string(characters, 0, count), !_begun);
            _begun = true;
        }
    }
}

/// <summary>Makes one token of all.</summary>
internal sealed class FuseStage : DecodeStage
{
    private bool _begun;

    protected override bool Fuses => true;

    public override void Push(string text, bool beginsToken)
    {
        Next.Push(text, !_begun);
        _begun = true;
    }
}

/// <summary>Tokens such as &lt;0x0A&gt; are bytes; a run of them is a text, or a U+FFFD for each if it is not sound UTF-8.</summary>
/// <remarks>A run is held back to its end: a fault in it changes all of it.</remarks>
internal sealed class ByteFallbackStage(bool comesInParts) : WholeTokenStage(comesInParts)
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);
    private readonly List<byte> _run = [];

    /// <summary>The byte that a token such as &lt;0x0A&gt; stands for, or -1.</summary>
    public static int ByteOf(string token) =>
        token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
            && char.IsAsciiHexDigit(token[3]) && char.IsAsciiHexDigit(token[4])
            ? Convert.ToInt32(token[3..5], 16)
            : -1;

    protected override void Token(string token)
    {
        int value = ByteOf(token);
        if (value >= 0)
        {
            _run.Add((byte)value);
            return;
        }

        EndTokens();
        Next.Push(token, true);
    }

    protected override void EndTokens()
    {
        if (_run.Count == 0)
        {
            return;
        }

        byte[] bytes = [.. _run];
        _run.Clear();
        if (System.Text.Unicode.Utf8.IsValid(bytes))
        {
            Next.Push(Strict.GetString(bytes), true);
            return;
        }

        for (int i = 0; i < bytes.Length; i++)
        {
            Next.Push("\uFFFD", true);
        }
    }
}

/// <summary>Replaces a pattern within each token.</summary>
internal sealed class ReplaceStage(SplitPattern pattern, string content, bool comesInParts) : WholeTokenStage(comesInParts)
{
    private readonly ReplaceNormalizer _replace = new(pattern, Encoding.UTF8.GetBytes(content));
    private readonly SpanList<byte> _result = new();

    protected override void Token(string token)
    {
        _result.Clear();
        _replace.Apply(Encoding.UTF8.GetBytes(token), _result);
        Next.Push(Encoding.UTF8.GetString(_result.Span), true);
    }
}

/// <summary>Replaces one single character; needs no whole token, so a fused text still streams.</summary>
internal sealed class ReplaceCharacterStage(char character, string content) : DecodeStage
{
    public override void Push(string text, bool beginsToken) =>
        Next.Push(text.Replace(character.ToString(), content, StringComparison.Ordinal), beginsToken);
}

/// <summary>Metaspace: the mark is a space, but vanishes in the first token unless no prefix was added.</summary>
internal sealed class MetaspaceStage(string mark, bool dropsInFirst) : DecodeStage
{
    private int _tokens;

    public override void Push(string text, bool beginsToken)
    {
        _tokens += beginsToken ? 1 : 0;
        Next.Push(text.Replace(mark, dropsInFirst && _tokens <= 1 ? "" : " ", StringComparison.Ordinal), beginsToken);
    }
}

/// <summary>Takes up to a number of one character off both ends of each token.</summary>
internal sealed class StripStage(Rune content, int start, int stop) : DecodeStage
{
    private readonly StringBuilder _output = new();
    private bool _atStart = true;
    private int _cut, _held;
    private bool _begins = true;

    public override void Push(string text, bool beginsToken)
    {
        if (beginsToken)
        {
            // What is held back of the token before is what its end loses.
            (_atStart, _cut, _held, _begins) = (true, 0, 0, true);
        }

        _output.Clear();
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool isContent = rune == content;
            _atStart &= isContent && _cut < start;
            if (_atStart)
            {
                _cut++;
            }
            else if (isContent && _held < stop)
            {
                _held++;
            }
            else
            {
                for (; !isContent && _held > 0; _held--)
                {
                    _output.Append(content.ToString());
                }

                _output.Append(rune.ToString());
            }
        }

        // An empty token counts as one for the stages behind.
        Next.Push(_output.ToString(), _begins);
        _begins = false;
    }
}

/// <summary>WordPiece: a token without the prefix begins a new word.</summary>
internal sealed class WordPieceStage(string prefix, bool cleanUp, bool comesInParts) : WholeTokenStage(comesInParts)
{
    private bool _begun;

    protected override void Token(string token)
    {
        if (_begun)
        {
            token = token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
        }

        _begun = true;
        Next.Push(cleanUp ? CleanUp(token) : token, true);
    }

    private static string CleanUp(string text) => text
        .Replace(" .", ".", StringComparison.Ordinal).Replace(" ?", "?", StringComparison.Ordinal)
        .Replace(" !", "!", StringComparison.Ordinal).Replace(" ,", ",", StringComparison.Ordinal)
        .Replace(" ' ", "'", StringComparison.Ordinal).Replace(" n't", "n't", StringComparison.Ordinal)
        .Replace(" 'm", "'m", StringComparison.Ordinal).Replace(" do not", " don't", StringComparison.Ordinal)
        .Replace(" 's", "'s", StringComparison.Ordinal).Replace(" 've", "'ve", StringComparison.Ordinal)
        .Replace(" 're", "'re", StringComparison.Ordinal);
}

/// <summary>BPEDecoder: the end-of-word suffix is a space, but nothing in the last token.</summary>
internal sealed class WordSuffixStage(string suffix, bool comesInParts) : WholeTokenStage(comesInParts)
{
    private string? _last;

    protected override void Token(string token)
    {
        if (_last is not null)
        {
            Next.Push(_last.Replace(suffix, " ", StringComparison.Ordinal), true);
        }

        _last = token;
    }

    protected override void EndTokens()
    {
        if (_last is not null)
        {
            Next.Push(_last.Replace(suffix, "", StringComparison.Ordinal), true);
            _last = null;
        }
    }
}

/// <summary>Where the file has no decoder, tokens are joined by spaces.</summary>
internal sealed class JoinStage : DecodeStage
{
    private bool _begun;

    public override void Push(string text, bool beginsToken)
    {
        Next.Push(_begun ? " " + text : text, beginsToken);
        _begun = true;
    }
}
