// The pre-tokenizers of tokenizer.json: each cuts pieces into smaller pieces, some rewrite the text on the way.
// Source: huggingface/tokenizers, pre_tokenizers.
using System.Text;
using Rt.Core;

namespace Rt.Formats.Tokenizers;

/// <summary>A text and the pieces it is cut into so far.</summary>
internal sealed class PieceList
{
    public SpanList<byte> Text { get; private set; } = new(1024);

    public SpanList<Range32> Pieces { get; private set; } = new(256);

    /// <summary>True while the first piece begins where the whole input does; Metaspace "first" asks for it.</summary>
    public bool FirstIsAtOrigin { get; set; }

    /// <summary>Working space of a step.</summary>
    public SpanList<Range32> Matches { get; } = new(256);

    private SpanList<byte> _newText = new(1024);
    private SpanList<Range32> _newPieces = new(256);

    /// <summary>Starts over with one empty text.</summary>
    public void Clear()
    {
        Text.Clear();
        Pieces.Clear();
    }

    /// <summary>The list that takes the pieces of a step; <see cref="EndStep"/> makes it the current one.</summary>
    public SpanList<Range32> BeginStep()
    {
        _newPieces.Clear();
        return _newPieces;
    }

    /// <summary>As <see cref="BeginStep"/>, for a step that writes a new text too.</summary>
    public SpanList<Range32> BeginRewrite(out SpanList<byte> newText)
    {
        _newText.Clear();
        newText = _newText;
        return BeginStep();
    }

    public void EndStep() => (Pieces, _newPieces) = (_newPieces, Pieces);

    public void EndRewrite()
    {
        EndStep();
        (Text, _newText) = (_newText, Text);
    }
}

/// <summary>One step of cutting.</summary>
internal abstract class PreTokenizer
{
    public abstract void Apply(PieceList list);

    /// <summary>Reads the <c>pre_tokenizer</c> field into a flat list of steps.</summary>
    /// <exception cref="UnsupportedModelException">A pre-tokenizer that this runtime does not compute.</exception>
    public static void Read(JsonField field, List<PreTokenizer> steps)
    {
        string type = field.Get("type").Text();
        switch (type)
        {
            case "Sequence":
                foreach (JsonField part in field.Get("pretokenizers").Items())
                {
                    Read(part, steps);
                }

                break;
            case "ByteLevel":
                if (field.Bool("add_prefix_space", true))
                {
                    steps.Add(new PrefixStep(" "u8.ToArray(), onlyAtOrigin: false));
                }

                if (field.Bool("use_regex", true))
                {
                    steps.Add(new SplitStep(KnownPatterns.Find(KnownPatterns.Gpt2)!, SplitBehavior.Isolated, invert: false));
                }

                steps.Add(new ByteLevelStep());
                break;
            case "Metaspace":
                MetaspaceOptions.Read(field).AddSteps(steps);
                break;
            case "Split":
                steps.Add(new SplitStep(PatternReader.Read(field.Get("pattern")), Behavior(field.Get("behavior")), field.Bool("invert", false)));
                break;
            case "Digits":
                steps.Add(new SplitStep(
                    new CharacterPattern(UnicodeText.IsNumber),
                    field.Bool("individual_digits", false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous,
                    invert: false));
                break;
            case "Whitespace":
                steps.Add(new SplitStep(new WordOrSymbolPattern(), SplitBehavior.Removed, invert: true));
                break;
            case "WhitespaceSplit":
                steps.Add(new SplitStep(new CharacterPattern(UnicodeText.IsWhitespace), SplitBehavior.Removed, invert: false));
                break;
            case "Punctuation":
                steps.Add(new SplitStep(
                    new CharacterPattern(UnicodeText.IsPunctuation),
                    field.Find("behavior") is JsonField behavior ? Behavior(behavior) : SplitBehavior.Isolated,
                    invert: false));
                break;
            case "CharDelimiterSplit":
                steps.Add(new SplitStep(
                    new LiteralPattern(Encoding.UTF8.GetBytes(OneCharacter(field.Get("delimiter")))), SplitBehavior.Removed, invert: false));
                break;
            default:
                throw new UnsupportedModelException($"{field.File}: {field.Path}: the pre-tokenizer {MessageText.Quote(type)} is not supported");
        }
    }

    /// <summary>A field that holds exactly one character.</summary>
    public static string OneCharacter(JsonField field)
    {
        string text = field.Text();
        return text.EnumerateRunes().Take(2).Count() == 1 ? text : throw field.Bad($"expected one character, found {MessageText.Quote(text)}");
    }

    private static SplitBehavior Behavior(JsonField field)
    {
        string text = field.Text();
        return Enum.TryParse(text, out SplitBehavior behavior) && Enum.IsDefined(behavior) && !char.IsAsciiDigit(text[0])
            ? behavior
            : throw field.Bad($"expected Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous, found {MessageText.Quote(text)}");
    }
}

/// <summary>The options of Metaspace, as a pre-tokenizer and as a decoder.</summary>
internal sealed record MetaspaceOptions(string Replacement, string Scheme, bool Split)
{
    public static MetaspaceOptions Read(JsonField field)
    {
        string replacement = PreTokenizer.OneCharacter(field.Get("replacement"));
        string scheme = field.TextOrNull("prepend_scheme") ?? "always";
        if (scheme is not ("always" or "first" or "never"))
        {
            throw field.Bad($"prepend_scheme: expected always, first or never, found {MessageText.Quote(scheme)}");
        }

        // Files from before prepend_scheme say add_prefix_space.
        if (!field.Bool("add_prefix_space", true))
        {
            if (field.Find("prepend_scheme") is not null && scheme != "never")
            {
                throw field.Bad($"add_prefix_space is false, but prepend_scheme is {MessageText.Quote(scheme)}");
            }

            scheme = "never";
        }

        return new MetaspaceOptions(replacement, scheme, field.Bool("split", true));
    }

    public void AddSteps(List<PreTokenizer> steps)
    {
        byte[] mark = Encoding.UTF8.GetBytes(Replacement);
        steps.Add(new ReplaceSpaceStep(mark));
        if (Scheme != "never")
        {
            steps.Add(new PrefixStep(mark, onlyAtOrigin: Scheme == "first"));
        }

        if (Split)
        {
            steps.Add(new SplitStep(new LiteralPattern(mark), SplitBehavior.MergedWithNext, invert: false));
        }
    }
}
