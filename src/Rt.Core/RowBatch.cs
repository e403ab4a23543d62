// The rows of one forward call: which tokens, at which positions, and what each may see.
namespace Rt.Core;

/// <summary>What part of its text a sequence's rows are.</summary>
public enum Stage
{
    /// <summary>Prompt tokens, more of which follow.</summary>
    Prompt,

    /// <summary>Prompt tokens up to and including the last: where task vectors are read and written.</summary>
    PromptEnd,

    /// <summary>A token that the model produced.</summary>
    Generated,
}

/// <summary>One sequence's rows in a packed batch, and the keys they may see.</summary>
/// <param name="FirstRow">First row of the sequence in the batch.</param>
/// <param name="RowCount">Rows of the sequence in this call.</param>
/// <param name="Slot">Slot of <see cref="RowBatch.Cache"/> that receives its keys and values.</param>
/// <param name="Start">Entries in the slot before this call; row i is entry Start + i and sees entries 0..Start + i.</param>
/// <param name="FirstPosition">Position of entry 0 of the slot; entry j sits at FirstPosition + j.</param>
/// <param name="Prefix">Index into <see cref="RowBatch.Prefixes"/> of a kept prefix that every row sees in full, or -1.</param>
/// <param name="PrefixLength">Entries of the prefix, at positions 0..PrefixLength - 1; 0 without a prefix.</param>
/// <param name="Stage">Whether the rows are prompt or generated, and whether the prompt ends with them.</param>
/// <param name="EntryLayer">First layer that computes these rows: 0, or a later one for rows whose residual is given there.</param>
public readonly record struct SequenceRows(
    int FirstRow,
    int RowCount,
    int Slot,
    int Start,
    int FirstPosition,
    int Prefix = -1,
    int PrefixLength = 0,
    Stage Stage = Stage.Prompt,
    int EntryLayer = 0)
{
    /// <summary>The last row of the sequence in the batch.</summary>
    public int LastRow => FirstRow + RowCount - 1;

    /// <summary>Entries in the slot once this call's rows are appended.</summary>
    public int Length => Start + RowCount;

    /// <summary>Position of row <paramref name="row"/> of this sequence (counted from its first).</summary>
    public int Position(int row) => FirstPosition + Start + row;
}

/// <summary>A kept prefix: one slot of a cache.</summary>
/// <param name="Cache">Holds the prefix's keys and values.</param>
/// <param name="Slot">Its slot there.</param>
public readonly record struct KvPrefix(KvCache Cache, int Slot);

/// <summary>A packed batch of rows from one or more sequences, reused from call to call.</summary>
/// <remarks>What a row sees is declared here and never derived from positions: the whole prefix, then its own sequence causally.
/// Positions only rotate, bias (ALiBi) and bound (sliding window), by the distance |i - j|.</remarks>
public sealed class RowBatch
{
    private readonly int[] _tokenIds;
    private readonly int[] _positions;
    private readonly SequenceRows[] _sequences;
    private readonly List<KvPrefix> _prefixes = [];
    private int _allRows;
    private int _allSequences;

    /// <param name="rowCapacity">Most rows of one call.</param>
    /// <param name="sequenceCapacity">Most sequences of one call.</param>
    public RowBatch(int rowCapacity, int sequenceCapacity)
    {
        _tokenIds = new int[rowCapacity];
        _positions = new int[rowCapacity];
        _sequences = new SequenceRows[sequenceCapacity];
    }

    /// <summary>Most rows of one call.</summary>
    public int RowCapacity => _tokenIds.Length;

    /// <summary>Most sequences of one call.</summary>
    public int SequenceCapacity => _sequences.Length;

    /// <summary>Rows that the present layer computes: all, unless some enter later.</summary>
    public int RowCount { get; private set; }

    /// <summary>Sequences that the present layer computes.</summary>
    public int SequenceCount { get; private set; }

    /// <summary>The cache that receives this call's keys and values.</summary>
    public KvCache Cache { get; private set; } = null!;

    /// <summary>[rows], the token of each row.</summary>
    public ReadOnlySpan<int> TokenIds => _tokenIds.AsSpan(0, RowCount);

    /// <summary>[rows], the position of each row.</summary>
    public ReadOnlySpan<int> Positions => _positions.AsSpan(0, RowCount);

    /// <summary>The sequences, in row order.</summary>
    public ReadOnlySpan<SequenceRows> Sequences => _sequences.AsSpan(0, SequenceCount);

    /// <summary>Kept prefixes that sequences name by index.</summary>
    public IReadOnlyList<KvPrefix> Prefixes => _prefixes;

