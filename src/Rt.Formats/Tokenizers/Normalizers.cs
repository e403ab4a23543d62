// The normalizers of tokenizer.json: each turns one text into another before it is split.
// Source: huggingface/tokenizers, normalizers.
using System.Text;
using Rt.Core;

namespace Rt.Formats.Tokenizers;

/// <summary>Rewrites sound UTF-8 text.</summary>
internal abstract class Normalizer
{
    /// <summary>Appends the normalized form of <paramref name="text"/>.</summary>
    public abstract void Apply(ReadOnlySpan<byte> text, SpanList<byte> output);

    /// <summary>Reads the <c>normalizer</c> field.</summary>
    /// <exception cref="UnsupportedModelException">A normalizer that this runtime does not compute.</exception>
    public static Normalizer Read(JsonField field)
    {
        string type = field.Get("type").Text();
        return type switch
        {
            "NFC" => new FormNormalizer(compatibility: false, compose: true),
            "NFD" => new FormNormalizer(compatibility: false, compose: false),
            "NFKC" => new FormNormalizer(compatibility: true, compose: true),
            "NFKD" => new FormNormalizer(compatibility: true, compose: false),
            "Prepend" => new PrependNormalizer(Encoding.UTF8.GetBytes(field.Get("prepend").Text())),
            "Replace" => new ReplaceNormalizer(PatternReader.Read(field.Get("pattern")), Encoding.UTF8.GetBytes(field.Get("content").Text())),
            "Lowercase" => new LowercaseNormalizer(),
            "Strip" => new StripNormalizer(field.Bool("strip_left", true), field.Bool("strip_right", true)),
            "StripAccents" => new StripAccentsNormalizer(),
            "ByteLevel" => new ByteLevelNormalizer(),
            "Sequence" => new SequenceNormalizer([.. field.Get("normalizers").Items().Select(Read)]),
            _ => throw new UnsupportedModelException($"{field.File}: {field.Path}: the normalizer {MessageText.Quote(type)} is not supported"),
        };
    }
}

/// <summary>Reads <c>{"String": ...}</c> and <c>{"Regex": ...}</c>: the first is meant literally, the second as an expression.</summary>
internal static class PatternReader
{
    public static SplitPattern Read(JsonField field)
    {
        if (field.TextOrNull("String") is string literal)
        {
            return literal.Length > 0
                ? new LiteralPattern(Encoding.UTF8.GetBytes(literal))
                : throw field.Bad("the string is empty");
        }

        string pattern = field.Get("Regex").Text();
        return KnownPatterns.Find(pattern) ?? new RegexPattern(field, pattern);
    }
}

internal sealed class FormNormalizer(bool compatibility, bool compose) : Normalizer
{
    public override void Apply(ReadOnlySpan<byte> text, SpanList<byte> output) =>
        UnicodeNormalization.Normalize(text, compatibility, compose, output);
}

internal sealed class PrependNormalizer(byte[] prefix) : Normalizer
{
    public override void Apply(ReadOnlySpan<byte> text, SpanList<byte> output)
    {
        if (!text.IsEmpty)
        {
            output.AddRange(prefix);
            output.AddRange(text);
        }
    }
}

internal sealed class ReplaceNormalizer(SplitPattern pattern, byte[] content) : Normalizer
{
    public override void Apply(ReadOnlySpan<byte> text, SpanList<byte> output)
    {
        var matches = new SpanList<Range32>();
        pattern.Matches(text, matches);
        int copied = 0;
        foreach (Range32 match in matches.Span)
        {
            output.AddRange(text[copied..match.Start]);
            output.AddRange(content);
            copied = match.End;
        }

        output.AddRange(text[copied..]);
    }
}

internal sealed class LowercaseNormalizer : Normalizer
{
    public override void Apply(ReadOnlySpan<byte> text, SpanList<byte> output)
    {
        for (int i = 0; i < text.Length;)
        {
            int point = UnicodeText.CodePointAt(text, i, out int length);
            i += length;
            if (point == 0x130)
            {
                // The only character whose lower case is two: i and a dot above.
                output.AddRange("i\u0307"u8);
            }
            else
            {
                UnicodeText.Append(output, Rune.ToLowerInvariant(new Rune(point)).Value);
            }
        }
    }
}

internal sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    public override void Apply(ReadOnlySpan<byte> text, SpanList<byte> output)
    {
        while (left && !text.IsEmpty && UnicodeText.IsWhitespace(UnicodeText.CodePointAt(text, 0, out int first)))
        {
            text = text[first..];
        }

        while (right && !text.IsEmpty && UnicodeText.IsWhitespace(UnicodeText.CodePointBefore(text, text.Length, out int last)))
        {
            text = text[..^last];
        }

        output.AddRange(text);
    }
}

internal sealed class StripAccentsNormalizer : Normalizer
{
    public override void Apply(ReadOnlySpan<byte> text, SpanList<byte> output)
    {
        for (int i = 0; i < text.Length;)
        {
            if (!UnicodeText.IsMark(UnicodeText.CodePointAt(text, i, out int length)))
            {
                output.AddRange(text.Slice(i, length));
            }

            i += length;
        }
    }
}

internal sealed class ByteLevelNormalizer : Normalizer
{
    public override void Apply(ReadOnlySpan<byte> text, SpanList<byte> output) => ByteAlphabet.Map(text, output);
}

internal sealed class SequenceNormalizer(Normalizer[] steps) : Normalizer
{
    public override void Apply(ReadOnlySpan<byte> text, SpanList<byte> output)
    {
        var current = new SpanList<byte>(text.Length);
        var next = new SpanList<byte>(text.Length);
        current.AddRange(text);
        foreach (Normalizer step in steps)
        {
            next.Clear();
            step.Apply(current.Span, next);
            (current, next) = (next, current);
        }

        output.AddRange(current.Span);
    }
}
