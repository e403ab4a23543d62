// Code points of UTF-8 text and the character classes that tokenizer patterns ask for.
// Source: the Unicode general categories as .NET ships them (Unicode 16 in .NET 10); classes as in Rust's regex and char.
using System.Globalization;

namespace Rt.Formats.Tokenizers;

/// <summary>What the pre-tokenizer patterns tell apart: \p{L}, \p{N}, \s and everything else.</summary>
internal enum CharClass : byte
{
    Other = 0,
    Letter = 1,
    Number = 2,
    Space = 3,
    End = 4,
}

internal static class UnicodeText
{
    private static readonly CharClass[] AsciiClass = MakeAsciiClass();

    /// <summary>The code point at <paramref name="index"/> of sound UTF-8 text, and its length in bytes.</summary>
    public static int CodePointAt(ReadOnlySpan<byte> text, int index, out int length)
    {
        int lead = text[index];
        if (lead < 0x80)
        {
            length = 1;
            return lead;
        }

        if (lead < 0xE0)
        {
            length = 2;
            return ((lead & 0x1F) << 6) | (text[index + 1] & 0x3F);
        }

        if (lead < 0xF0)
        {
            length = 3;
            return ((lead & 0x0F) << 12) | ((text[index + 1] & 0x3F) << 6) | (text[index + 2] & 0x3F);
        }

        length = 4;
        return ((lead & 0x07) << 18) | ((text[index + 1] & 0x3F) << 12) | ((text[index + 2] & 0x3F) << 6)
            | (text[index + 3] & 0x3F);
    }

    /// <summary>The code point that ends right before <paramref name="end"/>, and its length in bytes.</summary>
    public static int CodePointBefore(ReadOnlySpan<byte> text, int end, out int length)
    {
        int start = end - 1;
        while ((text[start] & 0xC0) == 0x80)
        {
            start--;
        }

        return CodePointAt(text, start, out length);
    }

    /// <summary>Bytes of the character that <paramref name="lead"/> begins.</summary>
    public static int LengthOf(byte lead) => lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;

    /// <summary>Appends the UTF-8 form of a scalar value.</summary>
    public static void Append(SpanList<byte> output, int codePoint)
    {
        if (codePoint < 0x80)
        {
            output.Add((byte)codePoint);
            return;
        }

        Span<byte> bytes = stackalloc byte[4];
        int length = new System.Text.Rune(codePoint).EncodeToUtf8(bytes);
        output.AddRange(bytes[..length]);
    }

    /// <summary>The class of the character at <paramref name="index"/>, <see cref="CharClass.End"/> behind the text.</summary>
    public static CharClass ClassAt(ReadOnlySpan<byte> text, int index, out int length)
    {
        if ((uint)index >= (uint)text.Length)
        {
            length = 0;
            return CharClass.End;
        }

        byte lead = text[index];
        if (lead < 0x80)
        {
            length = 1;
            return AsciiClass[lead];
        }

        return ClassOf(CodePointAt(text, index, out length));
    }

    public static CharClass ClassOf(int codePoint)
    {
        if (codePoint < 0x80)
        {
            return AsciiClass[codePoint];
        }

        UnicodeCategory category = CharUnicodeInfo.GetUnicodeCategory(codePoint);
        if (category <= UnicodeCategory.OtherLetter)
        {
            return CharClass.Letter;
        }

        return category switch
        {
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => CharClass.Number,
            UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => CharClass.Space,
            _ => codePoint == 0x85 ? CharClass.Space : CharClass.Other,
        };
    }

    /// <summary>White_Space, which is \s of the regex crates and <c>char::is_whitespace</c>.</summary>
    public static bool IsWhitespace(int codePoint) => ClassOf(codePoint) == CharClass.Space;

    /// <summary>Nd, Nl or No, which is <c>char::is_numeric</c>.</summary>
    public static bool IsNumber(int codePoint) => ClassOf(codePoint) == CharClass.Number;

    /// <summary>General category M.</summary>
    public static bool IsMark(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint)
        is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark;

    /// <summary>ASCII punctuation (symbols included) or general category P.</summary>
    public static bool IsPunctuation(int codePoint)
    {
        if (codePoint < 0x80)
        {
            return codePoint is (>= '!' and <= '/') or (>= ':' and <= '@') or (>= '[' and <= '`') or (>= '{' and <= '~');
        }

        return CharUnicodeInfo.GetUnicodeCategory(codePoint)
            is >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation;
    }

    /// <summary>\w of Rust's regex: Alphabetic, M, Nd, Pc and the two joiners.</summary>
    public static bool IsWord(int codePoint)
    {
        if (codePoint < 0x80)
        {
            return char.IsAsciiLetterOrDigit((char)codePoint) || codePoint == '_';
        }

        UnicodeCategory category = CharUnicodeInfo.GetUnicodeCategory(codePoint);
        return category <= UnicodeCategory.LetterNumber
            || category == UnicodeCategory.ConnectorPunctuation
            || codePoint is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9)
                or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);
    }

    private static CharClass[] MakeAsciiClass()
    {
        var table = new CharClass[128];
        for (int c = 0; c < 128; c++)
        {
            table[c] = char.IsAsciiLetter((char)c) ? CharClass.Letter
                : char.IsAsciiDigit((char)c) ? CharClass.Number
                : c is ' ' or (>= 9 and <= 13) ? CharClass.Space
                : CharClass.Other;
        }

        return table;
    }
}
