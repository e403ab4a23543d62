// The pre-tokenizer patterns of the published families as hand-written scanners, recognised by their exact text.
// Source: GPT-2's encoder.py; OpenAI tiktoken (cl100k, o200k); the tokenizer.json files of LLaMA 3, Qwen 2, BLOOM and Mistral.
using System.Globalization;

namespace Rt.Formats.Tokenizers;

internal static class KnownPatterns
{
    /// <summary>The pattern of GPT-2, built into the ByteLevel pre-tokenizer.</summary>
    public const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>The pattern of Qwen 2: cl100k with single digits.</summary>
    public const string Qwen2 = Contractions + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + CodeTail;

    private const string Contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private const string CodeTail = @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    private const string Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
    private const string CaseTail = @"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private static readonly Dictionary<string, SplitPattern> Scanners = new()
    {
        [Gpt2] = new Gpt2Scanner(),
        [@"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"] = new Gpt2Scanner(),
        [Contractions + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + CodeTail] = new Cl100kScanner(3),
        [Qwen2] = new Cl100kScanner(1),
        [@"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"] = new Cl100kScanner(3),
        [@"[^\r\n\p{L}\p{N}]?" + Upper + "*" + Lower + "+" + Contractions + @"?|[^\r\n\p{L}\p{N}]?" + Upper + "+" + Lower + "*"
            + Contractions + @"?|\p{N}{1,3}" + CaseTail] = new O200kScanner(3, true),
        [@"[^\r\n\p{L}\p{N}]?" + Upper + "*" + Lower + @"+|[^\r\n\p{L}\p{N}]?" + Upper + "+" + Lower + @"*|\p{N}" + CaseTail]
            = new O200kScanner(1, false),
        [@" ?[^(\s|[.,!?…。，、।۔،])]+"] = new BloomScanner(),
        [" {2,}"] = new SpaceRunScanner(),
    };

    /// <summary>All patterns with a scanner.</summary>
    public static IReadOnlyCollection<string> Texts => Scanners.Keys;

    /// <summary>The scanner of a pattern, or null if it has none.</summary>
    public static SplitPattern? Find(string pattern) => Scanners.GetValueOrDefault(pattern);

    private sealed class Gpt2Scanner : ScannerPattern
    {
        protected override int MatchEnd(ReadOnlySpan<byte> text, int start)
        {
            int contraction = ContractionLength(text, start, ignoreCase: false);
            if (contraction > 0)
            {
                return start + contraction;
            }

            int from = text[start] == ' ' ? start + 1 : start;
            CharClass first = UnicodeText.ClassAt(text, from, out int length);
            return first is CharClass.Space or CharClass.End
                ? SpaceEnd(text, start)
                : RunEnd(text, from + length, first);
        }
    }

    private sealed class Cl100kScanner(int mostDigits) : ScannerPattern
    {
        protected override int MatchEnd(ReadOnlySpan<byte> text, int start)
        {
            int contraction = ContractionLength(text, start, ignoreCase: true);
            if (contraction > 0)
            {
                return start + contraction;
            }

            CharClass first = UnicodeText.ClassAt(text, start, out int length);
            if (first == CharClass.Letter)
            {
                return RunEnd(text, start + length, CharClass.Letter);
            }

            if (first == CharClass.Number)
            {
                return NumberEnd(text, start, mostDigits);
            }

            CharClass second = UnicodeText.ClassAt(text, start + length, out int secondLength);
            if (second == CharClass.Letter && text[start] is not ((byte)'\r' or (byte)'\n'))
            {
                return RunEnd(text, start + length + secondLength, CharClass.Letter);
            }

            return SymbolOrSpaceEnd(text, start, first, second, slash: false);
        }

        // " ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+", with '/' among the line ends for o200k.
        public static int SymbolOrSpaceEnd(ReadOnlySpan<byte> text, int start, CharClass first, CharClass second, bool slash)
        {
            if (first == CharClass.Other || (text[start] == ' ' && second == CharClass.Other))
            {
                int end = RunEnd(text, first == CharClass.Other ? start : start + 1, CharClass.Other);
                while (end < text.Length && (text[end] is (byte)'\r' or (byte)'\n' || (slash && text[end] == '/')))
                {
                    end++;
                }

                return end;
            }

            int lineEnd = LastLineEnd(text, start);
            return lineEnd >= 0 ? lineEnd : SpaceEnd(text, start);
        }
    }

