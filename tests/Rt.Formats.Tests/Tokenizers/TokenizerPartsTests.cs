// Parts of tokenizer.json that no stored case covers, in small hand-made files.
using System.Text.Json;
using Rt.Core;
using Rt.Formats.Tokenizers;

namespace Rt.Formats.Tests.Tokenizers;

public sealed class TokenizerPartsTests
{
    private const string ByteLevelDecoder = """{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""";

    [Fact]
    public void Encode_BloomStyle_SplitsByItsRegexBeforeBytes()
    {
        string pre = """
            {"type":"Sequence","pretokenizers":[
              {"type":"Split","pattern":{"Regex":" ?[^(\\s|[.,!?…。，、।۔،])]+"},"behavior":"Isolated","invert":false},
              {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]}
            """;
        string[] pieces = [.. TokenizerFolder.ByteAlphabetPieces(), "Ġb", "a1", ",Ġ", "Ġ(", "((", "ĠĠ", "ĠĠĠ"];
        Tokenizer tokenizer = TokenizerFolder.Load(TokenizerFolder.Json(
            TokenizerFolder.Bpe(pieces, ["Ġ b", "a 1", ", Ġ", "Ġ (", "( (", "Ġ Ġ", "ĠĠ Ġ"]), preTokenizer: pre, decoder: ByteLevelDecoder));

        // "a1" stays one word; "," and the gap "((" are words of their own, and no match begins with the space before "(".
        Assert.Equal("a1|,|Ġb|Ġ(|(", TokenizerFolder.Pieces(tokenizer, "a1, b (("));
        Assert.Equal("a|ĠĠ|Ġb", TokenizerFolder.Pieces(tokenizer, "a   b"));
        Assert.Equal("a1, b ((", tokenizer.Decode(tokenizer.Encode("a1, b ((")));
    }

    [Fact]
    public void Encode_GemmaStyle_FallsBackToBytesAndAddsBos()
    {
        string[] pieces = ["<pad>", "<eos>", "<bos>", "<unk>", .. Enumerable.Range(0, 256).Select(b => $"<0x{b:X2}>"), "▁", "a", "b", "▁a", "▁▁", "ab"];
        string post = """
            {"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<bos>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
             "pair":[],"special_tokens":{"<bos>":{"id":"<bos>","ids":[2],"tokens":["<bos>"]}}}
            """;
        string decoder = """
            {"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"}]}
            """;
        Tokenizer tokenizer = TokenizerFolder.Load(TokenizerFolder.Json(
            TokenizerFolder.Bpe(pieces, ["▁ ▁", "▁ a", "a b"], ""","unk_token":"<unk>","fuse_unk":true,"byte_fallback":true"""),
            normalizer: """{"type":"Replace","pattern":{"String":" "},"content":"▁"}""",
            preTokenizer: """{"type":"Split","pattern":{"String":" "},"behavior":"MergedWithPrevious","invert":false}""",
            decoder: decoder,
            postProcessor: post,
            addedTokens: """[{"id":2,"content":"<bos>","special":true,"normalized":false},{"id":1,"content":"<eos>","special":true,"normalized":false}]"""));

        Assert.Equal("<bos>|ab|▁a|<0x0A>|<0xE2>|<0x82>|<0xAC>", TokenizerFolder.Pieces(tokenizer, "ab a\n€", addSpecialTokens: true));
        Assert.Equal("ab a\n€", tokenizer.Decode(tokenizer.Encode("ab a\n€"), skipSpecialTokens: true));
        Assert.Equal("a|▁▁|▁a|<eos>|b", TokenizerFolder.Pieces(tokenizer, "a   a<eos>b"));

        // A run of bytes that is no UTF-8 gives a U+FFFD for each, also where sound characters stand in the run.
        int euro = tokenizer.TokenId("<0xE2>")!.Value, a = tokenizer.TokenId("a")!.Value, x41 = tokenizer.TokenId("<0x41>")!.Value;
        Assert.Equal("a\uFFFD\uFFFDa", tokenizer.Decode([a, x41, euro, a]));
        Assert.Equal("a\uFFFD\uFFFDa", TokenizerGoldenTests.Streamed(tokenizer, [a, x41, euro, a], skipSpecialTokens: true));
    }

