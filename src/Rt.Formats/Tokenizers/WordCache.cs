// Remembers the ids of short words, within a fixed amount of memory.
// Source: own.
namespace Rt.Formats.Tokenizers;

internal sealed class WordCache
{
    private const int SlotCount = 1 << 16;
    private const int MostEntries = SlotCount / 2;
    private const int MostKeyBytes = 1 << 20;
    private const int LongestWord = 64;

    private readonly Slot[] _slots = new Slot[SlotCount];
    private readonly SpanList<byte> _keys = new(1 << 14);
    private readonly SpanList<int> _ids = new(1 << 12);
    private int _entries;

    /// <summary>Appends the ids of a word that is known; else false, and <paramref name="hash"/> is for <see cref="Add"/>.</summary>
    public bool TryAppend(ReadOnlySpan<byte> word, SpanList<int> output, out ulong hash)
    {
        // 0 marks an empty slot.
        hash = ByteHash.Of(word) | 1;
        if (word.Length > LongestWord)
        {
            return false;
        }

        for (int index = (int)(hash >> 48); ; index = (index + 1) & (SlotCount - 1))
        {
            ref readonly Slot slot = ref _slots[index];
            if (slot.Hash == 0)
            {
                return false;
            }

            if (slot.Hash == hash && word.SequenceEqual(_keys.Span.Slice(slot.KeyStart, slot.KeyLength)))
            {
                if (slot.IdCount == 1)
                {
                    output.Add(slot.IdStart);
                }
                else
                {
                    output.AddRange(_ids.Span.Slice(slot.IdStart, slot.IdCount));
                }

                return true;
            }
        }
    }

    /// <summary>Remembers a word; when the memory is used up everything is forgotten first.</summary>
    public void Add(ReadOnlySpan<byte> word, ReadOnlySpan<int> ids, ulong hash)
    {
        if (word.Length > LongestWord || ids.Length > LongestWord * 4)
        {
            return;
        }

        if (_entries >= MostEntries || _keys.Count + word.Length > MostKeyBytes)
        {
            Array.Clear(_slots);
            _keys.Clear();
            _ids.Clear();
            _entries = 0;
        }

        int index = (int)(hash >> 48);
        while (_slots[index].Hash != 0)
        {
            index = (index + 1) & (SlotCount - 1);
        }

        // A single id sits in the slot itself.
        int idStart = ids.Length == 1 ? ids[0] : _ids.Count;
        _slots[index] = new Slot(hash, _keys.Count, idStart, (ushort)word.Length, (ushort)ids.Length);
        _keys.AddRange(word);
        if (ids.Length != 1)
        {
            _ids.AddRange(ids);
        }

        _entries++;
    }

    private readonly record struct Slot(ulong Hash, int KeyStart, int IdStart, ushort KeyLength, ushort IdCount);
}
