// The rows of one forward call: which tokens, at which positions, and what each may see.
namespace Rt.Core;

/// <summary>One sequence's rows in a packed batch, and the keys they may see.</summary>
/// <param name="FirstRow">First row of the sequence in the batch.</param>
/// <param name="RowCount">Rows of the sequence in this call.</param>
/// <param name="Slot">Slot of <see cref="RowBatch.Cache"/> that receives its keys and values.</param>
/// <param name="Start">Entries in the slot before this call; row i is entry Start + i and sees entries 0..Start + i.</param>
/// <param name="FirstPosition">Position of entry 0 of the slot; entry j sits at FirstPosition + j.</param>
/// <param name="Prefix">Index into <see cref="RowBatch.Prefixes"/> of a kept prefix that every row sees in full, or -1.</param>
/// <param name="PrefixLength">Entries of the prefix, at positions 0..PrefixLength - 1; 0 without a prefix.</param>
public readonly record struct SequenceRows(
    int FirstRow, int RowCount, int Slot, int Start, int FirstPosition, int Prefix, int PrefixLength)
{
    /// <summary>Entries in the slot once this call's rows are appended.</summary>
    public int Length => Start + RowCount;

    /// <summary>Position of row <paramref name="row"/> of this sequence (counted from its first).</summary>
    public int Position(int row) => FirstPosition + Start + row;
}

/// <summary>A packed batch of rows from one or more sequences, reused from call to call.</summary>
/// <remarks>What a row sees is declared here and never derived from positions: the whole prefix, then its own sequence causally.
/// Positions only rotate, bias (ALiBi) and bound (sliding window), by the distance |i - j|.</remarks>
public sealed class RowBatch
{
    private readonly int[] _tokenIds;
    private readonly int[] _positions;
    private readonly SequenceRows[] _sequences;
    private readonly List<KvCache> _prefixes = [];

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

    /// <summary>Rows in this call.</summary>
    public int RowCount { get; private set; }

    /// <summary>Sequences in this call.</summary>
    public int SequenceCount { get; private set; }

    /// <summary>The cache that receives this call's keys and values.</summary>
    public KvCache Cache { get; private set; } = null!;

    /// <summary>[rows], the token of each row.</summary>
    public ReadOnlySpan<int> TokenIds => _tokenIds.AsSpan(0, RowCount);

    /// <summary>[rows], the position of each row.</summary>
    public ReadOnlySpan<int> Positions => _positions.AsSpan(0, RowCount);

    /// <summary>The sequences, in row order.</summary>
    public ReadOnlySpan<SequenceRows> Sequences => _sequences.AsSpan(0, SequenceCount);

    /// <summary>Kept prefixes that sequences name by index; each is slot 0 of its cache.</summary>
    public IReadOnlyList<KvCache> Prefixes => _prefixes;

    /// <summary>Empties the batch and names the cache that the next call writes.</summary>
    public RowBatch Reset(KvCache cache)
    {
        Cache = cache;
        RowCount = 0;
        SequenceCount = 0;
        _prefixes.Clear();
        return this;
    }

    /// <summary>Makes a kept prefix available to sequences; returns its index.</summary>
    public int AddPrefix(KvCache prefix)
    {
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
    /// <exception cref="ShapeException">The batch, the slot or the prefix has no room for them.</exception>
    public int Add(ReadOnlySpan<int> tokenIds, int slot, int start, int firstPosition, int prefix = -1, int prefixLength = 0)
    {
        if (RowCount + tokenIds.Length > RowCapacity || SequenceCount == SequenceCapacity)
        {
            throw new ShapeException($"batch of {RowCapacity} rows and {SequenceCapacity} sequences is full");
        }

        if (slot < 0 || slot >= Cache.Slots || start + tokenIds.Length > Cache.Capacity)
        {
            throw new ShapeException(
                $"slot {slot} of {Cache.Slots}: {start} + {tokenIds.Length} entries exceed KV capacity {Cache.Capacity}");
        }

        if (prefix >= _prefixes.Count || (prefix >= 0 && prefixLength > _prefixes[prefix].Capacity))
        {
            throw new ShapeException($"prefix {prefix} of length {prefixLength} is not in the batch");
        }

        var sequence = new SequenceRows(
            RowCount, tokenIds.Length, slot, start, firstPosition, prefix, prefix < 0 ? 0 : prefixLength);
        tokenIds.CopyTo(_tokenIds.AsSpan(RowCount));
        for (var i = 0; i < tokenIds.Length; i++)
        {
            _positions[RowCount + i] = sequence.Position(i);
        }

        _sequences[SequenceCount++] = sequence;
        RowCount += tokenIds.Length;
        return sequence.FirstRow;
    }
}
