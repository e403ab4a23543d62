// Reads the tensors of a pytorch_model.bin (torch.save since torch 1.6: a zip archive with a pickle), executing nothing.
// Layout: torch/serialization.py and torch/_utils.py.
using System.Globalization;
using Rt.Core;

namespace Rt.Formats;

/// <summary>One tensor of a torch file: a strided view of a stored block of bytes.</summary>
/// <param name="Name">Key in the state dict.</param>
/// <param name="DType">Element type.</param>
/// <param name="Shape">Sizes, slowest axis first.</param>
/// <param name="Strides">Elements from one index of an axis to the next.</param>
/// <param name="Start">First byte of the first element, counted from the start of the file.</param>
public sealed record TorchTensor(string Name, DType DType, long[] Shape, long[] Strides, long Start)
{
    /// <summary>Number of elements.</summary>
    public long Count => Shape.Aggregate(1L, (count, size) => count * size);

    /// <summary>Size in bytes once written without gaps.</summary>
    public long ByteLength => Count * DType.Bytes();

    /// <summary>Whether the elements follow one another in row-major order.</summary>
    public bool IsContiguous
    {
        get
        {
            var expected = 1L;
            for (var axis = Shape.Length - 1; axis >= 0; axis--)
            {
                if (Shape[axis] != 1 && Strides[axis] != expected)
                {
                    return Count == 0;
                }

                expected *= Shape[axis];
            }

            return true;
        }
    }

    /// <summary>Whether both are the same view of the same bytes.</summary>
    public bool IsAliasOf(TorchTensor other) =>
        Start == other.Start && DType == other.DType && Shape.AsSpan().SequenceEqual(other.Shape) && Strides.AsSpan().SequenceEqual(other.Strides);
}

/// <summary>A torch file, mapped read-only.</summary>
/// <remarks>Accepts a flat state dict of tensors and nothing else. A pickle that names any other function or class is refused by
/// that name. Files of torch before 1.6 and TorchScript archives are refused with the way out.</remarks>
public sealed class TorchCheckpoint : IDisposable
{
    private const int MaxRank = 64;
    private const long MaxEmptyCount = 1L << 48;

    private static readonly Dictionary<string, DType> StorageTypes = new(StringComparer.Ordinal)
    {
        ["DoubleStorage"] = DType.F64,
        ["FloatStorage"] = DType.F32,
        ["HalfStorage"] = DType.F16,
        ["BFloat16Storage"] = DType.BF16,
        ["LongStorage"] = DType.I64,
        ["IntStorage"] = DType.I32,
        ["ShortStorage"] = DType.I16,
        ["CharStorage"] = DType.I8,
        ["ByteStorage"] = DType.U8,
        ["BoolStorage"] = DType.BOOL,
    };

    private readonly MappedFile _file;
    private readonly ZipDirectory _zip;
    private readonly string _prefix;
    private readonly List<TorchTensor> _tensors = [];

    private TorchCheckpoint(MappedFile file)
    {
        _file = file;
        RefuseOldFormat();
        _zip = new ZipDirectory(file);
        _prefix = FindPrefix();
        RefuseBigEndian();
        var (start, length) = _zip.Find(_prefix + "data.pkl");
        if (length > Pickle.MaxLength)
        {
            throw Bad($"data.pkl: expected at most {Pickle.MaxLength} bytes, found {length}");
        }

        Collect(Pickle.Load(file.Path, file.Bytes(start, (int)length), Call, Persistent));
    }

    /// <summary>The path the file was opened by.</summary>
    public string Path => _file.Path;

    /// <summary>Size of the file in bytes.</summary>
    public long ByteLength => _file.ByteLength;

    /// <summary>The tensors in the order of the state dict.</summary>
    public IReadOnlyList<TorchTensor> Tensors => _tensors;