    [Fact]
    public void Encode_NeoXStyle_FindsAddedSpaceTokensInNormalizedText()
    {
        string[] pieces = [.. TokenizerFolder.ByteAlphabetPieces()];
        string added = """
            [{"id":256,"content":"<|endoftext|>","special":true,"normalized":false},
             {"id":257,"content":"  ","special":false,"normalized":true},{"id":258,"content":"   ","special":false,"normalized":true},
             {"id":259,"content":"éx","special":false,"normalized":true}]
            """;
        Tokenizer tokenizer = TokenizerFolder.Load(TokenizerFolder.Json(
            TokenizerFolder.Bpe(pieces, []),
            normalizer: """{"type":"NFC"}""",
            preTokenizer: """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true}""",
            decoder: ByteLevelDecoder,
            addedTokens: added));
        Assert.Equal("a|   |  |b|Ġ|c|<|endoftext|>|  ", TokenizerFolder.Pieces(tokenizer, "a     b c<|endoftext|>  "));
        Assert.Equal([97, 259], tokenizer.Encode("ae\u0301x"));
        Assert.Equal("a     b", tokenizer.Decode(tokenizer.Encode("a     b")));
    }

    [Theory]
    [InlineData("always", true, "▁a|▁b|<s>|▁c")]
    [InlineData("first", true, "▁a|▁b|<s>|c")]
    [InlineData("never", true, "a|▁b|<s>|c")]
    [InlineData("always", false, "▁a▁b|<s>|▁c")]
    public void Encode_Metaspace_FollowsItsScheme(string scheme, bool split, string expected)
    {
        string pre = $$"""{"type":"Metaspace","replacement":"▁","prepend_scheme":"{{scheme}}","split":{{(split ? "true" : "false")}}}""";
        Tokenizer tokenizer = TokenizerFolder.Load(TokenizerFolder.Json(
            TokenizerFolder.WordLevel("<unk>", "▁a", "▁b", "▁c", "a", "b", "c", "▁a▁b", "<s>"),
            preTokenizer: pre,
            decoder: pre,
            addedTokens: """[{"id":8,"content":"<s>","special":true,"normalized":false}]"""));
        Assert.Equal(expected, TokenizerFolder.Pieces(tokenizer, "a b<s>c"));

        // The decoder drops every mark of the first token, which without splitting is the whole text.
        Assert.Equal(split ? "a b" : "ab", tokenizer.Decode(tokenizer.Encode("a b")));
    }

    [Fact]
    public void Encode_OldMetaspace_AddPrefixSpaceFalseMeansNever()
    {
        Tokenizer tokenizer = TokenizerFolder.Load(TokenizerFolder.Json(
            TokenizerFolder.WordLevel("<unk>", "▁a", "a"), preTokenizer: """{"type":"Metaspace","replacement":"▁","str_rep":"▁","add_prefix_space":false}"""));
        Assert.Equal("a|▁a", TokenizerFolder.Pieces(tokenizer, "a a"));
    }

