// The hand-written scanners against .NET's regex on the same patterns, and the rules for patterns that files bring.
using System.Text;
using System.Text.RegularExpressions;
using Rt.Formats.Tokenizers;

namespace Rt.Formats.Tests.Tokenizers;

public sealed class SplitPatternTests
{
    // Letters of every case, marks, numbers of every kind, spaces, line ends, quotes and contractions; all of one UTF-16 unit.
    private const string Alphabet = "aabstmdreveLLSTDzÀéßǅʰªא漢\u0301\u0903١٢3½Ⅷ0 1  \u00A0\u3000\t\n\r\u2028'''/.!-_(|)€😀";

    public static TheoryData<string> Patterns()
    {
        var data = new TheoryData<string>();
        foreach (string pattern in KnownPatterns.Texts)
        {
            data.Add(pattern);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Patterns))]
    public void Matches_RandomTexts_EqualRegex(string pattern)
    {
        // Possessive quantifiers and nested classes are written in .NET's own way.
        string translated = pattern.Replace(@"[^\r\n\p{L}\p{N}]?+\p{L}+", @"(?>[^\r\n\p{L}\p{N}]?)\p{L}+").Replace("]++", "]+")
            .Replace("[^(\\s|[.,!?…。，、।۔،])]+", "[^(\\s|.,!?…。，、।۔،)]+");
        var regex = new Regex(translated, RegexOptions.CultureInvariant);
        var random = new Random(20260101);
        char[] alphabet = [.. Alphabet.Where(c => !char.IsSurrogate(c))];
        for (int n = 0; n < 20_000; n++)
        {
            string text = new(random.GetItems(alphabet, random.Next(1, 14)));
            string expected = string.Join("¦", regex.Matches(text).Select(m => m.Value));
            Assert.True(expected == Joined(KnownPatterns.Find(pattern)!, text), $"'{text}': expected {expected}, found {Joined(KnownPatterns.Find(pattern)!, text)}");
        }
    }

    [Theory]
    [InlineData(@"\p{L}+", "a𝒳b 𐐀!", "a𝒳b¦𐐀")]
    [InlineData(@".", "a😀b", "a¦😀¦b")]
    [InlineData(@"\S(?=\s)", "a😀 b", "😀")]
    [InlineData(@"[0-9]{3}", "1234567", "123¦456")]
    public void Matches_PatternOfAFile_TakesCodePointsWhole(string pattern, string text, string expected) =>
        Assert.Equal(expected, Joined(new RegexPattern(Field(), pattern), text));

    [Theory]
    [InlineData("[a[bc]]")]
    [InlineData("[a-z&&[^b]]")]
    [InlineData("[😀]")]
    [InlineData(@"\h+")]
    [InlineData("a++")]
    [InlineData(@"\p{Han}")]
    [InlineData("(")]
    public void RegexPattern_WhatThisRuntimeDoesNotMatch_IsRefused(string pattern)
    {
        var error = Assert.Throws<Rt.Core.UnsupportedModelException>(() => new RegexPattern(Field(), pattern));
        Assert.Contains("pattern", error.Message);
    }

    [Fact]
    public void RegexPattern_CatastrophicPattern_EndsInAnError()
    {
        // The look-ahead keeps it off the linear engine.
        var pattern = new RegexPattern(Field(), "(?=((a|aa)+)$)a");
        var error = Assert.Throws<Rt.Core.BadFileException>(() => Joined(pattern, new string('a', 80) + "!"));
        Assert.Contains("too long", error.Message);
    }

    [Fact]
    public void RegexPattern_CatastrophicPatternWithoutLookArounds_RunsLinearly()
    {
        var pattern = new RegexPattern(Field(), "(a|aa)+$");
        Assert.Equal("", Joined(pattern, new string('a', 80) + "!"));
        Assert.Equal(new string('a', 80), Joined(pattern, new string('a', 80)));
    }

    private static JsonField Field() => new("tokenizer.json", "pre_tokenizer.pattern", default);

    private static string Joined(SplitPattern pattern, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        var matches = new SpanList<Range32>();
        pattern.Matches(bytes, matches);
        return string.Join("¦", matches.Span.ToArray().Select(m => Encoding.UTF8.GetString(m.Of(bytes))));
    }
}
