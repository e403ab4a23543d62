// The four normalization forms against cases made by Python's unicodedata, and their invariants.
using System.Runtime.CompilerServices;
using System.Text;
using Rt.Formats.Tokenizers;

namespace Rt.Formats.Tests.Tokenizers;

public sealed class UnicodeNormalizationTests
{
    [Fact]
    public void Normalize_CasesOfUnicodedata_AreEqual()
    {
        string[] lines = File.ReadAllLines(Path.Combine(Path.GetDirectoryName(ThisFile())!, "normalization-cases.txt"));
        Assert.Equal(600, lines.Length);
        foreach (string line in lines)
        {
            string[] forms = [.. line.Split(';').Select(FromHex)];
            for (int form = 0; form < 4; form++)
            {
                Assert.Equal(Hex(forms[form + 1]), Hex(Normalize(forms[0], compatibility: form >= 2, compose: form % 2 == 0)));
            }
        }
    }

    [Fact]
    public void Normalize_EveryCodePoint_IsStableUnderRepetition()
    {
        var text = new StringBuilder();
        for (int point = 0; point < 0x110000; point++)
        {
            if (point is < 0xD800 or >= 0xE000)
            {
                text.Append(char.ConvertFromUtf32(point)).Append('x');
            }
        }

        foreach (bool compatibility in new[] { false, true })
        {
            string decomposed = Normalize(text.ToString(), compatibility, compose: false);
            string composed = Normalize(text.ToString(), compatibility, compose: true);
            Assert.NotEqual(text.ToString(), composed);
            Assert.Equal(decomposed, Normalize(composed, compatibility, compose: false));
            Assert.Equal(composed, Normalize(decomposed, compatibility, compose: true));
        }
    }

    [Fact]
    public void Normalize_LongRunOfMarks_SortsWithoutDelay()
    {
        string run = "a" + string.Concat(Enumerable.Repeat("\u0301\u0323", 200_000));
        string sorted = Normalize(run, compatibility: false, compose: false);
        Assert.Equal("a" + new string('\u0323', 200_000) + new string('\u0301', 200_000), sorted);
    }

    [Fact]
    public void Version_Tables_AreAtLeastUnicode14() => Assert.True(UnicodeNormalization.Version >= new Version(14, 0, 0));

    private static string Normalize(string text, bool compatibility, bool compose)
    {
        var output = new SpanList<byte>();
        UnicodeNormalization.Normalize(Encoding.UTF8.GetBytes(text), compatibility, compose, output);
        return Encoding.UTF8.GetString(output.Span);
    }

    private static string FromHex(string points) => string.Concat(points.Split(' ').Select(p => char.ConvertFromUtf32(Convert.ToInt32(p, 16))));

    private static string Hex(string text) => string.Join(' ', text.EnumerateRunes().Select(r => r.Value.ToString("X")));

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