    [Theory]
    [InlineData("Removed", false, "the|final|countdown")]
    [InlineData("Isolated", false, "the|-|final|-|-|countdown")]
    [InlineData("MergedWithPrevious", false, "the-|final-|-|countdown")]
    [InlineData("MergedWithNext", false, "the|-final|-|-countdown")]
    [InlineData("Contiguous", false, "the|-|final|--|countdown")]
    [InlineData("Removed", true, "-|-|-")]
    [InlineData("MergedWithNext", true, "the-|final-|-|countdown")]
    public void Encode_Split_FollowsItsBehavior(string behavior, bool invert, string expected)
    {
        string[] words = ["<unk>", "the", "final", "countdown", "-", "--", "the-", "final-", "-final", "-countdown"];
        string pre = $$"""{"type":"Split","pattern":{"String":"-"},"behavior":"{{behavior}}","invert":{{(invert ? "true" : "false")}}}""";
        Assert.Equal(expected, TokenizerFolder.Pieces(
            TokenizerFolder.Load(TokenizerFolder.Json(TokenizerFolder.WordLevel(words), preTokenizer: pre)), "the-final--countdown"));
    }

    [Theory]
    [InlineData("""{"type":"Digits","individual_digits":true}""", "ab12٣ c", "ab|1|2|٣| c")]
    [InlineData("""{"type":"Digits","individual_digits":false}""", "ab12٣ c", "ab|12٣| c")]
    [InlineData("""{"type":"Whitespace"}""", "ab-- c_1!", "ab|--|c_1|!")]
    [InlineData("""{"type":"WhitespaceSplit"}""", " ab--  c_1!\n", "ab--|c_1!")]
    [InlineData("""{"type":"Punctuation"}""", "ab--。c", "ab|-|-|。|c")]
    [InlineData("""{"type":"Punctuation","behavior":"Contiguous"}""", "ab--。c", "ab|--。|c")]
    [InlineData("""{"type":"Split","pattern":{"String":"a+"},"behavior":"Removed"}""", "xa+yaa", "x|yaa")]
    [InlineData("""{"type":"Split","pattern":{"Regex":"a+"},"behavior":"Removed"}""", "xa+yaa", "x|+y")]
    [InlineData("""{"type":"CharDelimiterSplit","delimiter":"|"}""", "ab|c", "ab|c")]
    public void Encode_PreTokenizer_CutsAsNamed(string preTokenizer, string text, string expected)
    {
        string[] words = [.. expected.Split('|').Distinct()];
        Tokenizer tokenizer = TokenizerFolder.Load(TokenizerFolder.Json(TokenizerFolder.WordLevel(["<unk>", .. words]), preTokenizer: preTokenizer));
        Assert.Equal(expected, TokenizerFolder.Pieces(tokenizer, text));
    }

    [Theory]
    [InlineData("""{"type":"Lowercase"}""", "ÀİΣx𐐀", "ài\u0307σx𐐨")]
    [InlineData("""{"type":"Strip","strip_left":true,"strip_right":true}""", " \u3000a b\n", "a b")]
    [InlineData("""{"type":"Strip","strip_left":false,"strip_right":true}""", " a ", " a")]
    [InlineData("""{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"StripAccents"}]}""", "éà漢", "ea漢")]
    [InlineData("""{"type":"Replace","pattern":{"Regex":"a|b"},"content":"$1"}""", "xab", "x$1$1")]
    [InlineData("""{"type":"Prepend","prepend":"▁"}""", "x", "▁x")]
    [InlineData("""{"type":"ByteLevel"}""", " é", "ĠÃ©")]
    [InlineData("""{"type":"NFKC"}""", "ﬁ①", "fi1")]
    [InlineData("""{"type":"NFKD"}""", "é", "e\u0301")]
    public void Encode_Normalizer_RewritesAsNamed(string normalizer, string text, string expected)
    {
        Tokenizer tokenizer = TokenizerFolder.Load(TokenizerFolder.Json(TokenizerFolder.WordLevel("<unk>", expected), normalizer: normalizer));
        Assert.Equal([1], tokenizer.Encode(text));
    }

