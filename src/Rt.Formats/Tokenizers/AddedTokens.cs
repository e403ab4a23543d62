// The added tokens of tokenizer.json and their search in a text, leftmost and longest first, in linear time.
// Source: huggingface/tokenizers, added_vocabulary.rs; Aho and Corasick 1975, run backwards over the text.
using System.Buffers;

namespace Rt.Formats.Tokenizers;

/// <summary>A token that is recognised in the text before the model sees it.</summary>
/// <param name="Id">Token id.</param>
/// <param name="Content">The text that is the token.</param>
/// <param name="SingleWord">Matches only between non-word characters.</param>
/// <param name="LeftStrip">Takes the white space in front along.</param>
/// <param name="RightStrip">Takes the white space behind along.</param>
/// <param name="Normalized">Is searched for in the normalized text, in its normalized form.</param>
/// <param name="Special">Is left out when special tokens are skipped in decoding.</param>
internal sealed record AddedToken(
    int Id, string Content, bool SingleWord, bool LeftStrip, bool RightStrip, bool Normalized, bool Special);

/// <summary>A stretch of text: an added token (its id) or ordinary text (-1).</summary>
internal readonly record struct TextStretch(int Start, int End, int TokenId);

/// <summary>Finds a set of added tokens in texts.</summary>
internal sealed class AddedTokenFinder
{
    private readonly AddedToken[] _tokens;
    private readonly int[] _lengths;
    private readonly ByteTrie _trie = new();

    // Per node: where to go on a mismatch, and the longest token among the node's suffixes (-1 for none).
    private readonly int[] _fail;
    private readonly int[] _found;
    private readonly SearchValues<byte> _lastBytes;

    /// <param name="tokens">Each token with the bytes it is searched by.</param>
    public AddedTokenFinder(IReadOnlyList<(AddedToken Token, byte[] Pattern)> tokens)
    {
        _tokens = [.. tokens.Select(t => t.Token)];
        _lengths = [.. tokens.Select(t => t.Pattern.Length)];
        var lastBytes = new HashSet<byte>();
        for (int i = tokens.Count - 1; i >= 0; i--)
        {
            byte[] reversed = [.. tokens[i].Pattern];
            if (reversed.Length > 0)
            {
                Array.Reverse(reversed);
                _trie.Add(reversed, i);
                lastBytes.Add(reversed[0]);
            }
        }

        _lastBytes = SearchValues.Create([.. lastBytes]);
        _fail = new int[_trie.NodeCount];
        _found = new int[_trie.NodeCount];
        Link();
    }

    /// <summary>Cuts a text into added tokens and what lies between them.</summary>
    public void Split(ReadOnlySpan<byte> text, SpanList<TextStretch> stretches)
    {
        var matches = new SpanList<(int Start, int Token)>(4);
        Search(text, matches);
        int done = 0, searched = 0;
        for (int m = matches.Count - 1; m >= 0; m--)
        {
            (int start, int index) = matches[m];
            if (start < searched)
            {
                continue;
            }

            AddedToken token = _tokens[index];
            int end = searched = start + _lengths[index];
            if (token.SingleWord && !(StandsAlone(text, start, end)))
            {
                continue;
            }

            while (token.LeftStrip && start > done && IsSpaceBefore(text, start, out int before))
            {
                start -= before;
            }

            while (token.RightStrip && end < text.Length && IsSpaceAt(text, end, out int length))
            {
                end += length;
            }

            if (done < start)
            {
                stretches.Add(new TextStretch(done, start, -1));
            }

            stretches.Add(new TextStretch(start, end, token.Id));
            done = end;
        }

        if (done < text.Length)
        {
            stretches.Add(new TextStretch(done, text.Length, -1));
        }
    }

    // Reads the text from its end. The state after byte i tells the longest token that begins at i, so one pass finds
    // them all, and taking them from the left gives the leftmost-longest matches however the tokens overlap.
    private void Search(ReadOnlySpan<byte> text, SpanList<(int Start, int Token)> matches)
    {
        int state = 0;
        for (int i = text.Length - 1; i >= 0; i--)
        {
            if (state == 0)
            {
                i = text[..(i + 1)].LastIndexOfAny(_lastBytes);
                if (i < 0)
                {
                    return;
                }
            }

            int next = _trie.Child(state, text[i]);
            while (next < 0 && state != 0)
            {
                state = _fail[state];
                next = _trie.Child(state, text[i]);
            }

            state = Math.Max(next, 0);
            if (_found[state] >= 0)
            {
                matches.Add((i, _found[state]));
            }
        }
    }

    private void Link()
    {
        // Children have higher numbers than their parents, but a suffix may have been added later: go by depth.
        var depth = new int[_trie.NodeCount];
        (int Parent, byte Byte, int Child)[] edges = [.. _trie.Edges()];
        Array.Sort(edges, (a, b) => a.Child.CompareTo(b.Child));
        foreach ((int parent, _, int child) in edges)
        {
            depth[child] = depth[parent] + 1;
        }

        _found[0] = -1;
        foreach ((int parent, byte value, int child) in edges.OrderBy(e => depth[e.Child]))
        {
            int state = _fail[parent], next = -1;
            while (parent != 0 && (next = _trie.Child(state, value)) < 0 && state != 0)
            {
                state = _fail[state];
            }

            _fail[child] = Math.Max(next, 0);
            _found[child] = _trie.Value(child) >= 0 ? _trie.Value(child) : _found[_fail[child]];
        }
    }

    private static bool StandsAlone(ReadOnlySpan<byte> text, int start, int end) =>
        (start == 0 || !UnicodeText.IsWord(UnicodeText.CodePointBefore(text, start, out _)))
        && (end == text.Length || !UnicodeText.IsWord(UnicodeText.CodePointAt(text, end, out _)));

    private static bool IsSpaceBefore(ReadOnlySpan<byte> text, int end, out int length) =>
        UnicodeText.IsWhitespace(UnicodeText.CodePointBefore(text, end, out length));

    private static bool IsSpaceAt(ReadOnlySpan<byte> text, int start, out int length) =>
        UnicodeText.IsWhitespace(UnicodeText.CodePointAt(text, start, out length));
}
