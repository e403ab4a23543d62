// Every stored case of the Hugging Face tokenizers library: ids, decoded texts, and streaming against whole decoding.
using System.Reflection;
using System.Text;
using System.Text.Json;
using Rt.Formats.Tokenizers;

namespace Rt.Formats.Tests.Tokenizers;

public sealed class TokenizerGoldenTests
{
    internal static string Folder(string name) => Path.Combine(
        typeof(TokenizerGoldenTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == "FixturesFolder").Value!,
        "goldens",
        "tokenizers",
        name);

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama-bpe")]
    [InlineData("llama3-bpe")]
    [InlineData("qwen-bpe")]
    [InlineData("unigram")]
    public void EncodeAndDecode_GoldenCases_EqualReference(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(Folder(name));
        using JsonDocument file = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder(name), "cases.json")));
        var faults = new List<string>();
        int count = 0;
        foreach (JsonElement item in file.RootElement.GetProperty("cases").EnumerateArray())
        {
            count++;
            string text = item.GetProperty("text").GetString()!;
            int[] ids = Ids(item, "ids"), withSpecial = Ids(item, "ids_with_special");
            Check(text, "ids", ids, tokenizer.Encode(text, addSpecialTokens: false));
            Check(text, "ids_with_special", withSpecial, tokenizer.Encode(text));
            Check(text, "decoded", item.GetProperty("decoded").GetString()!, tokenizer.Decode(ids));
            Check(text, "decoded_skip_special", item.GetProperty("decoded_skip_special").GetString()!, tokenizer.Decode(ids, skipSpecialTokens: true));
            Check(text, "decoded_with_special", item.GetProperty("decoded_with_special").GetString()!, tokenizer.Decode(withSpecial));
            Check(text, "streamed", item.GetProperty("decoded_skip_special").GetString()!, Streamed(tokenizer, ids, skipSpecialTokens: true));
            Check(text, "streamed_with_special", item.GetProperty("decoded_with_special").GetString()!, Streamed(tokenizer, withSpecial, skipSpecialTokens: false));
        }

        Assert.True(count > 150, $"only {count} cases");
        Assert.True(faults.Count == 0, $"{faults.Count} faults:\n" + string.Join("\n", faults.Take(8)));

        void Check<T>(string text, string what, T expected, T found)
        {
            (string e, string f) = (Shown(expected), Shown(found));
            if (e != f)
            {
                faults.Add($"{what} of '{text}': expected {e}, found {f}");
            }
        }
    }

    [Theory]
    [InlineData("gpt2", null, 50256, 50257)]
    [InlineData("llama-bpe", 1, 2, 1402)]
    [InlineData("llama3-bpe", 1508, 1509, 1514)]
    [InlineData("qwen-bpe", null, 1502, 1505)]
    [InlineData("unigram", 1, 2, 1201)]
    public void SpecialIds_GoldenFolders_AreThoseOfTheConfig(string name, int? bos, int? eos, int size)
    {
        Tokenizer tokenizer = Tokenizer.Load(Folder(name));
        Assert.Equal(name == "gpt2" ? 50256 : bos, tokenizer.BosTokenId);
        Assert.Equal(eos, tokenizer.EosTokenId);
        Assert.Equal(name == "qwen-bpe" ? 1500 : null, tokenizer.PadTokenId);
        Assert.Equal(size, tokenizer.VocabularySize);
        Assert.True(tokenizer.IsSpecial(tokenizer.EosTokenId!.Value));
    }

    internal static string Streamed(Tokenizer tokenizer, ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        TokenDecoder decoder = tokenizer.CreateDecoder(skipSpecialTokens);
        var text = new StringBuilder();
        foreach (int id in ids)
        {
            string part = decoder.Append(id);
            Assert.False(part.Length > 0 && (char.IsHighSurrogate(part[^1]) || char.IsLowSurrogate(part[0])), "half a character came out");
            text.Append(part);
        }

        return text.Append(decoder.Flush()).ToString();
    }

    private static int[] Ids(JsonElement item, string name) => [.. item.GetProperty(name).EnumerateArray().Select(e => e.GetInt32())];

    private static string Shown(object? value) => value is int[] ids ? string.Join(",", ids) : (string)value!;
}
