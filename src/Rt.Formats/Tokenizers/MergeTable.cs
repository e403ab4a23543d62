// The merges of byte-pair encoding, and their application to a word in the order of their ranks.
// Source: Sennrich et al. 2016 (arXiv:1508.07909); huggingface/tokenizers, models/bpe/word.rs.
namespace Rt.Formats.Tokenizers;

/// <summary>Working space of <see cref="MergeTable.Apply"/>.</summary>
internal sealed class MergeScratch
{
    public SpanList<int> Symbols { get; } = new(256);

    public SpanList<long> Pairs { get; } = new(256);

    public SpanList<int> Previous { get; } = new(256);

    public SpanList<int> Next { get; } = new(256);

    public bool IsSmall => Symbols.Capacity <= 1 << 20;
}

/// <summary>Pair of ids -> (rank, id of the joined piece).</summary>
internal sealed class MergeTable
{
    /// <summary>What <see cref="Find"/> gives for a pair that does not merge: a rank above all others.</summary>
    private const long NoMerge = long.MaxValue;
    private const ulong Empty = ulong.MaxValue;

    // Below this many symbols a scan for the lowest rank is faster than a heap.
    private const int ScanLimit = 48;

    private readonly ulong[] _keys;
    private readonly long[] _values;
    private readonly int _shift;

    public MergeTable(int capacity)
    {
        int bits = 4;
        while ((1L << bits) < capacity * 2L)
        {
            bits++;
        }

        _keys = new ulong[1 << bits];
        _values = new long[1 << bits];
        _shift = 64 - bits;
        Array.Fill(_keys, Empty);
    }

    /// <summary>Sets a merge; a later one of the same pair replaces the earlier.</summary>
    public void Set(int left, int right, int rank, int joined)
    {
        ulong key = KeyOf(left, right);
        int slot = SlotOf(key);
        while (_keys[slot] != Empty && _keys[slot] != key)
        {
            slot = (slot + 1) & (_keys.Length - 1);
        }

        _keys[slot] = key;
        _values[slot] = ((long)rank << 32) | (uint)joined;
    }

    /// <summary>Merges the symbols in <paramref name="scratch"/> until no pair is left that can be, lowest rank first.</summary>
    public void Apply(MergeScratch scratch)
    {
        if (scratch.Symbols.Count <= ScanLimit)
        {
            ApplyByScan(scratch);
        }
        else
        {
            ApplyByHeap(scratch);
        }
    }

    private void ApplyByScan(MergeScratch scratch)
    {
        Span<int> symbols = scratch.Symbols.Span;
        Span<long> pairs = stackalloc long[ScanLimit];
        int count = symbols.Length;
        for (int i = 0; i + 1 < count; i++)
        {
            pairs[i] = Find(symbols[i], symbols[i + 1]);
        }

        while (count > 1)
        {
            // Ranks differ from pair to pair, so the first of the lowest is the leftmost place of one merge.
            int best = 0;
            long lowest = pairs[0];
            for (int i = 1; i < count - 1; i++)
            {
                if (pairs[i] < lowest)
                {
                    lowest = pairs[i];
                    best = i;
                }
            }

            if (lowest == NoMerge)
            {
                break;
            }

            symbols[best] = (int)lowest;
            symbols[(best + 2)..count].CopyTo(symbols[(best + 1)..]);
            pairs[(best + 1)..(count - 1)].CopyTo(pairs[best..]);
            count--;
            if (best > 0)
            {
                pairs[best - 1] = Find(symbols[best - 1], symbols[best]);
            }

            if (best + 1 < count)
            {
                pairs[best] = Find(symbols[best], symbols[best + 1]);
            }
        }

        scratch.Symbols.Truncate(count);
    }

