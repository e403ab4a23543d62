// From the bytes of a piece to its id: one hash table over one block of bytes.
// Source: own.
namespace Rt.Formats.Tokenizers;

internal sealed class PieceTable
{
    private readonly SpanList<byte> _bytes = new(1 << 16);
    private readonly SpanList<(Range32 Key, int Id)> _entries = new(1 << 12);
    private int[] _slots = [];

    public int LongestKey { get; private set; }

    /// <summary>Adds a piece; call <see cref="Seal"/> behind the last one.</summary>
    public void Add(ReadOnlySpan<byte> key, int id)
    {
        int start = _bytes.Count;
        _bytes.AddRange(key);
        _entries.Add((new Range32(start, _bytes.Count), id));
        LongestKey = Math.Max(LongestKey, key.Length);
    }

    /// <summary>Builds the hash table.</summary>
    public void Seal()
    {
        int size = 16;
        while (size < _entries.Count * 2)
        {
            size *= 2;
        }

        _slots = new int[size];
        ReadOnlySpan<byte> bytes = _bytes.Span;
        for (int entry = 0; entry < _entries.Count; entry++)
        {
            int slot = (int)ByteHash.Of(_entries[entry].Key.Of(bytes)) & (size - 1);
            while (_slots[slot] != 0)
            {
                slot = (slot + 1) & (size - 1);
            }

            _slots[slot] = entry + 1;
        }
    }

    /// <summary>The id of a piece, or -1.</summary>
    public int Find(ReadOnlySpan<byte> key)
    {
        if (key.Length > LongestKey)
        {
            return -1;
        }

        ReadOnlySpan<byte> bytes = _bytes.Span;
        ReadOnlySpan<(Range32 Key, int Id)> entries = _entries.Span;
        int mask = _slots.Length - 1;
        for (int slot = (int)ByteHash.Of(key) & mask; _slots[slot] != 0; slot = (slot + 1) & mask)
        {
            (Range32 range, int id) = entries[_slots[slot] - 1];
            if (range.Of(bytes).SequenceEqual(key))
            {
                return id;
            }
        }

        return -1;
    }
}
