// The unigram language model: the cut of a piece into tokens with the highest sum of scores.
// Source: Kudo 2018 (arXiv:1804.10959); huggingface/tokenizers, models/unigram/model.rs.
using System.Text;
using Rt.Core;

namespace Rt.Formats.Tokenizers;

internal sealed class UnigramModel : TokenModel
{
    /// <summary>Longest piece that is searched for, in bytes; it bounds the time per byte of text.</summary>
    public const int LongestPiece = 1024;

    private const double UnknownPenalty = 10;

    private readonly string _file;
    private readonly double[] _scores;
    private readonly double _unknownScore;
    private readonly int _unknownId;
    private readonly bool _byteFallback;
    private readonly ByteTrie _trie = new();
    private readonly PieceTable _pieces;
    private readonly int[] _fallbackIds = new int[256];

    /// <param name="file">The file, for messages.</param>
    /// <param name="vocabulary">Bytes of each piece, by id.</param>
    /// <param name="pieces">The same, sealed.</param>
    /// <param name="scores">Log-probability of each piece.</param>
    /// <param name="unknownId">unk_id, or -1.</param>
    /// <param name="byteFallback">byte_fallback.</param>
    public UnigramModel(string file, IReadOnlyList<byte[]> vocabulary, PieceTable pieces, double[] scores, int unknownId, bool byteFallback)
    {
        (_file, _pieces, _scores, _unknownId, _byteFallback) = (file, pieces, scores, unknownId, byteFallback);
        for (int id = 0; id < vocabulary.Count; id++)
        {
            if (vocabulary[id].Length > 0)
            {
                _trie.Add(vocabulary[id], id);
            }
        }

        _unknownScore = (scores.Length > 0 ? scores.Min() : 0) - UnknownPenalty;
        for (int value = 0; value < 256; value++)
        {
            _fallbackIds[value] = pieces.Find(Encoding.UTF8.GetBytes($"<0x{value:X2}>"));
        }
    }

    public override void Encode(ReadOnlySpan<byte> piece, EncodeScratch scratch)
    {
        if (scratch.Words.TryAppend(piece, scratch.Ids, out ulong hash))
        {
            return;
        }

        int first = scratch.Ids.Count;
        scratch.Cuts.Clear();
        Span<BestCut> best = scratch.Cuts.Extend(piece.Length + 1);
        best.Fill(new BestCut(0, -1, -1));
        FindBestCuts(piece, best);
        Collect(piece, best, scratch.Ids);
        scratch.Words.Add(piece, scratch.Ids.Span[first..], hash);
    }

    // best[i]: the best cut of the first i bytes, and where its last token begins. Only a strictly better cut replaces
    // the one found before, so of equal ones the one whose last token begins first stays.
    private void FindBestCuts(ReadOnlySpan<byte> text, Span<BestCut> best)
    {
        for (int start = 0, length; start < text.Length; start += length)
        {
            length = UnicodeText.LengthOf(text[start]);
            bool hasSingle = false;
            double soFar = best[start].Score;
            int node = 0;
            for (int end = start; end < text.Length && (node = _trie.Child(node, text[end])) >= 0;)
            {
                end++;
                int id = _trie.Value(node);
                if (id >= 0)
                {
                    Improve(ref best[end], new BestCut(soFar + _scores[id], start, id));
                    hasSingle |= end - start == length;
                }
            }

            if (!hasSingle)
            {
                if (_unknownId < 0)
                {
                    throw new BadFileException(_file, "model.unk_id is missing, and the text holds a character outside the vocabulary");
                }

                Improve(ref best[start + length], new BestCut(soFar + _unknownScore, start, _unknownId));
            }
        }
    }

    private static void Improve(ref BestCut known, BestCut candidate)
    {
        if (known.Start < 0 || candidate.Score > known.Score)
        {
            known = candidate;
        }
    }

    private void Collect(ReadOnlySpan<byte> text, Span<BestCut> best, SpanList<int> output)
    {
        int first = output.Count;
        for (int end = text.Length; end > 0;)
        {
            BestCut cut = best[end];
            if (cut.Id != _unknownId)
            {
                output.Add(cut.Id);
                end = cut.Start;
                continue;
            }

            // Neighbouring unknown characters are one token.
            int start = end;
            while (start > 0 && best[start].Id == _unknownId)
            {
                start = best[start].Start;
            }

            AddUnknown(text[start..end], output);
            end = start;
        }

        output.Span[first..].Reverse();
    }

    private void AddUnknown(ReadOnlySpan<byte> unknown, SpanList<int> output)
    {
        int id = _pieces.Find(unknown);
        if (id >= 0 || !_byteFallback || !HasAllBytes(unknown))
        {
            output.Add(id >= 0 ? id : _unknownId);
            return;
        }

        for (int i = unknown.Length - 1; i >= 0; i--)
        {
            output.Add(_fallbackIds[unknown[i]]);
        }
    }

    private bool HasAllBytes(ReadOnlySpan<byte> text)
    {
        foreach (byte value in text)
        {
            if (_fallbackIds[value] < 0)
            {
                return false;
            }
        }

        return true;
    }
}

/// <summary>The best cut of the bytes before a position: its score, and start and id of its last token.</summary>
internal readonly record struct BestCut(double Score, int Start, int Id);