    // A linked list of symbols and a heap of (rank, position): O(n log n) for a word of any length.
    private void ApplyByHeap(MergeScratch scratch)
    {
        Span<int> symbols = scratch.Symbols.Span;
        int count = symbols.Length;
        scratch.Previous.Clear();
        scratch.Next.Clear();
        scratch.Pairs.Clear();
        Span<int> previous = scratch.Previous.Extend(count);
        Span<int> next = scratch.Next.Extend(count);
        SpanList<long> heap = scratch.Pairs;
        for (int i = 0; i < count; i++)
        {
            previous[i] = i - 1;
            next[i] = i + 1 < count ? i + 1 : -1;
            if (i + 1 < count && Find(symbols[i], symbols[i + 1]) is long pair and not NoMerge)
            {
                heap.Add(Entry(pair, i));
            }
        }

        MinHeap.Build(heap.Span);
        while (heap.Count > 0)
        {
            long top = MinHeap.Pop(heap);
            int at = (int)top;
            int right = next[at];

            // An entry is stale if its left symbol is gone (-1) or its pair has changed since.
            if (symbols[at] < 0 || right < 0 || Find(symbols[at], symbols[right]) is not (long found and not NoMerge)
                || found >> 32 != top >> 32)
            {
                continue;
            }

            symbols[at] = (int)found;
            symbols[right] = -1;
            int after = next[at] = next[right];
            if (after >= 0)
            {
                previous[after] = at;
                Push(heap, symbols, at, after);
            }

            if (previous[at] >= 0)
            {
                Push(heap, symbols, previous[at], at);
            }
        }

        int written = 0;
        for (int i = 0; i >= 0; i = next[i])
        {
            symbols[written++] = symbols[i];
        }

        scratch.Symbols.Truncate(written);
    }

    private void Push(SpanList<long> heap, Span<int> symbols, int left, int right)
    {
        if (Find(symbols[left], symbols[right]) is long pair and not NoMerge)
        {
            MinHeap.Push(heap, Entry(pair, left));
        }
    }

    private static long Entry(long pair, int position) => (pair & ~0xFFFFFFFFL) | (uint)position;

    private long Find(int left, int right)
    {
        ulong key = KeyOf(left, right);
        ulong[] keys = _keys;
        for (int slot = SlotOf(key); ; slot = (slot + 1) & (keys.Length - 1))
        {
            ulong here = keys[slot];
            if (here == key)
            {
                return _values[slot];
            }

            if (here == Empty)
            {
                return NoMerge;
            }
        }
    }

    private int SlotOf(ulong key) => (int)((key * 0x9E3779B97F4A7C15UL) >> _shift);

    private static ulong KeyOf(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;
}

/// <summary>A binary heap in a list, the smallest on top.</summary>
internal static class MinHeap
{
    public static void Build(Span<long> heap)
    {
        for (int i = (heap.Length / 2) - 1; i >= 0; i--)
        {
            SiftDown(heap, i);
        }
    }

    public static void Push(SpanList<long> list, long value)
    {
        list.Add(value);
        Span<long> heap = list.Span;
        int i = heap.Length - 1;
        for (int parent; i > 0 && heap[parent = (i - 1) / 2] > value; i = parent)
        {
            heap[i] = heap[parent];
        }

        heap[i] = value;
    }

    public static long Pop(SpanList<long> list)
    {
        Span<long> heap = list.Span;
        long top = heap[0];
        heap[0] = heap[^1];
        list.Truncate(heap.Length - 1);
        SiftDown(list.Span, 0);
        return top;
    }

    private static void SiftDown(Span<long> heap, int i)
    {
        if (i >= heap.Length)
        {
            return;
        }

        long value = heap[i];
        while (true)
        {
            int child = (2 * i) + 1;
            if (child >= heap.Length)
            {
                break;
            }

            child += child + 1 < heap.Length && heap[child + 1] < heap[child] ? 1 : 0;
            if (heap[child] >= value)
            {
                break;
            }

            heap[i] = heap[child];
            i = child;
        }

        heap[i] = value;
    }
}
