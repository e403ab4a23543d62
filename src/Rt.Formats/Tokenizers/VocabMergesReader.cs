// Reads the older form of byte-level BPE tokenizers: vocab.json and merges.txt beside tokenizer_config.json.
// Source: Hugging Face transformers, GPT2Converter and Qwen2Converter of convert_slow_tokenizer.py.
using System.Text;
using System.Text.Json;
using Rt.Core;

namespace Rt.Formats.Tokenizers;

internal static class VocabMergesReader
{
    private const string Gpt2EndOfText = "<|endoftext|>";

    public static TokenizerParts Read(string folder)
    {
        JsonField vocabularyFile = JsonField.Read(Path.Combine(folder, "vocab.json"));
        JsonField? config = SpecialTokenNames.TryRead(folder, "tokenizer_config.json");
        string family = config?.TextOrNull("tokenizer_class") ?? "GPT2Tokenizer";
        bool isQwen2 = family is "Qwen2Tokenizer" or "Qwen2TokenizerFast";
        if (!isQwen2 && family is not ("GPT2Tokenizer" or "GPT2TokenizerFast" or "CodeGenTokenizer" or "CodeGenTokenizerFast"))
        {
            throw new UnsupportedModelException($"{folder}: a tokenizer of the class {MessageText.Quote(family)} needs a tokenizer.json");
        }

        var vocabulary = new VocabularyBuilder(vocabularyFile.File);
        foreach ((string piece, JsonField id) in vocabularyFile.Properties())
        {
            vocabulary.AddPiece("vocab.json", piece, id.Int(0, int.MaxValue));
        }

        ReadMerges(Path.Combine(folder, "merges.txt"), vocabulary);
        SpecialTokenNames names = SpecialTokenNames.Read(folder);
        if (!isQwen2)
        {
            // The class GPT2Tokenizer uses one token for all of these where nothing else is said.
            names = names with { Bos = names.Bos ?? Gpt2EndOfText, Eos = names.Eos ?? Gpt2EndOfText, Unknown = names.Unknown ?? Gpt2EndOfText };
        }
        else
        {
            names = names with { Eos = names.Eos ?? Gpt2EndOfText, Pad = names.Pad ?? Gpt2EndOfText };
        }

        ReadAddedTokens(folder, config, names, vocabulary);
        var steps = new List<PreTokenizer>();
        if (config?.Bool("add_prefix_space", false) ?? false)
        {
            steps.Add(new PrefixStep(" "u8.ToArray(), onlyAtOrigin: false));
        }

        steps.Add(new SplitStep(KnownPatterns.Find(isQwen2 ? KnownPatterns.Qwen2 : KnownPatterns.Gpt2)!, SplitBehavior.Isolated, invert: false));
        var options = new BpeOptions(BpeOptions.NoUnknown, false, false, false, "", "");
        int? bos = vocabulary.IdOrNull(names.Bos), eos = vocabulary.IdOrNull(names.Eos);
        return new TokenizerParts
        {
            Pieces = vocabulary.Pieces,
            IdOfPiece = vocabulary.IdOfPiece,
            AddedTokens = vocabulary.Added,
            AddedById = vocabulary.AddedById,
            Normalizer = isQwen2 ? new FormNormalizer(compatibility: false, compose: true) : null,
            PreTokenizers = steps,
            Model = new BpeModel(vocabularyFile.File, options, vocabulary.BuildPieces(true), vocabulary.BuildMerges(), true, false),
            PostProcessor = new PostProcessor(Around(config, "add_bos_token", bos), Around(config, "add_eos_token", eos)),
            DecodeStages = [_ => new ByteLevelStage()],
            IsByteLevel = true,
            BosTokenId = bos,
            EosTokenId = eos,
            PadTokenId = vocabulary.IdOrNull(names.Pad),
        };
    }

    private static int[] Around(JsonField? config, string key, int? id)
    {
        if (!(config?.Bool(key, false) ?? false))
        {
            return [];
        }

        return id is int token ? [token] : throw config.Value.Bad($"{key} is true, but that token is not in the vocabulary");
    }

    private static void ReadMerges(string path, VocabularyBuilder vocabulary)
    {
        byte[] bytes = JsonFile.ReadBytes(path, JsonField.LargestFile);
        if (!System.Text.Unicode.Utf8.IsValid(bytes))
        {
            throw new BadFileException(path, "is not UTF-8");
        }

        int number = 0;
        ReadOnlySpan<char> text = Encoding.UTF8.GetString(bytes);
        foreach (Range range in text.Split('\n'))
        {
            number++;
            ReadOnlySpan<char> line = text[range].TrimEnd('\r');
            if (line.IsEmpty || line.StartsWith("#version"))
            {
                continue;
            }

            int space = line.IndexOf(' ');
            if (space < 0 || line[(space + 1)..].Contains(' '))
            {
                throw new BadFileException(path, $"line {number} is not two pieces with one space between them");
            }

            vocabulary.AddMerge(line[..space].ToString(), line[(space + 1)..].ToString(), 0);
        }
    }

    private static void ReadAddedTokens(string folder, JsonField? config, SpecialTokenNames names, VocabularyBuilder vocabulary)
    {
        foreach ((string id, JsonField token) in config?.Find("added_tokens_decoder")?.Properties() ?? [])
        {
            if (!int.TryParse(id, out int number))
            {
                throw token.Bad($"{MessageText.Quote(id)} is not a token id");
            }

            Add(number, token.Get("content").Text(), token);
        }

        foreach ((string content, JsonField id) in SpecialTokenNames.TryRead(folder, "added_tokens.json")?.Properties() ?? [])
        {
            Add(id.Int(0, int.MaxValue), content, null);
        }

        foreach (string? name in new[] { names.Bos, names.Eos, names.Pad, names.Unknown })
        {
            if (vocabulary.IdOrNull(name) is int id)
            {
                Add(id, name!, null);
            }
        }

        void Add(int id, string content, JsonField? options)
        {
            bool named = content == names.Bos || content == names.Eos || content == names.Pad || content == names.Unknown;
            if (!vocabulary.AddedById.TryGetValue(id, out AddedToken? before) || before.Content != content)
            {
                vocabulary.AddAdded("added tokens", new AddedToken(
                    id,
                    content,
                    options?.Bool("single_word", false) ?? false,
                    options?.Bool("lstrip", false) ?? false,
                    options?.Bool("rstrip", false) ?? false,
                    Normalized: options?.Bool("normalized", false) ?? false,
                    Special: options?.Bool("special", named) ?? named));
            }
        }
    }
}
