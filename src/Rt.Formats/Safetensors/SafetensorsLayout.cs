// The checks of a safetensors header that concern all tensors together, and its results once it is known to be sound.
// Rules: the format section of the README and tensor.rs of huggingface/safetensors.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Rt.Core;

namespace Rt.Formats;

internal ref partial struct SafetensorsHeader
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void CheckNames(List<Item> items, string what)
    {
        var slots = new int[System.Numerics.BitOperations.RoundUpToPowerOf2((uint)items.Count * 2 + 1)];
        var span = CollectionsMarshal.AsSpan(items);
        for (var i = 0; i < span.Length; i++)
        {
            var name = NameOf(span[i]);
            var slot = span[i].Hash & (slots.Length - 1);
            for (; slots[slot] != 0; slot = (slot + 1) & (slots.Length - 1))
            {
                ref var other = ref span[slots[slot] - 1];
                if (other.Hash == span[i].Hash && NameOf(other).SequenceEqual(name))
                {
                    throw new BadFileException(_path, $"header: {what} {Quote(span[i])} appears twice");
                }
            }

            slots[slot] = i + 1;
        }
    }

    // In order of their offsets, the tensors must cover the data exactly: no overlap, no hole, nothing behind the last.
    private readonly void CheckCover()
    {
        var ordered = _tensors;
        if (!InOrder(ordered))
        {
            ordered.Sort(static (a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
        }

        var end = 0L;
        foreach (ref readonly var item in CollectionsMarshal.AsSpan(ordered))
        {
            if (item.Begin != end)
            {
                throw Bad(item, item.Begin < end
                    ? $"data_offsets begin at {item.Begin}, inside the tensor before, which ends at {end}"
                    : $"data_offsets begin at {item.Begin}, leaving a hole behind the tensor before, which ends at {end}");
            }

            end = item.End;
        }

        if (end != _dataLength)
        {
            throw new BadFileException(_path, $"{_dataLength - end} bytes behind the last tensor belong to no tensor");
        }
    }

    private static bool InOrder(List<Item> items)
    {
        var span = CollectionsMarshal.AsSpan(items);
        for (var i = 1; i < span.Length; i++)
        {
            if (span[i].Begin < span[i - 1].Begin || span[i].End < span[i - 1].End)
            {
                return false;
            }
        }

        return true;
    }

    private readonly Dictionary<string, SafetensorsEntry> Entries()
    {
        var entries = new Dictionary<string, SafetensorsEntry>(_tensors.Count, StringComparer.Ordinal);
        foreach (ref readonly var item in CollectionsMarshal.AsSpan(_tensors))
        {
            var shape = new long[item.Rank];
            var reader = Reader(_header[item.ValueStart..]);
            reader.Read();
            foreach (ref var size in shape.AsSpan())
            {
                reader.Read();
                size = reader.GetInt64();
            }

            var name = Encoding.UTF8.GetString(NameOf(item));
            entries.Add(name, new SafetensorsEntry(name, item.Type, shape, _dataStart + item.Begin, item.End - item.Begin));
        }

        return entries;
    }

    private readonly Dictionary<string, string> Metadata()
    {
        var metadata = new Dictionary<string, string>(_metadata.Count, StringComparer.Ordinal);
        foreach (ref readonly var item in CollectionsMarshal.AsSpan(_metadata))
        {
            var reader = Reader(_header[item.ValueStart..]);
            reader.Read();
            metadata.Add(Encoding.UTF8.GetString(NameOf(item)), reader.GetString()!);
        }

        return metadata;
    }
}