    /// <summary>Maps a file and reads its state dict.</summary>
    /// <exception cref="BadFileException">Not a torch file of a state dict, malformed, or asking for more than tensors.</exception>
    public static TorchCheckpoint Open(string path)
    {
        var file = MappedFile.Open(path);
        try
        {
            return new TorchCheckpoint(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Writes a tensor's elements in row-major order.</summary>
    /// <exception cref="BadFileException">The file has changed its length since it was opened.</exception>
    public unsafe void CopyTo(TorchTensor tensor, Stream destination)
    {
        _file.CheckLength();
        if (tensor.IsContiguous)
        {
            _file.CopyTo(destination, tensor.Start, tensor.ByteLength);
            return;
        }

        var size = tensor.DType.Bytes();
        var first = _file.Pointer + tensor.Start;
        var buffer = new byte[1 << 16];
        var filled = 0;
        var index = new long[tensor.Shape.Length];
        var (columns, step) = (tensor.Shape[^1], tensor.Strides[^1] * size);
        do
        {
            var row = 0L;
            for (var axis = 0; axis < index.Length - 1; axis++)
            {
                row += index[axis] * tensor.Strides[axis];
            }

            var source = first + row * size;
            for (var column = 0L; column < columns; column++, source += step)
            {
                new ReadOnlySpan<byte>(source, size).CopyTo(buffer.AsSpan(filled));
                filled += size;
                if (filled == buffer.Length)
                {
                    destination.Write(buffer);
                    filled = 0;
                }
            }
        }
        while (Advance(index, tensor.Shape));
        destination.Write(buffer.AsSpan(0, filled));
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    // Counts the axes before the last up by one; false when all are through.
    private static bool Advance(long[] index, long[] shape)
    {
        for (var axis = index.Length - 2; axis >= 0; axis--)
        {
            if (++index[axis] < shape[axis])
            {
                return true;
            }

            index[axis] = 0;
        }

        return false;
    }

    private void RefuseOldFormat()
    {
        ReadOnlySpan<byte> start = _file.Bytes(0, (int)Math.Min(_file.ByteLength, 16));
        // A pickle of the number 0x1950a86a20f9469cfc6c, with which torch began its files before the zip format.
        if (start.Length >= 14 && start[0] == 0x80 && start[2] == 0x8a && start[3] == 0x0a && start[4..].StartsWith((ReadOnlySpan<byte>)[0x6c, 0xfc, 0x9c, 0x46, 0xf9]))
        {
            throw Bad("a torch file of the format before torch 1.6, expected the zip format; load and save it once with torch 1.6 or later");
        }

        if (!start.StartsWith("PK"u8))
        {
            throw Bad("expected a zip archive written by torch.save, found other bytes");
        }
    }

    private string FindPrefix()
    {
        var pickles = _zip.Names.Where(name => name.EndsWith("/data.pkl", StringComparison.Ordinal) && name.Count(c => c == '/') == 1).ToArray();
        if (pickles.Length != 1)
        {
            throw Bad($"expected one entry NAME/data.pkl, found {pickles.Length}");
        }

        var prefix = pickles[0][..^"data.pkl".Length];
        return _zip.Names.Contains(prefix + "constants.pkl")
            ? throw Bad("a TorchScript archive, expected a state dict")
            : prefix;
    }

    private void RefuseBigEndian()
    {
        if (_zip.Names.Contains(_prefix + "byteorder"))
        {
            var (start, length) = _zip.Find(_prefix + "byteorder");
            if (length != 6 || !_file.Bytes(start, 6).SequenceEqual("little"u8))
            {
                throw Bad("byteorder: expected little endian data");
            }
        }
    }

    private object? Call(PickleGlobal function, object?[] arguments) => (function.Module, function.Name) switch
    {
        ("collections", "OrderedDict") when arguments.Length == 0 => new PickleDict(),
        ("torch._utils", "_rebuild_tensor_v2") => Rebuild(arguments),
        ("torch._utils", "_rebuild_parameter") when arguments is [TorchTensor data, ..] => data,
        _ => throw Bad($"the pickle calls {MessageText.Quote(function.ToString())}, which a state dict does not need; nothing was executed"),
    };

    private object? Persistent(object? id)
    {
        if (id is not object?[] { Length: >= 5 } parts
            || parts[0] is not "storage" || parts[1] is not PickleGlobal type || parts[2] is not string key || parts[4] is not long count)
        {
            throw Bad("data.pkl: a storage is not described as torch does");
        }

        if (type.Module != "torch" || !StorageTypes.TryGetValue(type.Name, out var dtype))
        {
            throw Bad($"the pickle asks for storage {MessageText.Quote(type.ToString())}, which is not one of torch's plain types");
        }

        var (start, length) = _zip.Find($"{_prefix}data/{key}");
        return count < 0 || count > length / dtype.Bytes()
            ? throw Bad($"storage {MessageText.Quote(key)}: {count} elements of {dtype} do not fit its {length} bytes")
            : new Storage(dtype, key, start, count);
    }

    private TorchTensor Rebuild(object?[] arguments)
    {
        if (arguments is not [Storage storage, long offset, object?[] sizes, object?[] steps, ..] || sizes.Length != steps.Length || sizes.Length > MaxRank
            || !sizes.Concat(steps).All(value => value is long and >= 0) || offset < 0)
        {
            throw Bad("data.pkl: a tensor is not described as torch does: storage, offset, sizes, strides, none of them negative");
        }

        var shape = Array.ConvertAll(sizes, size => (long)size!);
        var strides = Array.ConvertAll(steps, step => (long)step!);
        var isEmpty = shape.Contains(0);
        Int128 count = 1, last = offset;
        for (var axis = 0; axis < shape.Length; axis++)
        {
            // Stopping at the first excess keeps the products small. Expanded tensors, which repeat elements, are refused:
            // written out they could be of any size.
            count *= shape[axis];
            last += (Int128)(shape[axis] - 1) * strides[axis];
            if (isEmpty ? count > MaxEmptyCount : count > storage.Count || last >= storage.Count)
            {
                throw Bad($"storage {MessageText.Quote(storage.Key)}: a tensor {MessageText.Shape(shape)} with strides {MessageText.Shape(strides)} does not fit its {storage.Count} elements");
            }
        }

        if (!isEmpty && last >= storage.Count)
        {
            throw Bad($"storage {MessageText.Quote(storage.Key)}: a tensor begins at element {offset} of {storage.Count}");
        }

        // An empty tensor may claim any offset; it has no first byte.
        return new TorchTensor("", storage.DType, shape, strides, storage.Start + (isEmpty ? 0 : offset * storage.DType.Bytes()));
    }

    private void Collect(object? root)
    {
        if (root is not PickleDict dict)
        {
            throw Bad("data.pkl: expected a dict of tensors");
        }

        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach ((var key, var value) in dict.Items)
        {
            if (key is not string name)
            {
                throw Bad($"data.pkl: expected names as keys, found {MessageText.Quote(Convert.ToString(key, CultureInfo.InvariantCulture) ?? "None")}");
            }

            if (value is not TorchTensor tensor)
            {
                throw Bad($"entry {MessageText.Quote(name)}: expected a tensor; only a flat state dict can be read");
            }

            if (!names.Add(name) || name == "__metadata__")
            {
                throw Bad($"entry {MessageText.Quote(name)} appears twice or has a reserved name");
            }

            _tensors.Add(tensor with { Name = name });
        }
    }

    private BadFileException Bad(string problem) => new(_file.Path, problem);

    private sealed record Storage(DType DType, string Key, long Start, long Count);
}