    [Fact]
    public void Encode_AddedTokenOptions_AreFollowed()
    {
        string added = """
            [{"id":256,"content":"<l>","lstrip":true,"normalized":false},{"id":257,"content":"<r>","rstrip":true,"normalized":false},
             {"id":258,"content":"one","single_word":true,"normalized":false},{"id":259,"content":"<lr","normalized":false},
             {"id":260,"content":"<l","normalized":false}]
            """;
        Tokenizer tokenizer = TokenizerFolder.Load(TokenizerFolder.Json(
            TokenizerFolder.Bpe(TokenizerFolder.ByteAlphabetPieces(), []),
            preTokenizer: """{"type":"ByteLevel","add_prefix_space":false}""",
            decoder: ByteLevelDecoder,
            addedTokens: added));
        Assert.Equal("a|<l>|Ġ|b", TokenizerFolder.Pieces(tokenizer, "a \n<l> b"));
        Assert.Equal("a|Ġ|<r>|b", TokenizerFolder.Pieces(tokenizer, "a <r> \tb"));
        Assert.Equal("one|Ġ|o|n|e|s|Ġ|one", TokenizerFolder.Pieces(tokenizer, "one ones one"));
        Assert.Equal("<lr|<l|<|<l>", TokenizerFolder.Pieces(tokenizer, "<lr<l<<l>"));
    }

    [Fact]
    public void Encode_BpePrefixesAndUnknowns_FollowTheModel()
    {
        string[] pieces = ["<unk>", "a", "b", "##b", "##a</w>", "##b##a</w>", "ab", "##b</w>"];
        Tokenizer tokenizer = TokenizerFolder.Load(TokenizerFolder.Json(
            TokenizerFolder.Bpe(pieces[..7], ["a ##b"], ""","unk_token":"<unk>","continuing_subword_prefix":"##","end_of_word_suffix":"</w>" """),
            decoder: """{"type":"BPEDecoder","suffix":"</w>"}"""));
        Assert.Equal("ab|##a</w>", TokenizerFolder.Pieces(tokenizer, "aba"));
        Assert.Equal("<unk>|<unk>|##a</w>", TokenizerFolder.Pieces(tokenizer, "xya"));
        Assert.Equal("##a ab", tokenizer.Decode([4, 6]));
        Assert.Equal("##a ab", TokenizerGoldenTests.Streamed(tokenizer, [4, 6], true));
    }

    [Fact]
    public void Encode_RobertaProcessing_PutsBothTokensAround()
    {
        Tokenizer tokenizer = TokenizerFolder.Load(TokenizerFolder.Json(
            TokenizerFolder.WordLevel("<unk>", "<s>", "</s>", "a"),
            postProcessor: """{"type":"RobertaProcessing","sep":["</s>",2],"cls":["<s>",1],"trim_offsets":true,"add_prefix_space":true}"""));
        Assert.Equal([1, 3, 2], tokenizer.Encode("a"));
        Assert.Equal([3], tokenizer.Encode("a", addSpecialTokens: false));
        Assert.Equal("<s> a </s>", tokenizer.Decode([1, 3, 2]));
    }

    [Fact]
    public void Load_OptStyleFolder_AddsBosFromConfig()
    {
        string[] pieces = ["<s>", "<pad>", "</s>", "<unk>", .. TokenizerFolder.ByteAlphabetPieces(), "Ġa", "Ġab"];
        using TokenizerFolder folder = new TokenizerFolder()
            .Write("vocab.json", JsonSerializer.Serialize(pieces.Select((p, i) => (p, i)).ToDictionary(x => x.p, x => x.i)))
            .Write("merges.txt", "#version: 0.2\nĠ a\nĠa b\n")
            .Write("tokenizer_config.json", """{"tokenizer_class":"GPT2Tokenizer","add_bos_token":true,"add_prefix_space":false}""")
            .Write("special_tokens_map.json", """{"bos_token":{"content":"</s>","lstrip":false,"normalized":true},"eos_token":"</s>","pad_token":"<pad>","unk_token":"</s>"}""");
        Assert.True(Tokenizer.Exists(folder.Path));
        Tokenizer tokenizer = Tokenizer.Load(folder.Path);
        Assert.Equal("</s>|a|Ġab|!|</s>", TokenizerFolder.Pieces(tokenizer, "a ab!</s>", addSpecialTokens: true));
        Assert.Equal("a|Ġab", TokenizerFolder.Pieces(tokenizer, "a ab"));
        Assert.Equal((2, 2, 1), (tokenizer.BosTokenId, tokenizer.EosTokenId, tokenizer.PadTokenId));
        Assert.True(tokenizer.IsSpecial(1));
        Assert.Equal("a ab", tokenizer.Decode(tokenizer.Encode("a ab"), skipSpecialTokens: true));
    }