    /// <summary>Empties the batch and names the cache that the next call writes.</summary>
    public RowBatch Reset(KvCache cache)
    {
        Cache = cache;
        RowCount = _allRows = 0;
        SequenceCount = _allSequences = 0;
        _prefixes.Clear();
        return this;
    }

    /// <summary>Makes a kept prefix available to sequences; returns its index.</summary>
    public int AddPrefix(KvCache cache, int slot = 0)
    {
        var prefix = new KvPrefix(cache, slot);
        var index = _prefixes.IndexOf(prefix);
        if (index < 0)
        {
            index = _prefixes.Count;
            _prefixes.Add(prefix);
        }

        return index;
    }

    /// <summary>Adds the next rows of one sequence; returns the index of its first row.</summary>
    /// <param name="tokenIds">Tokens of the new rows.</param>
    /// <param name="slot">Slot that receives them.</param>
    /// <param name="start">Entries already in the slot.</param>
    /// <param name="firstPosition">Position of entry 0 of the slot.</param>
    /// <param name="prefix">Index from <see cref="AddPrefix"/>, or -1.</param>
    /// <param name="prefixLength">Entries of the prefix.</param>
    /// <param name="stage">Whether the rows are prompt or generated, and whether the prompt ends with them.</param>
    /// <param name="entryLayer">First layer that computes the rows; may not be below that of the rows before.</param>
    /// <exception cref="ShapeException">The batch, the slot or the prefix has no room for them, or the entry layers fall.</exception>
    public int Add(
        ReadOnlySpan<int> tokenIds,
        int slot,
        int start,
        int firstPosition,
        int prefix = -1,
        int prefixLength = 0,
        Stage stage = Stage.Prompt,
        int entryLayer = 0)
    {
        if (_allRows + tokenIds.Length > RowCapacity || _allSequences == SequenceCapacity)
        {
            throw new ShapeException($"batch of {RowCapacity} rows and {SequenceCapacity} sequences is full");
        }

        if (slot < 0 || slot >= Cache.Slots || start + tokenIds.Length > Cache.Capacity)
        {
            throw new ShapeException(
                $"slot {slot} of {Cache.Slots}: {start} + {tokenIds.Length} entries exceed KV capacity {Cache.Capacity}");
        }

        if (prefix >= _prefixes.Count || (prefix >= 0 && prefixLength > _prefixes[prefix].Cache.Capacity))
        {
            throw new ShapeException($"prefix {prefix} of length {prefixLength} is not in the batch");
        }

        if (_allSequences > 0 && entryLayer < _sequences[_allSequences - 1].EntryLayer)
        {
            throw new ShapeException($"entry layer {entryLayer} follows {_sequences[_allSequences - 1].EntryLayer}; they must not fall");
        }

        var sequence = new SequenceRows(
            _allRows, tokenIds.Length, slot, start, firstPosition, prefix, prefix < 0 ? 0 : prefixLength, stage, entryLayer);
        tokenIds.CopyTo(_tokenIds.AsSpan(_allRows));
        for (var i = 0; i < tokenIds.Length; i++)
        {
            _positions[_allRows + i] = sequence.Position(i);
        }

        _sequences[_allSequences++] = sequence;
        _allRows += tokenIds.Length;
        RowCount = _allRows;
        SequenceCount = _allSequences;
        return sequence.FirstRow;
    }

    /// <summary>Makes this batch hold the last row of every sequence of <paramref name="source"/> that is at its end: not
    /// <see cref="Stage.Prompt"/>. The rows see what they saw there.</summary>
    /// <param name="source">Has at most as many sequences as this batch has capacity for; none enters late.</param>
    /// <param name="rowIndices">[sequences]: receives the rows taken.</param>
    public void TakeLastRows(RowBatch source, Span<int> rowIndices)
    {
        Reset(source.Cache);
        _prefixes.AddRange(source._prefixes);
        foreach (var sequence in source.Sequences)
        {
            if (sequence.Stage == Stage.Prompt)
            {
                continue;
            }

            rowIndices[RowCount] = sequence.LastRow;
            Add(
                source.TokenIds.Slice(sequence.LastRow, 1), sequence.Slot, sequence.Length - 1, sequence.FirstPosition,
                sequence.Prefix, sequence.PrefixLength, sequence.Stage);
        }
    }

    /// <summary>Limits the batch to the rows that have entered by <paramref name="layer"/>; the layer count shows all again.</summary>
    public void Enter(int layer)
    {
        SequenceCount = _allSequences;
        while (SequenceCount > 0 && _sequences[SequenceCount - 1].EntryLayer > layer)
        {
            SequenceCount--;
        }

        RowCount = SequenceCount == 0 ? 0 : _sequences[SequenceCount - 1].LastRow + 1;
    }
}
