// Finds the stored entries of a zip archive in a mapped file, so that tensor data is read in place.
// Format: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12, 4.3.14 - 4.3.16 and 4.5.3.
using System.Buffers.Binary;
using System.Text;
using Rt.Core;

namespace Rt.Formats;

/// <summary>The central directory of a zip archive.</summary>
/// <remarks>Checksums are not compared: torch can be told to write archives without them, and hub downloads are checked whole.</remarks>
internal sealed class ZipDirectory
{
    private const int MaxEntries = 1_000_000;
    private const int EndLength = 22;
    private const int LocatorLength = 20;
    private const int End64Length = 56;
    private const int EntryLength = 46;
    private const int LocalLength = 30;

    private readonly MappedFile _file;
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    /// <summary>Reads the directory of <paramref name="file"/>.</summary>
    /// <exception cref="BadFileException">The file is no zip archive, is cut, or names an entry twice.</exception>
    public ZipDirectory(MappedFile file)
    {
        _file = file;
        var (start, length, count) = FindDirectory();
        var end = start + length;
        for (var i = 0L; i < count; i++)
        {
            start += ReadEntry(start, end);
        }
    }

    /// <summary>Names of all entries.</summary>
    public IReadOnlyCollection<string> Names => _entries.Keys;

    /// <summary>Where the bytes of a stored entry lie in the file.</summary>
    /// <exception cref="BadFileException">There is no such entry, it is compressed, or it reaches past the file.</exception>
    public (long Start, long Length) Find(string name)
    {
        if (!_entries.TryGetValue(name, out var entry))
        {
            throw Bad($"entry {MessageText.Quote(name)} is missing");
        }

        if (entry.Method != 0 || entry.Encrypted || entry.Packed != entry.Length)
        {
            throw Bad($"entry {MessageText.Quote(name)} is compressed or encrypted; torch stores entries plainly");
        }

        var local = Bytes(entry.Header, LocalLength, "a local header");
        if (U32(local) != 0x04034b50)
        {
            throw Bad($"entry {MessageText.Quote(name)}: no local header at byte {entry.Header}");
        }

        var start = entry.Header + LocalLength + U16(local[26..]) + U16(local[28..]);
        return entry.Length >= 0 && entry.Length <= _file.ByteLength - start
            ? (start, entry.Length)
            : throw Bad($"entry {MessageText.Quote(name)}: {entry.Length} bytes reach past the end of the file");
    }

    private (long Start, long Length, long Count) FindDirectory()
    {
        var tail = (int)Math.Min(_file.ByteLength, EndLength + ushort.MaxValue);
        var bytes = _file.Bytes(_file.ByteLength - tail, tail);
        var at = -1;
        for (var i = tail - EndLength; i >= 0 && at < 0; i--)
        {
            at = U32(bytes[i..]) == 0x06054b50 && U16(bytes[(i + 20)..]) == tail - EndLength - i ? i : -1;
        }

        if (at < 0)
        {
            throw Bad("no end of a zip directory found: cut off, or not written by torch.save");
        }

        var end = bytes[at..];
        (long start, long length, long count) = (U32(end[16..]), U32(end[12..]), U16(end[10..]));
        var endAt = _file.ByteLength - tail + at;
        if ((count == ushort.MaxValue || length == uint.MaxValue || start == uint.MaxValue)
            && endAt >= LocatorLength && _file.Bytes(endAt - LocatorLength, LocatorLength) is var locator && U32(locator) == 0x07064b50)
        {
            var end64 = Bytes(I64(locator[8..]), End64Length, "the zip64 directory end");
            (start, length, count) = U32(end64) == 0x06064b50
                ? (I64(end64[48..]), I64(end64[40..]), I64(end64[32..]))
                : throw Bad("the zip64 directory end is not where its locator says");
        }

        return start < 0 || length < 0 || start > _file.ByteLength - length || count < 0 || count > Math.Min(length / EntryLength, MaxEntries)
            ? throw Bad($"zip directory: {count} entries in {length} bytes at byte {start} do not fit the file")
            : (start, length, count);
    }

    private long ReadEntry(long at, long directoryEnd)
    {
        var fixedPart = Bytes(at, EntryLength, "a directory entry");
        if (U32(fixedPart) != 0x02014b50)
        {
            throw Bad($"no zip directory entry at byte {at}");
        }

        int nameLength = U16(fixedPart[28..]), extraLength = U16(fixedPart[30..]), commentLength = U16(fixedPart[32..]);
        var total = (long)EntryLength + nameLength + extraLength + commentLength;
        if (total > directoryEnd - at)
        {
            throw Bad($"the zip directory entry at byte {at} reaches past the directory");
        }

        var rest = Bytes(at + EntryLength, nameLength + extraLength, "a directory entry");
        var name = Encoding.UTF8.GetString(rest[..nameLength]);
        (long packed, long length, long header) = (U32(fixedPart[20..]), U32(fixedPart[24..]), U32(fixedPart[42..]));
        ReadZip64(rest[nameLength..], ref length, ref packed, ref header);
        var entry = new Entry(header, packed, length, U16(fixedPart[10..]), (U16(fixedPart[8..]) & 1) != 0);
        if (!_entries.TryAdd(name, entry))
        {
            throw Bad($"entry {MessageText.Quote(name)} appears twice");
        }

        return total;
    }

    // Sizes and offsets that do not fit 32 bits follow in an extra field, in this order, only those that are needed.
    private static void ReadZip64(ReadOnlySpan<byte> extra, ref long length, ref long packed, ref long header)
    {
        while (extra.Length >= 4)
        {
            var size = U16(extra[2..]);
            if (size > extra.Length - 4)
            {
                return;
            }

            if (U16(extra) == 1)
            {
                var field = extra.Slice(4, size);
                Take(ref field, ref length);
                Take(ref field, ref packed);
                Take(ref field, ref header);
                return;
            }

            extra = extra[(4 + size)..];
        }

        static void Take(ref ReadOnlySpan<byte> field, ref long value)
        {
            if (value == uint.MaxValue && field.Length >= 8)
            {
                value = I64(field);
                field = field[8..];
            }
        }
    }

    private ReadOnlySpan<byte> Bytes(long start, int count, string what) =>
        start >= 0 && start <= _file.ByteLength - count ? _file.Bytes(start, count) : throw Bad($"{what} lies past the end of the file");

    private BadFileException Bad(string problem) => new(_file.Path, problem);

    private static int U16(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt16LittleEndian(bytes);

    private static uint U32(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt32LittleEndian(bytes);

    private static long I64(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadInt64LittleEndian(bytes);

    private readonly record struct Entry(long Header, long Packed, long Length, int Method, bool Encrypted);
}
