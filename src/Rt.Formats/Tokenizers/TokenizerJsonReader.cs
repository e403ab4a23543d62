// Reads tokenizer.json.
// Source: huggingface/tokenizers, tokenizer/serialization.rs and the serialization of its parts.
using System.Text.Json;
using Rt.Core;

namespace Rt.Formats.Tokenizers;

internal static class TokenizerJsonReader
{
    public static TokenizerParts Read(string folder)
    {
        JsonField root = JsonField.Read(Path.Combine(folder, "tokenizer.json"));
        SpecialTokenNames names = SpecialTokenNames.Read(folder);
        var vocabulary = new VocabularyBuilder(root.File);
        JsonField model = root.Get("model");
        Func<bool, TokenModel> makeModel = TypeOf(model) switch
        {
            "BPE" => ReadBpe(model, vocabulary),
            "Unigram" => ReadUnigram(model, vocabulary),
            "WordLevel" => ReadWordLevel(model, vocabulary),
            string type => throw new UnsupportedModelException($"{root.File}: model: the model {MessageText.Quote(type)} is not supported"),
        };
        ReadAddedTokens(root, vocabulary);

        var steps = new List<PreTokenizer>();
        if (root.Find("pre_tokenizer") is JsonField preTokenizer)
        {
            PreTokenizer.Read(preTokenizer, steps);
        }

        // A byte-level step at the end is left to the model, which then works on the bytes themselves.
        bool byteLevel = steps.Exists(step => step is ByteLevelStep);
        bool rawBytes = byteLevel && steps[^1] is ByteLevelStep && IsPlainBpe(model);
        if (rawBytes)
        {
            steps.RemoveAt(steps.Count - 1);
        }

        var stages = new List<Func<bool, DecodeStage>>();
        if (root.Find("decoder") is JsonField decoder)
        {
            DecoderReader.Read(decoder, stages);
        }
        else
        {
            stages.Add(_ => new JoinStage());
        }

        return new TokenizerParts
        {
            Pieces = vocabulary.Pieces,
            IdOfPiece = vocabulary.IdOfPiece,
            AddedTokens = vocabulary.Added,
            AddedById = vocabulary.AddedById,
            Normalizer = root.Find("normalizer") is JsonField normalizer ? Normalizer.Read(normalizer) : null,
            PreTokenizers = steps,
            Model = makeModel(rawBytes),
            PostProcessor = root.Find("post_processor") is JsonField processor
                ? PostProcessor.Read(processor, vocabulary.IsToken)
                : PostProcessor.None,
            DecodeStages = stages,
            IsByteLevel = byteLevel || stages.Exists(make => make(false) is ByteLevelStage),
            BosTokenId = vocabulary.IdOrNull(names.Bos),
            EosTokenId = vocabulary.IdOrNull(names.Eos),
            PadTokenId = vocabulary.IdOrNull(names.Pad),
        };
    }

    // Files of the first versions name no type.
    private static string TypeOf(JsonField model) => model.TextOrNull("type")
        ?? (model.Find("merges") is not null ? "BPE" : model.Get("vocab").Kind == JsonValueKind.Array ? "Unigram" : "WordLevel");

    private static bool IsPlainBpe(JsonField model) => TypeOf(model) == "BPE" && ReadBpeOptions(model, _ => 0).IsPlain;

    private static Func<bool, TokenModel> ReadBpe(JsonField model, VocabularyBuilder vocabulary)
    {
        if (model.Find("dropout") is JsonField dropout && dropout.Number() != 0)
        {
            throw new UnsupportedModelException($"{model.File}: {dropout.Path}: dropout is not supported; expected null or 0");
        }

        ReadVocabulary(model, vocabulary);
        BpeOptions options = ReadBpeOptions(model, piece => vocabulary.IdOrNull(piece) ?? BpeOptions.MissingUnknown);
        JsonField merges = model.Get("merges");
        if (merges.Kind != JsonValueKind.Array)
        {
            throw merges.Bad($"expected an array, found {merges.Kind}");
        }

        int index = 0;
        foreach (JsonElement element in merges.Element.EnumerateArray())
        {
            (string left, string right) = ReadMerge(merges, element, index++);
            vocabulary.AddMerge(left, right, options.ContinuingPrefix.Length);
        }

        bool wordsBeginAtMetaspace = vocabulary.WordsBeginAtMetaspace;
        return rawBytes => new BpeModel(
            model.File, options, vocabulary.BuildPieces(rawBytes), vocabulary.BuildMerges(), rawBytes, wordsBeginAtMetaspace);
    }

