// A pattern that a file brings along, run by .NET's regex engines under deadlines: the fast one, then the linear one.
// Source: own; the meaning is that of Oniguruma (Ruby syntax), which Hugging Face tokenizers uses.
using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Rt.Core;

namespace Rt.Formats.Tokenizers;

/// <summary>A regular expression from a file. Each code point is matched as one character.</summary>
/// <remarks>.NET matches UTF-16 units: code points above U+FFFF are therefore shown to it as a rare letter, mark or
/// symbol of the same general category. A pattern that names such a code point is refused.</remarks>
internal sealed class RegexPattern : SplitPattern
{
    private const int LongestPattern = 10_000;

    // The backtracking engine is fast on sane patterns and can take any time on others; where it gives up, the linear
    // engine begins anew, which is slow on long matches (microseconds per character).
    private static readonly TimeSpan BacktrackingDeadline = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan LinearDeadline = TimeSpan.FromSeconds(30);
    private static readonly char[] StandIns = MakeStandIns();

    private readonly string _file;
    private readonly string _path;
    private readonly Regex _fast;
    private readonly Regex? _linear;

    // Time and text of all calls: many pieces that each stay below the deadline must not add up.
    private long _ticksSpent;
    private long _bytesSeen;

    /// <exception cref="BadFileException">The pattern is no regular expression.</exception>
    /// <exception cref="UnsupportedModelException">The pattern uses what this runtime does not match.</exception>
    public RegexPattern(JsonField field, string pattern)
    {
        (_file, _path) = (field.File, field.Path);
        if (pattern.Length > LongestPattern)
        {
            throw field.Bad($"a pattern of {pattern.Length} characters is longer than the {LongestPattern} that are compiled");
        }

        RefuseOtherDialects(field, pattern);
        const RegexOptions Options = RegexOptions.CultureInvariant | RegexOptions.Multiline;
        try
        {
            _fast = new Regex(pattern, Options, BacktrackingDeadline);
            _linear = new Regex(pattern, Options | RegexOptions.NonBacktracking, LinearDeadline);
        }
        catch (NotSupportedException) when (_fast is not null)
        {
            // Look-arounds and back references have no linear engine.
        }
        catch (RegexParseException e)
        {
            throw new UnsupportedModelException(
                $"{_file}: {_path}: the pattern {MessageText.Quote(pattern)} is not one this runtime can match: {e.Message}");
        }
    }

    /// <exception cref="BadFileException">The pattern took longer than the deadline.</exception>
    public override void Matches(ReadOnlySpan<byte> text, SpanList<Range32> matches)
    {
        char[] characters = ArrayPool<char>.Shared.Rent(Math.Max(1, text.Length));
        try
        {
            int count = 0;
            for (int i = 0; i < text.Length;)
            {
                int point = UnicodeText.CodePointAt(text, i, out int length);
                characters[count++] = point < 0x10000 ? (char)point : StandIns[(int)CharUnicodeInfo.GetUnicodeCategory(point)];
                i += length;
            }

            if (!TryFindFast(text, characters.AsSpan(0, count), matches)
                && (_linear is null || !TryFind(_linear, text, characters.AsSpan(0, count), matches)))
            {
                throw new BadFileException(
                    _file, $"{_path}: the pattern {MessageText.Quote(_fast.ToString())} takes too long on this text");
            }
        }
        finally
        {
            ArrayPool<char>.Shared.Return(characters);
        }
    }

    // Besides the deadline of one call there is a budget for all calls together, a twentieth of the usual rate.
    private bool TryFindFast(ReadOnlySpan<byte> text, ReadOnlySpan<char> characters, SpanList<Range32> matches)
    {
        TimeSpan budget = BacktrackingDeadline + TimeSpan.FromMicroseconds(Interlocked.Add(ref _bytesSeen, text.Length));
        bool found = false;
        if (Stopwatch.GetElapsedTime(0, Interlocked.Read(ref _ticksSpent)) < budget)
        {
            int before = matches.Count;
            long started = Stopwatch.GetTimestamp();
            found = TryFind(_fast, text, characters, matches);
            matches.Truncate(found ? matches.Count : before);
            Interlocked.Add(ref _ticksSpent, Stopwatch.GetTimestamp() - started);
        }

        if (!found && _linear is null)
        {
            // The text fails; the next one begins with a new budget.
            Interlocked.Exchange(ref _ticksSpent, 0);
        }

        return found;
    }

    // False if the engine's deadline passed.
    private static bool TryFind(Regex regex, ReadOnlySpan<byte> text, ReadOnlySpan<char> characters, SpanList<Range32> matches)
    {
        long started = Stopwatch.GetTimestamp();
        try
        {
            int position = 0, index = 0;
            foreach (ValueMatch match in regex.EnumerateMatches(characters))
            {
                int start = Advance(text, position, match.Index - index);
                int end = Advance(text, start, match.Length);
                matches.Add(new Range32(start, end));
                (position, index) = (end, match.Index + match.Length);
                if (Stopwatch.GetElapsedTime(started) > regex.MatchTimeout)
                {
                    return false;
                }
            }

            return true;
        }
        catch (RegexMatchTimeoutException)
        {
            return false;
        }
    }

    private static int Advance(ReadOnlySpan<byte> text, int position, int characters)
    {
        for (; characters > 0; characters--)
        {
            position += UnicodeText.LengthOf(text[position]);
        }

        return position;
    }

    // What Oniguruma reads differently from .NET must not be matched in silence.
    private static void RefuseOtherDialects(JsonField field, string pattern)
    {
        bool inClass = false;
        for (int i = 0; i < pattern.Length; i++)
        {
            char c = pattern[i];
            string? problem = char.IsSurrogate(c) ? "a code point above U+FFFF" : null;
            if (c == '\\' && i + 1 < pattern.Length)
            {
                problem ??= pattern[++i] is 'h' or 'H' or 'R' or 'X' or 'K' or 'N' or 'O' or 'y' or 'Y' or 'k' ? $"\\{pattern[i]}" : null;
            }
            else if (inClass)
            {
                problem ??= c == '[' ? "a class within a class" : c == '&' && pattern.AsSpan(i).StartsWith("&&") ? "&& in a class" : null;
                inClass = c != ']';
            }
            else if (c == '[')
            {
                inClass = true;
                i += pattern.AsSpan(i).StartsWith("[^]") ? 2 : pattern.AsSpan(i).StartsWith("[]") || pattern.AsSpan(i).StartsWith("[^") ? 1 : 0;
            }

            if (problem is not null)
            {
                throw new UnsupportedModelException(
                    $"{field.File}: {field.Path}: the pattern {MessageText.Quote(pattern)} uses {problem}, which this runtime does not match");
            }
        }
    }

    // For each general category its first character from the Runic block on, where no pattern names single characters.
    private static char[] MakeStandIns()
    {
        var table = new char[(int)UnicodeCategory.OtherNotAssigned + 1];
        Array.Fill(table, '\uE000');
        for (int c = 0xFFFF; c >= 0x16A0; c--)
        {
            UnicodeCategory category = CharUnicodeInfo.GetUnicodeCategory(c);
            if (category != UnicodeCategory.Surrogate)
            {
                table[(int)category] = (char)c;
            }
        }

        return table;
    }
}
