// The steps that pre-tokenizers are made of: split by a pattern, put a prefix in front, replace spaces, map bytes.
// Source: huggingface/tokenizers, NormalizedString::split and the ByteLevel and Metaspace pre-tokenizers.
namespace Rt.Formats.Tokenizers;

/// <summary>What becomes of the matches of a split.</summary>
internal enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// <summary>Cuts each piece at the matches of a pattern.</summary>
/// <param name="pattern">What is searched for.</param>
/// <param name="behavior">What becomes of the matches.</param>
/// <param name="invert">The stretches between the matches count as the matches.</param>
internal sealed class SplitStep(SplitPattern pattern, SplitBehavior behavior, bool invert) : PreTokenizer
{
    public override void Apply(PieceList list)
    {
        SpanList<Range32> output = list.BeginStep();
        ReadOnlySpan<byte> text = list.Text.Span;
        foreach (Range32 piece in list.Pieces.Span)
        {
            list.Matches.Clear();
            pattern.Matches(piece.Of(text), list.Matches);
            int first = output.Count;
            var cutter = new Cutter(output, behavior, piece.Start);
            int done = 0;
            foreach (Range32 match in list.Matches.Span)
            {
                if (match.Start > done)
                {
                    cutter.Add(done, match.Start, invert);
                }

                cutter.Add(match.Start, match.End, !invert);
                done = match.End;
            }

            if (done < piece.Length)
            {
                cutter.Add(done, piece.Length, invert);
            }

            cutter.Finish();
            if (piece == list.Pieces[0] && (output.Count == first || output[first].Start != piece.Start))
            {
                list.FirstIsAtOrigin = false;
            }
        }

        list.EndStep();
    }

    // Takes the stretches of a piece in order, matches and gaps, and joins or drops them as the behavior says.
    private ref struct Cutter(SpanList<Range32> output, SplitBehavior behavior, int offset)
    {
        private Range32 _open;
        private bool _hasOpen, _previousMatch;

        public void Add(int start, int end, bool isMatch)
        {
            var stretch = new Range32(offset + start, offset + end);
            bool joins = false, dropped = false;
            switch (behavior)
            {
                case SplitBehavior.Removed:
                    dropped = isMatch;
                    break;
                case SplitBehavior.Contiguous:
                    joins = isMatch == _previousMatch;
                    break;
                case SplitBehavior.MergedWithPrevious:
                    joins = isMatch && !_previousMatch;
                    break;
                case SplitBehavior.MergedWithNext:
                    // A gap takes up the match right before it; of several matches in a row only the last.
                    joins = !isMatch && _previousMatch;
                    break;
                default:
                    break;
            }

            if (joins && _hasOpen)
            {
                _open = _open with { End = stretch.End };
            }
            else if (!dropped)
            {
                Finish();
                (_open, _hasOpen) = (stretch, true);
            }

            _previousMatch = isMatch;
        }

        public void Finish()
        {
            if (_hasOpen && _open.Length > 0)
            {
                output.Add(_open);
            }

            _hasOpen = false;
        }
    }
}

/// <summary>Puts a prefix in front of each piece that does not begin with it.</summary>
internal sealed class PrefixStep(byte[] prefix, bool onlyAtOrigin) : PreTokenizer
{
    public override void Apply(PieceList list)
    {
        SpanList<Range32> output = list.BeginRewrite(out SpanList<byte> newText);
        ReadOnlySpan<byte> text = list.Text.Span;
        bool wanted = !onlyAtOrigin || list.FirstIsAtOrigin;
        foreach (Range32 piece in list.Pieces.Span)
        {
            int start = newText.Count;
            if (wanted && !piece.Of(text).StartsWith(prefix))
            {
                newText.AddRange(prefix);
            }

            newText.AddRange(piece.Of(text));
            output.Add(new Range32(start, newText.Count));
            wanted &= !onlyAtOrigin;
        }

        list.EndRewrite();
    }
}

/// <summary>Replaces each space by the mark of Metaspace.</summary>
internal sealed class ReplaceSpaceStep(byte[] mark) : PreTokenizer
{
    private readonly ReplaceNormalizer _replace = new(new LiteralPattern(" "u8.ToArray()), mark);

    public override void Apply(PieceList list)
    {
        SpanList<Range32> output = list.BeginRewrite(out SpanList<byte> newText);
        ReadOnlySpan<byte> text = list.Text.Span;
        foreach (Range32 piece in list.Pieces.Span)
        {
            int start = newText.Count;
            _replace.Apply(piece.Of(text), newText);
            output.Add(new Range32(start, newText.Count));
        }

        list.EndRewrite();
    }
}

/// <summary>Writes each byte as its character of the byte-level alphabet.</summary>
/// <remarks>Left out where it is the last step before a plain BPE model: that model then knows its pieces as raw bytes.</remarks>
internal sealed class ByteLevelStep : PreTokenizer
{
    public override void Apply(PieceList list)
    {
        SpanList<Range32> output = list.BeginRewrite(out SpanList<byte> newText);
        ReadOnlySpan<byte> text = list.Text.Span;
        foreach (Range32 piece in list.Pieces.Span)
        {
            int start = newText.Count;
            ByteAlphabet.Map(piece.Of(text), newText);
            output.Add(new Range32(start, newText.Count));
        }

        list.EndRewrite();
    }
}