    private static BpeOptions ReadBpeOptions(JsonField model, Func<string, int> idOf) => new(
        model.TextOrNull("unk_token") is string unknown ? idOf(unknown) : BpeOptions.NoUnknown,
        model.Bool("fuse_unk", false),
        model.Bool("byte_fallback", false),
        model.Bool("ignore_merges", false),
        model.TextOrNull("continuing_subword_prefix") ?? "",
        model.TextOrNull("end_of_word_suffix") ?? "");

    // "a b" in older files, ["a", "b"] in newer ones.
    private static (string Left, string Right) ReadMerge(JsonField merges, JsonElement element, int index)
    {
        var field = new JsonField(merges.File, merges.Path, element);
        if (element.ValueKind == JsonValueKind.Array && element.GetArrayLength() == 2)
        {
            return (new JsonField(merges.File, merges.Path, element[0]).Text(), new JsonField(merges.File, merges.Path, element[1]).Text());
        }

        if (element.ValueKind == JsonValueKind.String)
        {
            string text = field.Text();
            int space = text.IndexOf(' ');
            if (space >= 0 && text.IndexOf(' ', space + 1) < 0)
            {
                return (text[..space], text[(space + 1)..]);
            }
        }

        throw merges.Bad($"merge {index} is neither two pieces nor a text with one space between them");
    }

    private static Func<bool, TokenModel> ReadUnigram(JsonField model, VocabularyBuilder vocabulary)
    {
        JsonField entries = model.Get("vocab");
        if (entries.Kind != JsonValueKind.Array)
        {
            throw entries.Bad($"expected an array, found {entries.Kind}");
        }

        var pieces = new List<byte[]>();
        var scores = new List<double>();
        foreach (JsonElement element in entries.Element.EnumerateArray())
        {
            if (element.ValueKind != JsonValueKind.Array || element.GetArrayLength() != 2)
            {
                throw entries.Bad($"entry {pieces.Count} is not a piece and its score");
            }

            string piece = new JsonField(model.File, entries.Path, element[0]).Text();
            vocabulary.AddPiece(entries.Path, piece, pieces.Count);
            byte[] bytes = System.Text.Encoding.UTF8.GetBytes(piece);
            if (bytes.Length > UnigramModel.LongestPiece)
            {
                throw entries.Bad($"entry {pieces.Count} is {bytes.Length} bytes long, more than {UnigramModel.LongestPiece}");
            }

            pieces.Add(bytes);
            scores.Add(new JsonField(model.File, entries.Path, element[1]).Number());
        }

        int unknownId = model.Find("unk_id")?.Int(0, pieces.Count - 1) ?? -1;
        bool byteFallback = model.Bool("byte_fallback", false);
        return _ => new UnigramModel(model.File, pieces, vocabulary.BuildPieces(false), [.. scores], unknownId, byteFallback);
    }

    private static Func<bool, TokenModel> ReadWordLevel(JsonField model, VocabularyBuilder vocabulary)
    {
        ReadVocabulary(model, vocabulary);
        int unknownId = vocabulary.IdOrNull(model.TextOrNull("unk_token")) ?? -1;
        return _ => new WordLevelModel(vocabulary.BuildPieces(false), unknownId, model.File);
    }

    private static void ReadVocabulary(JsonField model, VocabularyBuilder vocabulary)
    {
        JsonField entries = model.Get("vocab");
        foreach ((string piece, JsonField id) in entries.Properties())
        {
            vocabulary.AddPiece(entries.Path, piece, id.Int(0, int.MaxValue));
        }
    }

    private static void ReadAddedTokens(JsonField root, VocabularyBuilder vocabulary)
    {
        if (root.Find("added_tokens") is not JsonField list)
        {
            return;
        }

        foreach (JsonField field in list.Items())
        {
            bool special = field.Bool("special", false);
            vocabulary.AddAdded(field.Path, new AddedToken(
                field.Get("id").Int(0, int.MaxValue),
                field.Get("content").Text(),
                field.Bool("single_word", false),
                field.Bool("lstrip", false),
                field.Bool("rstrip", false),
                field.Bool("normalized", !special),
                special));
        }
    }
}