    [Fact]
    public void Load_Gpt2AsVocabAndMerges_EqualsItsTokenizerJson()
    {
        Tokenizer whole = Tokenizer.Load(TokenizerGoldenTests.Folder("gpt2"));
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TokenizerGoldenTests.Folder("gpt2"), "tokenizer.json")));
        JsonElement model = json.RootElement.GetProperty("model");
        string merges = "#version: 0.2\n" + string.Join("\n", model.GetProperty("merges").EnumerateArray().Select(m => m.GetString())) + "\n";
        using TokenizerFolder folder = new TokenizerFolder().Write("vocab.json", model.GetProperty("vocab").GetRawText()).Write("merges.txt", merges);
        Tokenizer parts = Tokenizer.Load(folder.Path);
        const string Text = "It's 2024: naïve café, 日本語 🎉 <|endoftext|>\n\n   done.";
        Assert.Equal(whole.Encode(Text), parts.Encode(Text));
        Assert.Equal(50256, parts.EosTokenId);
        Assert.Equal(Text, parts.Decode(parts.Encode(Text)));
    }

    [Fact]
    public void TokenText_PiecesOfEveryKind_AreReadable()
    {
        Tokenizer gpt2 = Tokenizer.Load(TokenizerGoldenTests.Folder("gpt2"));
        Assert.Equal(" the", gpt2.TokenText(gpt2.TokenId("Ġthe")!.Value));
        Assert.Equal("\\n", gpt2.TokenText(gpt2.TokenId("Ċ")!.Value));
        Assert.Equal("\\xE2", gpt2.TokenText(gpt2.TokenId("â")!.Value));
        Assert.Equal("<|endoftext|>", gpt2.TokenText(50256));
        Assert.Equal("<99999>", gpt2.TokenText(99999));
        Tokenizer llama = Tokenizer.Load(TokenizerGoldenTests.Folder("llama-bpe"));
        Assert.Equal(" the", llama.TokenText(llama.TokenId("▁the")!.Value));
        Assert.Equal("\\n", llama.TokenText(llama.TokenId("<0x0A>")!.Value));
        Assert.Equal("\\xE2", llama.TokenText(llama.TokenId("<0xE2>")!.Value));
    }

    [Theory]
    [InlineData("normalizer", """{"type":"Precompiled","precompiled_charsmap":""}""", "Precompiled")]
    [InlineData("pre_tokenizer", """{"type":"BertPreTokenizer"}""", "BertPreTokenizer")]
    [InlineData("decoder", """{"type":"CTC"}""", "CTC")]
    [InlineData("post_processor", """{"type":"Mystery"}""", "Mystery")]
    [InlineData("model", """{"type":"WordPiece","vocab":{}}""", "WordPiece")]
    public void Load_PartsThatAreNotComputed_AreRefusedByName(string part, string json, string name)
    {
        string model = TokenizerFolder.WordLevel("a");
        var error = Assert.Throws<UnsupportedModelException>(() => TokenizerFolder.Load(TokenizerFolder.Json(
            part == "model" ? json : model,
            part == "normalizer" ? json : null,
            part == "pre_tokenizer" ? json : null,
            part == "decoder" ? json : null,
            part == "post_processor" ? json : null)));
        Assert.Contains(name, error.Message);
    }
}
