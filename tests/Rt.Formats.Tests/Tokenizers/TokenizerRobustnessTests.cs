// Malformed tokenizer files and difficult texts: one clear error or a result, never a crash, a hang or a blow-up.
using System.Diagnostics;
using System.Text;
using Rt.Core;
using Rt.Formats.Tokenizers;

namespace Rt.Formats.Tests.Tokenizers;

public sealed class TokenizerRobustnessTests
{
    private static readonly string ByteLevelModel = TokenizerFolder.Bpe(TokenizerFolder.ByteAlphabetPieces(), []);

    public static TheoryData<string, string> BadFiles() => new()
    {
        { "", "" },
        { "[]", "" },
        { "{}", "model" },
        { "{\"model\":1}", "model" },
        { new string('[', 100_000), "JSON" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}}", "'a'" },
        { TokenizerFolder.Json("""{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}"""), "id 0" },
        { TokenizerFolder.Json("""{"type":"BPE","vocab":{"a":-1},"merges":[]}"""), "-1" },
        { TokenizerFolder.Json("""{"type":"BPE","vocab":{"a":4294967296},"merges":[]}"""), "4294967296" },
        { TokenizerFolder.Json("""{"type":"BPE","vocab":{"a":2000000000},"merges":[]}"""), "2000000000" },
        { TokenizerFolder.Json("""{"type":"BPE","vocab":{"a":0.5},"merges":[]}"""), "0.5" },
        { TokenizerFolder.Json("""{"type":"BPE","vocab":[],"merges":[]}"""), "vocab" },
        { TokenizerFolder.Json("""{"type":"BPE","vocab":{"a":0},"merges":["a b"]}"""), "'b'" },
        { TokenizerFolder.Json("""{"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"]}"""), "'ab'" },
        { TokenizerFolder.Json("""{"type":"BPE","vocab":{"a":0},"merges":["a a a"]}"""), "merge 0" },
        { TokenizerFolder.Json("""{"type":"BPE","vocab":{"a":0},"merges":[["a"]]}"""), "merge 0" },
        { TokenizerFolder.Json("""{"type":"BPE","vocab":{"\ud800":0},"merges":[]}"""), "" },
        { TokenizerFolder.Json("""{"type":"Unigram","vocab":[["a",1e400]],"unk_id":0}"""), "number" },
        { TokenizerFolder.Json("""{"type":"Unigram","vocab":[["a",0]],"unk_id":1}"""), "unk_id" },
        { TokenizerFolder.Json("""{"type":"Unigram","vocab":[["a",0],["a",1]],"unk_id":0}"""), "'a'" },
        { TokenizerFolder.Json(ByteLevelModel, addedTokens: """[{"id":3,"content":"x"}]"""), "'x'" },
        { TokenizerFolder.Json(ByteLevelModel, addedTokens: """[{"id":300,"content":"xx"},{"id":300,"content":"yy"}]"""), "300" },
        { TokenizerFolder.Json(ByteLevelModel, addedTokens: """[{"id":300,"content":"xx"},{"id":301,"content":"xx"}]"""), "'xx'" },
        { TokenizerFolder.Json(ByteLevelModel, addedTokens: """[{"id":300,"content":""}]"""), "empty" },
        { TokenizerFolder.Json(ByteLevelModel, addedTokens: $$"""[{"id":300,"content":"{{new string('x', 5_000_000)}}"}]"""), "longer" },
        { TokenizerFolder.Json(ByteLevelModel, postProcessor: """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],"special_tokens":{}}"""), "<s>" },
        { TokenizerFolder.Json(ByteLevelModel, postProcessor: """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],"special_tokens":{"<s>":{"ids":[999]}}}"""), "999" },
        { TokenizerFolder.Json(ByteLevelModel, postProcessor: """{"type":"TemplateProcessing","single":[],"special_tokens":{}}"""), "0 times" },
        { TokenizerFolder.Json(ByteLevelModel, preTokenizer: """{"type":"Split","pattern":{"String":""},"behavior":"Removed"}"""), "empty" },
        { TokenizerFolder.Json(ByteLevelModel, preTokenizer: """{"type":"Split","pattern":{"String":"x"},"behavior":"7"}"""), "behavior" },
    };

    [Theory]
    [MemberData(nameof(BadFiles))]
    public void Load_MalformedFile_NamesFileAndFault(string json, string named)
    {
        var watch = Stopwatch.StartNew();
        var error = Assert.Throws<BadFileException>(() => TokenizerFolder.Load(json));
        Assert.Contains("tokenizer.json", error.Message);
        Assert.Contains(named, error.Message);
        Assert.DoesNotContain('\n', error.Message);
        Assert.True(error.Message.Length < 1000);
        Assert.True(watch.Elapsed.TotalSeconds < 5);
    }

    [Fact]
    public void Load_FolderWithoutTokenizer_SaysWhatIsExpected()
    {
        using var folder = new TokenizerFolder();
        Assert.False(Tokenizer.Exists(folder.Path));
        Assert.Contains("merges.txt", Assert.Throws<BadFileException>(() => Tokenizer.Load(folder.Path)).Message);
    }

    [Fact]
    public void Load_MergesFileWithBrokenLine_NamesTheLine()
    {
        using TokenizerFolder folder = new TokenizerFolder().Write("vocab.json", """{"a":0}""").Write("merges.txt", "#version: 0.2\na\n");
        Assert.Contains("line 2", Assert.Throws<BadFileException>(() => Tokenizer.Load(folder.Path)).Message);
    }

    [Fact]
    public void Decode_IdOutsideTheVocabulary_IsAUsageError()
    {
        Tokenizer tokenizer = TokenizerFolder.Load(TokenizerFolder.Json(ByteLevelModel));
        Assert.Contains("256", Assert.Throws<UsageException>(() => tokenizer.Decode([256])).Message);
        Assert.Throws<UsageException>(() => tokenizer.Decode([-1]));
        Assert.Throws<UsageException>(() => tokenizer.CreateDecoder().Append(int.MaxValue));
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama-bpe")]
    [InlineData("unigram")]
    public void Encode_LoneSurrogatesAndEmptyText_GiveAResult(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(TokenizerGoldenTests.Folder(name));
        Assert.Empty(tokenizer.Encode("", addSpecialTokens: false));
        Assert.Equal("", tokenizer.Decode([]));
        Assert.Equal(tokenizer.Encode("a\uFFFDb"), tokenizer.Encode("a\uD800b"));
        Assert.Equal(tokenizer.Encode("\uFFFD"), tokenizer.Encode("\uDC00"));
    }

    [Theory]
    [InlineData("gpt2", "a", 10_000_000)]
    [InlineData("llama-bpe", " ", 1_000_000)]
    [InlineData("llama3-bpe", "\n ", 10_000_000)]
    [InlineData("unigram", "x", 10_000_000)]
    public void Encode_HugePrompt_Ends(string name, string unit, int length)
    {
        Tokenizer tokenizer = Tokenizer.Load(TokenizerGoldenTests.Folder(name));
        string text = string.Concat(Enumerable.Repeat(unit, length / unit.Length));
        var watch = Stopwatch.StartNew();
        int[] ids = tokenizer.Encode(text);
        Assert.True(watch.Elapsed.TotalSeconds < 60, $"took {watch.Elapsed}");
        Assert.InRange(ids.Length, 50_000, length + 2);
    }

    [Fact]
    public void Encode_ThousandsOfOverlappingAddedTokens_IsLinear()
    {
        string added = string.Join(",", Enumerable.Range(1, 2000).Select(n => $$"""{"id":{{299 + n}},"content":"{{new string('a', n)}}b","normalized":false}"""));
        Tokenizer tokenizer = TokenizerFolder.Load(TokenizerFolder.Json(
            ByteLevelModel, preTokenizer: """{"type":"ByteLevel","add_prefix_space":false}""", addedTokens: $"[{added}]"));
        var watch = Stopwatch.StartNew();
        int[] ids = tokenizer.Encode(new string('a', 1_000_000) + "b");
        Assert.Equal(1_000_000 - 2000 + 1, ids.Length);
        Assert.Equal(299 + 2000, ids[^1]);
        Assert.True(watch.Elapsed.TotalSeconds < 20, $"took {watch.Elapsed}");
    }

    [Fact]
    public void Encode_ManyThreads_AgreeWithOne()
    {
        Tokenizer tokenizer = Tokenizer.Load(TokenizerGoldenTests.Folder("gpt2"));
        string[] texts = [.. Enumerable.Range(0, 200).Select(n => $"text {n}: it's the {n * 7919}th, naïve café")];
        int[][] expected = [.. texts.Select(t => tokenizer.Encode(t))];
        Parallel.For(0, 2000, n => Assert.Equal(expected[n % 200], tokenizer.Encode(texts[n % 200])));
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama3-bpe")]
    public void Decode_OfEncodedRandomText_IsTheText(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(TokenizerGoldenTests.Folder(name));
        var random = new Random(31337);
        for (int n = 0; n < 2000; n++)
        {
            string text = RandomText(random, random.Next(0, 60));
            int[] ids = tokenizer.Encode(text, addSpecialTokens: false);
            Assert.Equal(text, tokenizer.Decode(ids));
            Assert.Equal(text, TokenizerGoldenTests.Streamed(tokenizer, ids, skipSpecialTokens: false));
        }
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama-bpe")]
    [InlineData("unigram")]
    public void Streaming_OfRandomIds_EqualsWholeDecode(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(TokenizerGoldenTests.Folder(name));
        var random = new Random(99);
        for (int n = 0; n < 2000; n++)
        {
            // Low ids are the single bytes: many of these runs are no UTF-8.
            int[] ids = [.. Enumerable.Range(0, random.Next(0, 12)).Select(_ => random.Next(random.Next(2) == 0 ? 260 : tokenizer.VocabularySize))];
            Assert.Equal(tokenizer.Decode(ids), TokenizerGoldenTests.Streamed(tokenizer, ids, skipSpecialTokens: false));
        }
    }

    [Theory]
    [InlineData("llama-bpe")]
    [InlineData("unigram")]
    [InlineData("qwen-bpe")]
    public void Load_MutatedFiles_GiveOnlyErrorsOfThisRuntime(string name)
    {
        byte[] original = File.ReadAllBytes(Path.Combine(TokenizerGoldenTests.Folder(name), "tokenizer.json"));
        var random = new Random(4242);
        using var folder = new TokenizerFolder();
        int refused = 0;
        for (int n = 0; n < 300; n++)
        {
            folder.Write("tokenizer.json", Mutate(original, random));
            try
            {
                Tokenizer tokenizer = Tokenizer.Load(folder.Path);
                int[] ids = tokenizer.Encode("Hello, naïve world 123 <s>\n 日本 🎉");
                tokenizer.Decode(ids);
            }
            catch (RtException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 50, 299);
    }

    // Changes bytes, most of them in the first part of the file, where the settings are; or doubles or drops a stretch.
    private static byte[] Mutate(byte[] original, Random random)
    {
        var bytes = new List<byte>(original);
        for (int edits = random.Next(1, 4); edits > 0; edits--)
        {
            int at = random.Next(random.Next(3) == 0 ? bytes.Count : Math.Min(bytes.Count, 3000));
            switch (random.Next(4))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[at] = (byte)"0123456789\"{}[]:,.-entu "[random.Next(24)];
                    break;
                case 2:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 40), bytes.Count - at));
                    break;
                default:
                    bytes.InsertRange(at, bytes.GetRange(at, Math.Min(random.Next(1, 40), bytes.Count - at)));
                    break;
            }
        }

        return [.. bytes];
    }

    private static string RandomText(Random random, int length)
    {
        var text = new StringBuilder();
        for (int n = 0; n < length; n++)
        {
            int point = random.Next(5) switch
            {
                0 => random.Next(0x20, 0x7F),
                1 => " \n\t'123"[random.Next(7)],
                2 => random.Next(0x80, 0x800),
                3 => random.Next(0x800, 0xD800),
                _ => random.Next(0x10000, 0x110000),
            };
            text.Append(char.ConvertFromUtf32(point));
        }

        return text.ToString();
    }
}