    private sealed class O200kScanner(int mostDigits, bool contractions) : ScannerPattern
    {
        protected override int MatchEnd(ReadOnlySpan<byte> text, int start)
        {
            CharClass first = UnicodeText.ClassAt(text, start, out int length);
            if (first == CharClass.Number)
            {
                return NumberEnd(text, start, mostDigits);
            }

            // The optional character in front is anything but a line end, a letter or a number; it is tried first.
            bool prefix = first != CharClass.Letter && text[start] is not ((byte)'\r' or (byte)'\n');
            int end = prefix ? LowerEnd(text, start + length) : -1;
            end = end >= 0 ? end : LowerEnd(text, start);
            end = end >= 0 || !prefix ? end : UpperEnd(text, start + length);
            end = end >= 0 ? end : UpperEnd(text, start);
            if (end >= 0)
            {
                return contractions ? end + ContractionLength(text, end, ignoreCase: true) : end;
            }

            CharClass second = UnicodeText.ClassAt(text, start + length, out _);
            return Cl100kScanner.SymbolOrSpaceEnd(text, start, first, second, slash: true);
        }

        // Upper*Lower+: the upper run gives characters back until a lower one follows. -1 if there is none.
        private static int LowerEnd(ReadOnlySpan<byte> text, int start)
        {
            int end = start, afterLastLower = -1;
            while (KindAt(text, end, out int length) is int kind && (kind & 1) != 0)
            {
                end += length;
                afterLastLower = (kind & 2) != 0 ? end : afterLastLower;
            }

            int lowerEnd = end;
            while ((KindAt(text, lowerEnd, out int length) & 2) != 0)
            {
                lowerEnd += length;
            }

            return lowerEnd > end ? lowerEnd : afterLastLower;
        }

        // Upper+, where no lower character follows (LowerEnd failed). -1 if there is none.
        private static int UpperEnd(ReadOnlySpan<byte> text, int start)
        {
            int end = start;
            while ((KindAt(text, end, out int length) & 1) != 0)
            {
                end += length;
            }

            return end > start ? end : -1;
        }

        // Bit 0: of the upper set (Lu Lt Lm Lo M); bit 1: of the lower set (Ll Lm Lo M).
        private static int KindAt(ReadOnlySpan<byte> text, int index, out int length)
        {
            if (index >= text.Length)
            {
                length = 0;
                return 0;
            }

            return CharUnicodeInfo.GetUnicodeCategory(UnicodeText.CodePointAt(text, index, out length)) switch
            {
                UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter => 1,
                UnicodeCategory.LowercaseLetter => 2,
                UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter or UnicodeCategory.NonSpacingMark
                    or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => 3,
                _ => 0,
            };
        }
    }

    // T5 and its kin replace runs of spaces with it.
    private sealed class SpaceRunScanner : SplitPattern
    {
        public override void Matches(ReadOnlySpan<byte> text, SpanList<Range32> matches)
        {
            for (int start = text.IndexOf("  "u8); start >= 0 && start < text.Length;)
            {
                int length = text[start..].IndexOfAnyExcept((byte)' ');
                int end = length < 0 ? text.Length : start + length;
                matches.Add(new Range32(start, end));
                int next = text[end..].IndexOf("  "u8);
                start = next < 0 ? -1 : end + next;
            }
        }
    }

    private sealed class BloomScanner : ScannerPattern
    {
        protected override int MatchEnd(ReadOnlySpan<byte> text, int start)
        {
            int from = text[start] == ' ' ? start + 1 : start;
            int end = from;
            while (end < text.Length && IsInside(UnicodeText.CodePointAt(text, end, out int length)))
            {
                end += length;
            }

            return end > from ? end : start;
        }

        // The inner brackets are a nested class, so that the outer one excludes ( | ) , the spaces and the listed marks.
        private static bool IsInside(int point) =>
            point is not ('(' or ')' or '|' or '.' or ',' or '!' or '?' or '…' or '。' or '，' or '、' or '।' or '۔' or '،')
            && !UnicodeText.IsWhitespace(point);
    }
}
