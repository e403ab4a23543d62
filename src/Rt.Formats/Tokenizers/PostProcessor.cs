// The post-processor of tokenizer.json: which special tokens stand in front of and behind the ids of a text.
// Source: huggingface/tokenizers, processors.
using Rt.Core;

namespace Rt.Formats.Tokenizers;

/// <summary>Ids put around the ids of one text when special tokens are asked for.</summary>
internal sealed record PostProcessor(int[] Before, int[] Behind)
{
    public static PostProcessor None { get; } = new([], []);

    /// <summary>Reads the <c>post_processor</c> field.</summary>
    /// <param name="field">The field.</param>
    /// <param name="isToken">Whether an id is a token of this tokenizer.</param>
    /// <exception cref="UnsupportedModelException">A processor that this runtime does not compute.</exception>
    public static PostProcessor Read(JsonField field, Func<int, bool> isToken)
    {
        string type = field.Get("type").Text();
        switch (type)
        {
            case "ByteLevel":
                // It moves offsets only, which this runtime does not keep.
                return None;
            case "Sequence":
                PostProcessor all = None;
                foreach (JsonField part in field.Get("processors").Items())
                {
                    PostProcessor next = Read(part, isToken);
                    all = new PostProcessor([.. next.Before, .. all.Before], [.. all.Behind, .. next.Behind]);
                }

                return all;
            case "TemplateProcessing":
                return ReadTemplate(field, isToken);
            case "RobertaProcessing" or "BertProcessing":
                return new PostProcessor([PairId(field.Get("cls"), isToken)], [PairId(field.Get("sep"), isToken)]);
            default:
                throw new UnsupportedModelException($"{field.File}: {field.Path}: the post-processor {MessageText.Quote(type)} is not supported");
        }
    }

    private static PostProcessor ReadTemplate(JsonField field, Func<int, bool> isToken)
    {
        JsonField template = field.Get("single");
        var before = new List<int>();
        var behind = new List<int>();
        int texts = 0;
        foreach (JsonField part in template.Items())
        {
            if (part.Find("Sequence") is JsonField sequence)
            {
                string name = sequence.Get("id").Text();
                texts += name == "A" ? 1 : throw sequence.Bad($"expected the sequence A in a template for one text, found {MessageText.Quote(name)}");
                continue;
            }

            string token = part.Get("SpecialToken").Get("id").Text();
            JsonField ids = (field.Find("special_tokens")?.Find(token) ?? throw part.Bad($"{MessageText.Quote(token)} is not among special_tokens")).Get("ids");
            foreach (JsonField id in ids.Items())
            {
                (texts == 0 ? before : behind).Add(CheckedId(id, isToken));
            }
        }

        return texts == 1
            ? new PostProcessor([.. before], [.. behind])
            : throw template.Bad($"expected the sequence A once, found it {texts} times");
    }

    // ["</s>", 2]
    private static int PairId(JsonField field, Func<int, bool> isToken)
    {
        JsonField[] items = [.. field.Items()];
        return items.Length == 2 ? CheckedId(items[1], isToken) : throw field.Bad($"expected a token and its id, found {items.Length} entries");
    }

    private static int CheckedId(JsonField field, Func<int, bool> isToken)
    {
        int id = field.Int(0, int.MaxValue);
        return isToken(id) ? id : throw field.Bad($"the id {id} is outside the vocabulary");
    }
}
