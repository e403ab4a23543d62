// Reads and checks the JSON header of a safetensors file without building a document.
// Rules: the format section of the README and tensor.rs of huggingface/safetensors.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Rt.Core;

namespace Rt.Formats;

/// <summary>The parse of one header.</summary>
/// <remarks>Everything is checked on spans of the header first, so that a hostile header is refused before names, shapes or
/// metadata become objects: at most 48 bytes are kept per tensor until the whole header is known to be sound.</remarks>
internal ref partial struct SafetensorsHeader
{
    /// <summary>Longest header allowed, in bytes.</summary>
    public const long MaxLength = 100_000_000;

    /// <summary>Most tensors that a header may name.</summary>
    public const int MaxTensors = 1_000_000;

    private const int MaxMetadataKeys = 100_000;

    private const int MaxNameLength = 65_536;
    private const int MaxRank = 64;
    private const int ShortestTensor = 44;

    private static readonly byte[][] DTypeNames = [.. Enum.GetNames<DType>().Select(Encoding.UTF8.GetBytes)];

    private readonly string _path;
    private readonly ReadOnlySpan<byte> _header;
    private readonly long _dataStart;
    private readonly long _dataLength;
    private readonly List<Item> _tensors;
    private readonly List<Item> _metadata = [];
    // Names with JSON escapes, unescaped; Item.Start then points in here.
    private readonly List<byte> _unescaped = [];
    private bool _hasMetadata;
    private long _bytesClaimed;

    private SafetensorsHeader(string path, ReadOnlySpan<byte> header, long dataStart, long dataLength)
    {
        _path = path;
        _header = header;
        _dataStart = dataStart;
        _dataLength = dataLength;
        _tensors = new List<Item>(Math.Min(header.Length / ShortestTensor + 1, MaxTensors));
    }

    /// <summary>Checks <paramref name="header"/> against every rule of the format and returns its tensors and metadata.</summary>
    /// <param name="path">For messages.</param>
    /// <param name="header">The JSON bytes.</param>
    /// <param name="dataStart">Where the byte buffer begins in the file.</param>
    /// <param name="dataLength">Bytes in the byte buffer.</param>
    /// <exception cref="BadFileException">A rule is broken; the message names the tensor or field.</exception>
    public static (Dictionary<string, SafetensorsEntry> Entries, Dictionary<string, string> Metadata) Parse(
        string path, ReadOnlySpan<byte> header, long dataStart, long dataLength)
    {
        if (!Utf8.IsValid(header))
        {
            throw new BadFileException(path, "header: expected UTF-8, found other bytes");
        }

        var parse = new SafetensorsHeader(path, header, dataStart, dataLength);
        try
        {
            parse.ReadRoot();
            parse.CheckNames(parse._tensors, "tensor");
            parse.CheckNames(parse._metadata, "__metadata__ key");
            parse.CheckCover();
            return (parse.Entries(), parse.Metadata());
        }
        catch (JsonException e)
        {
            throw new BadFileException(path, $"header: not valid JSON at line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}", e);
        }
        catch (InvalidOperationException e)
        {
            throw new BadFileException(path, "header: a string holds an incomplete surrogate pair", e);
        }
    }

    private static Utf8JsonReader Reader(ReadOnlySpan<byte> json) => new(json, new JsonReaderOptions { MaxDepth = 16 });

    // What runs once per tensor is compiled for speed at once: a header is read once, before tiering would help.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ReadRoot()
    {
        var reader = Reader(_header);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new BadFileException(_path, $"header: expected a JSON object, found {Kind(reader.TokenType)}");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("__metadata__"u8))
            {
                ReadMetadata(ref reader);
            }
            else
            {
                ReadTensor(ref reader);
            }
        }

        // One more read finds anything but white space behind the object.
        reader.Read();
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        if (_hasMetadata)
        {
            throw new BadFileException(_path, "header: __metadata__ appears twice");
        }

        _hasMetadata = true;
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new BadFileException(_path, $"header: __metadata__: expected an object of strings, found {Kind(reader.TokenType)}");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (_metadata.Count == MaxMetadataKeys)
            {
                throw new BadFileException(_path, $"header: __metadata__: more than {MaxMetadataKeys:N0} keys");
            }

            var item = Name(ref reader);
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
            {
                throw new BadFileException(_path, $"header: __metadata__ {Quote(item)}: expected a string, found {Kind(reader.TokenType)}");
            }

            item.ValueStart = (int)reader.TokenStartIndex;
            _metadata.Add(item);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ReadTensor(ref Utf8JsonReader reader)
    {
        if (_tensors.Count == MaxTensors)
        {
            throw new BadFileException(_path, $"header: more than {MaxTensors:N0} tensors");
        }

        var item = Name(ref reader);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw Bad(item, $"expected an object, found {Kind(reader.TokenType)}");
        }

        bool hasType = false, hasShape = false, hasOffsets = false;
        var count = 1L;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("dtype"u8))
            {
                Once(item, "dtype", ref hasType);
                reader.Read();
                item.Type = ReadDType(item, ref reader);
            }
            else if (reader.ValueTextEquals("shape"u8))
            {
                Once(item, "shape", ref hasShape);
                reader.Read();
                item.ValueStart = (int)reader.TokenStartIndex;
                (item.Rank, count) = ReadShape(item, ref reader);
            }
            else if (reader.ValueTextEquals("data_offsets"u8))
            {
                Once(item, "data_offsets", ref hasOffsets);
                reader.Read();
                (item.Begin, item.End) = ReadOffsets(item, ref reader);
            }
            else
            {
                throw Bad(item, $"unknown key {MessageText.Quote(reader.ValueSpan)}, expected dtype, shape and data_offsets");
            }
        }

        if (!hasType || !hasShape || !hasOffsets)
        {
            throw Bad(item, $"{(!hasType ? "dtype" : !hasShape ? "shape" : "data_offsets")} is missing");
        }

        CheckSize(item, count);
        _tensors.Add(item);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly DType ReadDType(in Item item, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            throw Bad(item, $"dtype: expected a string, found {Kind(reader.TokenType)}");
        }

        for (var i = 0; i < DTypeNames.Length; i++)
        {
            if (reader.ValueTextEquals(DTypeNames[i]))
            {
                return (DType)i;
            }
        }

        throw Bad(item, $"dtype: unknown type {MessageText.Quote(reader.ValueSpan)}");
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly (int Rank, long Count) ReadShape(in Item item, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw Bad(item, $"shape: expected an array, found {Kind(reader.TokenType)}");
        }

        var rank = 0;
        var count = 1L;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (++rank > MaxRank)
            {
                throw Bad(item, $"shape: more than {MaxRank} axes");
            }

            var size = ReadWhole(item, "shape", ref reader);
            count = Math.BigMul(count, size, out var low) == 0 && low >= 0
                ? low
                : throw Bad(item, "shape: the number of elements overflows 63 bits");
        }

        return (rank, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly (long Begin, long End) ReadOffsets(in Item item, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw Bad(item, $"data_offsets: expected an array of two, found {Kind(reader.TokenType)}");
        }

        reader.Read();
        var begin = ReadWhole(item, "data_offsets", ref reader);
        reader.Read();
        var end = ReadWhole(item, "data_offsets", ref reader);
        reader.Read();
        return reader.TokenType == JsonTokenType.EndArray
            ? (begin, end)
            : throw Bad(item, "data_offsets: expected two numbers, found more");
    }

    private readonly long ReadWhole(in Item item, string field, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.Number)
        {
            throw Bad(item, $"{field}: expected a whole number, found {Kind(reader.TokenType)}");
        }

        return reader.ValueSpan[0] != '-' && reader.TryGetInt64(out var value)
            ? value
            : throw Bad(item, $"{field}: expected a whole number from 0 to 2^63-1, found {MessageText.Quote(reader.ValueSpan)}");
    }

    private void CheckSize(in Item item, long count)
    {
        if (item.End < item.Begin)
        {
            throw Bad(item, $"data_offsets: end {item.End} lies before begin {item.Begin}");
        }

        if (Math.BigMul(count, item.Type.Bits(), out var bits) != 0 || bits < 0)
        {
            throw Bad(item, "shape: the number of bits overflows 63 bits");
        }

        if (bits % 8 != 0)
        {
            throw Bad(item, $"{count} elements of {item.Type} do not fill whole bytes");
        }

        if (bits / 8 != item.End - item.Begin)
        {
            throw Bad(item, $"shape and dtype {item.Type} need {bits / 8} bytes, data_offsets [{item.Begin}, {item.End}] give {item.End - item.Begin}");
        }

        if (item.End > _dataLength)
        {
            throw Bad(item, $"data_offsets end at byte {item.End}, the file holds {_dataLength} bytes of data");
        }

        // Every tensor lies inside the data, so more bytes claimed than present means that two overlap.
        _bytesClaimed += item.End - item.Begin;
        if (_bytesClaimed > _dataLength)
        {
            throw Bad(item, "its data overlaps that of another tensor");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly Item Name(ref Utf8JsonReader reader)
    {
        if (reader.ValueSpan.Length > MaxNameLength)
        {
            throw new BadFileException(_path, $"header: name {MessageText.Quote(reader.ValueSpan)} is longer than {MaxNameLength} bytes");
        }

        var item = new Item { Start = (int)reader.TokenStartIndex + 1, Length = reader.ValueSpan.Length };
        if (reader.ValueIsEscaped)
        {
            var text = new byte[reader.ValueSpan.Length];
            item.Escaped = true;
            item.Start = _unescaped.Count;
            item.Length = reader.CopyString(text);
            _unescaped.AddRange(text.AsSpan(0, item.Length));
        }

        var hash = new HashCode();
        hash.AddBytes(NameOf(item));
        item.Hash = hash.ToHashCode();
        return item;
    }

    private static void ThrowTwice(string path, string name, string field) =>
        throw new BadFileException(path, $"tensor {name}: {field} appears twice");

    private readonly void Once(in Item item, string field, ref bool seen)
    {
        if (seen)
        {
            ThrowTwice(_path, Quote(item), field);
        }

        seen = true;
    }

    private readonly ReadOnlySpan<byte> NameOf(in Item item) =>
        item.Escaped ? CollectionsMarshal.AsSpan(_unescaped).Slice(item.Start, item.Length) : _header.Slice(item.Start, item.Length);

    private readonly string Quote(in Item item) => MessageText.Quote(NameOf(item));

    private readonly BadFileException Bad(in Item item, string problem) => new(_path, $"tensor {Quote(item)}: {problem}");

    private static string Kind(JsonTokenType type) => type switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.EndArray or JsonTokenType.EndObject => "nothing",
        JsonTokenType.String => "a string",
        JsonTokenType.Number => "a number",
        JsonTokenType.True or JsonTokenType.False => "true or false",
        JsonTokenType.Null => "null",
        _ => "nothing",
    };

    private struct Item
    {
        public long Begin;
        public long End;
        public int Start;
        public int Length;
        public int ValueStart;
        public int Hash;
        public int Rank;
        public DType Type;
        public bool Escaped;
    }
}
