// Collects pieces, added tokens and merges, and refuses those that contradict each other.
// Source: own.
using System.Text;
using Rt.Core;

namespace Rt.Formats.Tokenizers;

/// <summary>The vocabulary of one file while it is read.</summary>
internal sealed class VocabularyBuilder(string file)
{
    private readonly List<string?> _pieces = [];
    private readonly List<AddedToken> _added = [];
    private readonly Dictionary<int, AddedToken> _addedById = [];
    private readonly List<(int Left, int Right, int Joined)> _merges = [];
    private int _modelIds;
    private int _addedBytes;

    public Dictionary<string, int> IdOfPiece { get; } = [];

    public IReadOnlyList<AddedToken> Added => _added;

    public Dictionary<int, AddedToken> AddedById => _addedById;

    public string?[] Pieces => [.. _pieces];

    /// <summary>True while no merge made a piece with a '▁' behind another character.</summary>
    public bool WordsBeginAtMetaspace { get; private set; } = true;

    public bool IsToken(int id) => (uint)id < (uint)_pieces.Count && _pieces[id] is not null;

    /// <summary>Adds a piece of the model.</summary>
    /// <param name="where">The field, for messages.</param>
    /// <param name="piece">Its spelling.</param>
    /// <param name="id">Its id.</param>
    public void AddPiece(string where, string piece, int id)
    {
        if (id < 0 || id >= TokenizerParts.MostIds)
        {
            throw Bad($"{where}: {MessageText.Quote(piece)} has the id {id}; expected 0 to {TokenizerParts.MostIds - 1}");
        }

        Place(where, piece, id);
        if (!IdOfPiece.TryAdd(piece, id))
        {
            throw Bad($"{where}: {MessageText.Quote(piece)} has two ids, {IdOfPiece[piece]} and {id}");
        }

        _modelIds = _pieces.Count;
    }

    /// <summary>Adds an added token; it may repeat a piece of the model, under the same id.</summary>
    public void AddAdded(string where, AddedToken token)
    {
        string content = token.Content;
        if (content.Length == 0)
        {
            throw Bad($"{where}: the token {token.Id} is empty");
        }

        if (token.Id < 0 || token.Id >= TokenizerParts.MostIds)
        {
            throw Bad($"{where}: {MessageText.Quote(content)} has the id {token.Id}; expected 0 to {TokenizerParts.MostIds - 1}");
        }

        _addedBytes += Math.Min(content.Length, TokenizerParts.MostAddedBytes + 1);
        if (_addedBytes > TokenizerParts.MostAddedBytes)
        {
            throw Bad($"{where}: the added tokens are longer than {TokenizerParts.MostAddedBytes} characters together");
        }

        if (IdOfPiece.TryGetValue(content, out int id) && id != token.Id)
        {
            throw Bad($"{where}: {MessageText.Quote(content)} has two ids, {id} and {token.Id}");
        }

        if (_addedById.TryGetValue(token.Id, out AddedToken? before))
        {
            // Some files list a token twice; the first counts where both are the same.
            if (before == token)
            {
                return;
            }

            throw Bad($"{where}: the id {token.Id} is listed twice");
        }

        if (id != token.Id || !IdOfPiece.ContainsKey(content))
        {
            Place(where, content, token.Id);
            IdOfPiece[content] = token.Id;
        }

        _addedById.Add(token.Id, token);
        _added.Add(token);
    }

    /// <summary>Adds the merge of the next rank.</summary>
    /// <param name="left">First piece.</param>
    /// <param name="right">Second piece.</param>
    /// <param name="prefixLength">Characters of <paramref name="right"/> that the joined piece leaves out.</param>
    public void AddMerge(string left, string right, int prefixLength)
    {
        string joined = right.Length >= prefixLength ? string.Concat(left, right.AsSpan(prefixLength)) : left;
        _merges.Add((IdFor(left), IdFor(right), IdFor(joined)));
        WordsBeginAtMetaspace &= !HasInnerMark(joined);

        int IdFor(string piece) => IdOfPiece.TryGetValue(piece, out int id)
            ? id
            : throw Bad($"merge {_merges.Count} ({MessageText.Quote(left)} and {MessageText.Quote(right)}) needs {MessageText.Quote(piece)}, which is not in the vocabulary");
    }

    /// <summary>The merges by pair.</summary>
    public MergeTable BuildMerges()
    {
        var table = new MergeTable(_merges.Count);
        for (int rank = 0; rank < _merges.Count; rank++)
        {
            table.Set(_merges[rank].Left, _merges[rank].Right, rank, _merges[rank].Joined);
        }

        return table;
    }

    /// <summary>The pieces of the model by their bytes.</summary>
    /// <param name="rawBytes">Spells them as the bytes that the byte-level alphabet stands for; what it cannot spell is left out.</param>
    public PieceTable BuildPieces(bool rawBytes)
    {
        var table = new PieceTable();
        var bytes = new SpanList<byte>();
        for (int id = 0; id < _modelIds; id++)
        {
            if (_pieces[id] is not string piece)
            {
                continue;
            }

            bytes.Clear();
            if (!rawBytes)
            {
                Encoding.UTF8.GetBytes(piece, bytes.Extend(Encoding.UTF8.GetByteCount(piece)));
            }
            else if (!ByteAlphabet.TryToBytes(piece, bytes))
            {
                continue;
            }

            table.Add(bytes.Span, id);
        }

        table.Seal();
        return table;
    }

    /// <summary>Id of a named token, or null.</summary>
    public int? IdOrNull(string? piece) => piece is not null && IdOfPiece.TryGetValue(piece, out int id) ? id : null;

    public BadFileException Bad(string problem) => new(file, problem);

    private void Place(string where, string piece, int id)
    {
        while (_pieces.Count <= id)
        {
            _pieces.Add(null);
        }

        if (_pieces[id] is string other)
        {
            throw Bad($"{where}: the id {id} stands for {MessageText.Quote(other)} and for {MessageText.Quote(piece)}");
        }

        _pieces[id] = piece;
    }

    private static bool HasInnerMark(string piece)
    {
        for (int i = 1; i < piece.Length; i++)
        {
            if (piece[i] == '▁' && piece[i - 1] != '▁')
            {
                return true;
            }
        }

        return false;
    }
}
