// Writes safetensors files: sorted and aligned as huggingface/safetensors does (tensor.rs, prepare), replaced atomically.
using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using Rt.Core;

namespace Rt.Formats;

/// <summary>Collects tensors and metadata, then writes them as one safetensors file.</summary>
/// <remarks>Data is asked for only while the file is written, one tensor at a time, so large tensors are never copied whole.
/// Tensors are ordered by falling alignment of their type, then by name; the header is padded with spaces to a multiple of 8.
/// The same input gives the same bytes.</remarks>
public sealed class SafetensorsWriter
{
    private readonly Dictionary<string, Source> _tensors = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, string> _metadata = new(StringComparer.Ordinal);

    /// <summary>Sets a string under <c>__metadata__</c>.</summary>
    public void SetMetadata(string key, string value) => _metadata[key] = value;

    /// <summary>Adds a tensor whose bytes <paramref name="write"/> puts on a stream, row-major and little endian.</summary>
    /// <param name="name">Unique; not <c>__metadata__</c>.</param>
    /// <param name="type">Element type.</param>
    /// <param name="shape">Sizes, slowest axis first; copied.</param>
    /// <param name="write">Called once per <see cref="Write"/>; must write exactly the tensor's size.</param>
    /// <exception cref="ArgumentException">The name is taken, or the shape does not make whole bytes.</exception>
    public void Add(string name, DType type, ReadOnlySpan<long> shape, Action<Stream> write)
    {
        var count = 1L;
        foreach (var size in shape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(size, nameof(shape));
            count = checked(count * size);
        }

        var bits = checked(count * type.Bits());
        if (name == "__metadata__" || bits % 8 != 0 || !_tensors.TryAdd(name, new Source(type, shape.ToArray(), bits / 8, write)))
        {
            throw new ArgumentException($"tensor {MessageText.Quote(name)} {type}{MessageText.Shape(shape)} is reserved, there already or not of whole bytes");
        }
    }

    /// <summary>Adds a tensor whose elements lie in <paramref name="data"/>, which must stay unchanged until the file is written.</summary>
    /// <exception cref="ArgumentException">The element size or count does not fit the type and shape, or the name is taken.</exception>
    public void Add<T>(string name, DType type, ReadOnlySpan<long> shape, ReadOnlyMemory<T> data) where T : unmanaged =>
        Add(name, type, shape, stream => stream.Write(MemoryMarshal.AsBytes(data.Span)));

    /// <summary>Adds a tensor in host memory, strided or not; its memory must live until the file is written.</summary>
    /// <param name="name">Unique.</param>
    /// <param name="tensor">In host memory.</param>
    /// <param name="shape">Shape to record, of the same element count; [Dim0, Dim1, Dim2] when empty.</param>
    /// <exception cref="ArgumentException">The counts differ or the name is taken.</exception>
    public void Add(string name, Tensor tensor, params ReadOnlySpan<long> shape)
    {
        long[] sizes = shape.IsEmpty ? [tensor.Dim0, tensor.Dim1, tensor.Dim2] : shape.ToArray();
        Add(name, tensor.DType, sizes, stream => WriteRows(tensor, stream));
        if (_tensors[name].ByteLength != tensor.Count * tensor.DType.Bytes())
        {
            _tensors.Remove(name);
            throw new ArgumentException($"tensor {MessageText.Quote(name)}: {tensor} does not have the shape {MessageText.Shape(sizes)}");
        }
    }

    /// <summary>Writes the file: to a temporary one beside <paramref name="path"/>, flushed to the disk, then renamed.</summary>
    /// <exception cref="BadFileException">The file cannot be written, or its header would be longer than readers accept.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; nothing is left behind.</exception>
    /// <exception cref="InvalidOperationException">A source wrote more or fewer bytes than its tensor has.</exception>
    public void Write(string path, CancellationToken cancellation = default)
    {
        var ordered = _tensors
            .OrderByDescending(pair => pair.Value.Type.Bits())
            .ThenBy(pair => pair.Key, StringComparer.Ordinal)
            .ToArray();
        var header = Header(ordered);
        if (header.Length > SafetensorsHeader.MaxLength || ordered.Length > SafetensorsHeader.MaxTensors)
        {
            throw new BadFileException(path, $"{ordered.Length} tensors need a header of {header.Length} bytes, more than readers accept");
        }

        AtomicFile.Write(path, file =>
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
            file.Write(length);
            file.Write(header.Span);
            foreach ((var name, var source) in ordered)
            {
                cancellation.ThrowIfCancellationRequested();
                using var limited = new TensorStream(file, name, source.ByteLength, cancellation);
                source.Write(limited);
                limited.CheckComplete();
            }

            cancellation.ThrowIfCancellationRequested();
        });
    }

    private ReadOnlyMemory<byte> Header(KeyValuePair<string, Source>[] ordered)
    {
        var buffer = new ArrayBufferWriter<byte>(256 + 128 * ordered.Length);
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (_metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__"u8);
                foreach ((var key, var value) in _metadata)
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            var offset = 0L;
            foreach ((var name, var source) in ordered)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype"u8, source.Type.ToString());
                json.WriteStartArray("shape"u8);
                foreach (var size in source.Shape)
                {
                    json.WriteNumberValue(size);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets"u8);
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset = checked(offset + source.ByteLength));
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        var padding = -buffer.WrittenCount & 7;
        buffer.GetSpan(8)[..padding].Fill((byte)' ');
        buffer.Advance(padding);
        return buffer.WrittenMemory;
    }

    private static unsafe void WriteRows(Tensor tensor, Stream stream)
    {
        var bytes = tensor.DType.Bytes();
        var first = tensor.HostPointer();
        // A contiguous tensor is one long row.
        var (outer, inner, row) = tensor.IsContiguous ? (1, 1, tensor.Count * bytes) : (tensor.Dim0, tensor.Dim1, (long)tensor.Dim2 * bytes);
        for (var i = 0; i < outer; i++)
        {
            for (var j = 0; j < inner; j++)
            {
                var start = first + (i * tensor.Stride0 + j * tensor.Stride1) * bytes;
                for (var done = 0L; done < row; done += int.MaxValue)
                {
                    stream.Write(new ReadOnlySpan<byte>(start + done, (int)Math.Min(int.MaxValue, row - done)));
                }
            }
        }

        GC.KeepAlive(tensor.Storage);
    }

    private readonly record struct Source(DType Type, long[] Shape, long ByteLength, Action<Stream> Write);

    // Lets exactly the tensor's bytes through, in pieces small enough to notice a cancellation.
    private sealed class TensorStream(Stream file, string name, long length, CancellationToken cancellation) : Stream
    {
        private const int Piece = 1 << 24;
        private long _written;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => length;

        public override long Position
        {
            get => _written;
            set => throw new NotSupportedException();
        }

        public void CheckComplete()
        {
            if (_written != length)
            {
                throw new InvalidOperationException($"tensor {MessageText.Quote(name)}: {_written} bytes written, expected {length}");
            }
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (buffer.Length > length - _written)
            {
                throw new InvalidOperationException($"tensor {MessageText.Quote(name)}: more than {length} bytes written");
            }

            while (!buffer.IsEmpty)
            {
                cancellation.ThrowIfCancellationRequested();
                var piece = buffer[..Math.Min(buffer.Length, Piece)];
                file.Write(piece);
                _written += piece.Length;
                buffer = buffer[piece.Length..];
            }
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
