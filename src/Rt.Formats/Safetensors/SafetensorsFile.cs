// Opens a safetensors file: maps it, checks its header, and hands out tensors as views of the mapping.
// Format: README and tensor.rs of huggingface/safetensors.
using System.Buffers.Binary;
using Rt.Core;

namespace Rt.Formats;

/// <summary>A safetensors file, mapped read-only. Tensors are views of the mapping and die with this object.</summary>
/// <remarks>Open checks every rule of the format before any tensor is reachable: the tensors cover the data exactly, so a file
/// has one meaning. Keys other than dtype, shape and data_offsets are refused, since they could change the meaning of the data.</remarks>
public sealed class SafetensorsFile : IDisposable
{
    private readonly MappedFile _file;
    private readonly int _headerLength;

    private SafetensorsFile(MappedFile file)
    {
        _file = file;
        if (file.ByteLength < 8)
        {
            throw new BadFileException(file.Path, $"expected at least 8 bytes, found {file.ByteLength}: too short for a safetensors file");
        }

        var length = BinaryPrimitives.ReadUInt64LittleEndian(file.Bytes(0, 8));
        if (length > (ulong)SafetensorsHeader.MaxLength)
        {
            throw new BadFileException(file.Path, $"header length: expected at most {SafetensorsHeader.MaxLength}, found {length}");
        }

        if ((long)length > file.ByteLength - 8)
        {
            throw new BadFileException(file.Path, $"header length: {length} bytes reach past the end of the file ({file.ByteLength} bytes)");
        }

        _headerLength = (int)length;
        var dataStart = 8 + (long)length;
        (var entries, var metadata) = SafetensorsHeader.Parse(file.Path, Header, dataStart, file.ByteLength - dataStart);
        (Entries, Metadata) = (entries, metadata);
    }

    /// <summary>The path the file was opened by.</summary>
    public string Path => _file.Path;

    /// <summary>Size of the file in bytes.</summary>
    public long ByteLength => _file.ByteLength;

    /// <summary>The tensors by name, in the order of the data.</summary>
    public IReadOnlyDictionary<string, SafetensorsEntry> Entries { get; }

    /// <summary>The strings under <c>__metadata__</c>; empty where there are none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The bytes of the JSON header, padding included.</summary>
    public ReadOnlySpan<byte> Header => _file.Bytes(8, _headerLength);

    /// <summary>Maps and checks <paramref name="path"/>.</summary>
    /// <exception cref="BadFileException">The file is unreadable or breaks a rule; the message names the tensor or field.</exception>
    public static SafetensorsFile Open(string path)
    {
        var file = MappedFile.Open(path);
        try
        {
            return new SafetensorsFile(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The header's entry of a tensor.</summary>
    /// <exception cref="BadFileException">There is no such tensor.</exception>
    public SafetensorsEntry Entry(string name) => Entries.TryGetValue(name, out var entry)
        ? entry
        : throw new BadFileException(Path, $"tensor {MessageText.Quote(name)} is missing");

    /// <summary>A view of a tensor's data: a scalar or vector as [1, 1, n], a matrix as [1, r, c], rank 3 as it is.</summary>
    /// <exception cref="BadFileException">No such tensor, a rank above 3, a size above 2^31 - 1, packed elements, or the file
    /// has changed its length since it was opened.</exception>
    public Tensor Tensor(string name)
    {
        var entry = Entry(name);
        var shape = entry.Shape;
        if (shape.Length > 3)
        {
            throw new BadFileException(Path, $"tensor {entry}: expected at most 3 axes, found {shape.Length}");
        }

        if (shape.Any(size => size > int.MaxValue))
        {
            throw new BadFileException(Path, $"tensor {entry}: expected sizes of at most {int.MaxValue}");
        }

        if (entry.DType.Bits() % 8 != 0)
        {
            throw new BadFileException(Path, $"tensor {entry}: elements of {entry.DType} are packed and cannot be computed with");
        }

        _file.CheckLength();
        var bytes = entry.DType.Bytes();
        return new Tensor(_file.Shifted((int)(entry.Offset % bytes)), entry.DType, entry.Offset / bytes,
            shape.Length > 2 ? (int)shape[^3] : 1, shape.Length > 1 ? (int)shape[^2] : 1, shape.Length > 0 ? (int)shape[^1] : 1);
    }

    /// <summary>Bytes [start, start + count) of a tensor's data, of whatever type and rank.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range reaches past the tensor.</exception>
    public ReadOnlySpan<byte> Bytes(string name, long start, int count)
    {
        var entry = Entry(name);
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, entry.ByteLength - count);
        _file.CheckLength();
        return _file.Bytes(entry.Offset + start, count);
    }

    /// <summary>Fails when the file no longer has the length it was opened with.</summary>
    /// <exception cref="BadFileException">The file was cut or grew since.</exception>
    public void CheckLength() => _file.CheckLength();

    /// <summary>Asks the kernel to read the file ahead.</summary>
    public void Prefetch() => _file.Prefetch();

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    /// <summary>The mapping, for hashing the file block by block.</summary>
    internal MappedFile Mapping => _file;
}
