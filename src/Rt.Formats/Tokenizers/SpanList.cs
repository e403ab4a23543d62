// A growing array that is read as a span and reused between calls, so that encoding allocates nothing per token.
// Source: own.
namespace Rt.Formats.Tokenizers;

internal sealed class SpanList<T>(int capacity = 64)
    where T : unmanaged
{
    private T[] _items = new T[capacity];

    public int Count { get; private set; }

    public Span<T> Span => _items.AsSpan(0, Count);

    public int Capacity => _items.Length;

    public ref T this[int index] => ref Span[index];

    public void Add(T item)
    {
        if (Count == _items.Length)
        {
            Reserve(1);
        }

        _items[Count++] = item;
    }

    public void AddRange(ReadOnlySpan<T> items)
    {
        Reserve(items.Length);
        items.CopyTo(_items.AsSpan(Count));
        Count += items.Length;
    }

    /// <summary>Extends the list by <paramref name="length"/> items that the caller writes.</summary>
    public Span<T> Extend(int length)
    {
        Reserve(length);
        Count += length;
        return _items.AsSpan(Count - length, length);
    }

    /// <summary>Drops everything behind the first <paramref name="count"/> items.</summary>
    public void Truncate(int count) => Count = Math.Min(count, Count);

    public void Clear() => Count = 0;

    private void Reserve(int extra)
    {
        long needed = (long)Count + extra;
        if (needed > _items.Length)
        {
            long size = Math.Min(Array.MaxLength, Math.Max(needed, (long)_items.Length * 2));
            Array.Resize(ref _items, checked((int)Math.Max(size, needed)));
        }
    }
}
