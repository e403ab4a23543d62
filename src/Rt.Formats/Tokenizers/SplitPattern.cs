// What a text is searched for when it is split or replaced: literals, single characters, and the hand-written scanners.
// Source: huggingface/tokenizers, the meaning of pattern.String and pattern.Regex.
namespace Rt.Formats.Tokenizers;

/// <summary>Finds the non-overlapping matches of a pattern, from left to right.</summary>
internal abstract class SplitPattern
{
    /// <summary>Appends start and end (in bytes) of each match in <paramref name="text"/>.</summary>
    public abstract void Matches(ReadOnlySpan<byte> text, SpanList<Range32> matches);
}

/// <summary>A stretch of bytes, from start up to but not including end.</summary>
internal readonly record struct Range32(int Start, int End)
{
    public int Length => End - Start;

    public ReadOnlySpan<byte> Of(ReadOnlySpan<byte> text) => text[Start..End];
}

/// <summary>Every occurrence of one text.</summary>
internal sealed class LiteralPattern(byte[] literal) : SplitPattern
{
    public override void Matches(ReadOnlySpan<byte> text, SpanList<Range32> matches)
    {
        for (int from = 0; from < text.Length;)
        {
            int found = text[from..].IndexOf(literal);
            if (found < 0)
            {
                return;
            }

            matches.Add(new Range32(from + found, from + found + literal.Length));
            from += found + literal.Length;
        }
    }
}

/// <summary>Every single character that has a property.</summary>
internal sealed class CharacterPattern(Func<int, bool> isMatch) : SplitPattern
{
    public override void Matches(ReadOnlySpan<byte> text, SpanList<Range32> matches)
    {
        for (int i = 0; i < text.Length;)
        {
            if (isMatch(UnicodeText.CodePointAt(text, i, out int length)))
            {
                matches.Add(new Range32(i, i + length));
            }

            i += length;
        }
    }
}

/// <summary><c>\w+|[^\w\s]+</c>: runs of word characters and runs of what is neither word nor space.</summary>
internal sealed class WordOrSymbolPattern : SplitPattern
{
    public override void Matches(ReadOnlySpan<byte> text, SpanList<Range32> matches)
    {
        int start = 0, kind = 0;
        for (int i = 0; i < text.Length;)
        {
            int point = UnicodeText.CodePointAt(text, i, out int length);
            int next = UnicodeText.IsWord(point) ? 1 : UnicodeText.IsWhitespace(point) ? 0 : 2;
            if (next != kind)
            {
                if (kind != 0)
                {
                    matches.Add(new Range32(start, i));
                }

                (start, kind) = (i, next);
            }

            i += length;
        }

        if (kind != 0)
        {
            matches.Add(new Range32(start, text.Length));
        }
    }
}

/// <summary>A pattern written out by hand: the end of the match at a position, or the position itself where none begins.</summary>
internal abstract class ScannerPattern : SplitPattern
{
    public sealed override void Matches(ReadOnlySpan<byte> text, SpanList<Range32> matches)
    {
        for (int i = 0; i < text.Length;)
        {
            int end = MatchEnd(text, i);
            if (end > i)
            {
                matches.Add(new Range32(i, end));
                i = end;
            }
            else
            {
                i += UnicodeText.LengthOf(text[i]);
            }
        }
    }

    /// <summary>End of the match that begins at <paramref name="start"/>, or <paramref name="start"/> if there is none.</summary>
    protected abstract int MatchEnd(ReadOnlySpan<byte> text, int start);

    /// <summary>End of the run of one class that begins at <paramref name="from"/>.</summary>
    protected static int RunEnd(ReadOnlySpan<byte> text, int from, CharClass wanted)
    {
        while (UnicodeText.ClassAt(text, from, out int length) == wanted)
        {
            from += length;
        }

        return from;
    }

    /// <summary><c>\s+(?!\S)|\s+</c> at a space: the run, less its last character if text follows and more than one is there.</summary>
    protected static int SpaceEnd(ReadOnlySpan<byte> text, int start)
    {
        int end = RunEnd(text, start, CharClass.Space);
        if (end == text.Length)
        {
            return end;
        }

        UnicodeText.CodePointBefore(text, end, out int last);
        return end - last > start ? end - last : end;
    }

    /// <summary><c>\p{N}{1,most}</c> at a number.</summary>
    protected static int NumberEnd(ReadOnlySpan<byte> text, int start, int most)
    {
        int end = start;
        for (int count = 0; count < most && UnicodeText.ClassAt(text, end, out int length) == CharClass.Number; count++)
        {
            end += length;
        }

        return end;
    }

    /// <summary><c>\s*[\r\n]+</c> at a space: up to the last line end of the run; -1 if the run has none.</summary>
    protected static int LastLineEnd(ReadOnlySpan<byte> text, int start)
    {
        int end = RunEnd(text, start, CharClass.Space);
        int found = text[start..end].LastIndexOfAny((byte)'\r', (byte)'\n');
        return found < 0 ? -1 : start + found + 1;
    }

    /// <summary>Length of an English contraction ('s 't 're 've 'm 'll 'd) at <paramref name="start"/>, or 0.</summary>
    protected static int ContractionLength(ReadOnlySpan<byte> text, int start, bool ignoreCase)
    {
        if (start + 1 >= text.Length || text[start] != '\'')
        {
            return 0;
        }

        int fold = ignoreCase ? 0x20 : 0;
        int first = text[start + 1] | fold;
        if (first is 's' or 't' or 'm' or 'd')
        {
            return 2;
        }

        if (start + 2 >= text.Length)
        {
            return 0;
        }

        int second = text[start + 2] | fold;
        if ((first is 'r' or 'v' && second == 'e') || (first == 'l' && second == 'l'))
        {
            return 3;
        }

        // The long s (U+017F) is an s when case is ignored.
        return ignoreCase && text[start + 1] == 0xC5 && text[start + 2] == 0xBF ? 3 : 0;
    }
}
