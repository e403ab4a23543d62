// Reads the decoder field of tokenizer.json into the makers of its stages.
// Source: huggingface/tokenizers, decoders.
using System.Text;
using Rt.Core;

namespace Rt.Formats.Tokenizers;

internal static class DecoderReader
{
    /// <summary>Appends a maker for each stage; it is told whether a stage before it makes one token of all.</summary>
    /// <exception cref="UnsupportedModelException">A decoder that this runtime does not compute.</exception>
    public static void Read(JsonField field, List<Func<bool, DecodeStage>> makers)
    {
        string type = field.Get("type").Text();
        switch (type)
        {
            case "Sequence":
                foreach (JsonField part in field.Get("decoders").Items())
                {
                    Read(part, makers);
                }

                break;
            case "ByteLevel":
                makers.Add(_ => new ByteLevelStage());
                break;
            case "ByteFallback":
                makers.Add(parts => new ByteFallbackStage(parts));
                break;
            case "Fuse":
                makers.Add(_ => new FuseStage());
                break;
            case "Replace":
                AddReplace(field, makers);
                break;
            case "Strip":
                Rune content = PreTokenizer.OneCharacter(field.Get("content")).EnumerateRunes().First();
                int start = field.Get("start").Int(0, int.MaxValue), stop = field.Get("stop").Int(0, int.MaxValue);
                makers.Add(_ => new StripStage(content, start, stop));
                break;
            case "Metaspace":
                MetaspaceOptions metaspace = MetaspaceOptions.Read(field);
                makers.Add(_ => new MetaspaceStage(metaspace.Replacement, metaspace.Scheme != "never"));
                break;
            case "WordPiece":
                string prefix = field.TextOrNull("prefix") ?? "##";
                bool cleanUp = field.Bool("cleanup", true);
                makers.Add(parts => new WordPieceStage(prefix, cleanUp, parts));
                break;
            case "BPEDecoder":
                string suffix = field.TextOrNull("suffix") ?? "</w>";
                if (suffix.Length == 0)
                {
                    throw field.Bad("the suffix is empty");
                }

                makers.Add(parts => new WordSuffixStage(suffix, parts));
                break;
            default:
                throw new UnsupportedModelException($"{field.File}: {field.Path}: the decoder {MessageText.Quote(type)} is not supported");
        }
    }

    private static void AddReplace(JsonField field, List<Func<bool, DecodeStage>> makers)
    {
        string content = field.Get("content").Text();
        JsonField patternField = field.Get("pattern");
        if (patternField.TextOrNull("String") is string literal && literal.Length == 1 && !char.IsSurrogate(literal[0]))
        {
            makers.Add(_ => new ReplaceCharacterStage(literal[0], content));
            return;
        }

        SplitPattern pattern = PatternReader.Read(patternField);
        makers.Add(parts => new ReplaceStage(pattern, content, parts));
    }
}
