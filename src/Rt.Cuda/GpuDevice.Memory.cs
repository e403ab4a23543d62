// Memory of the GPU device: tensors, weights copied from host memory, values in and out, lists of row indices.
// Conversions happen on the host and round to nearest even.
using System.Numerics;
using System.Runtime.InteropServices;
using Rt.Core;

namespace Rt.Cuda;

public sealed unsafe partial class GpuDevice
{
    // Elements converted at once; the host's copy of longer tensors stays bounded.
    private const int LongestRun = 1 << 22;

    // An op may ask for several lists: none is so long that the next ones would need its place.
    private const int SmallestShare = 8;

    private readonly List<GpuStorage> _imported = [];
    private readonly List<GpuStorage> _indexStorages = [];
    private byte[] _staging = new byte[4096];
    private int[] _indices = [];
    private int _indicesUsed;
    private bool _disposed;

    /// <inheritdoc/>
    public Tensor Allocate(DType type, int dim0, int dim1, int dim2)
    {
        var storage = NewStorage(Math.Max(1, (long)dim0 * dim1 * dim2) * type.Bytes());
        ClearBytes(storage.Address, storage.ByteLength);
        return new Tensor(storage, type, 0, dim0, dim1, dim2);
    }

    /// <inheritdoc/>
    /// <remarks>F32, F16 and BF16 are copied as they are; F64 is rounded to F32. The device owns the copy.</remarks>
    public Tensor Import(Tensor host)
    {
        if (host.DType is not (DType.F32 or DType.F16 or DType.BF16 or DType.F64) || host.Storage is not HostStorage)
        {
            throw new ShapeException($"Import: the {Name} device does not compute with {host}");
        }

        var type = host.DType == DType.F64 ? DType.F32 : host.DType;
        var storage = NewStorage(Math.Max(1, host.Count) * type.Bytes());
        _imported.Add(storage);
        var copy = new Tensor(storage, type, 0, host.Dim0, host.Dim1, host.Dim2);
        if (type != host.DType)
        {
            Upload(host.ToArray(), copy);
            return copy;
        }

        var source = host.HostPointer();
        var elementBytes = type.Bytes();
        if (host.IsContiguous)
        {
            UploadBytes(source, storage.Address, host.Count * elementBytes);
            return copy;
        }

        var rowBytes = (long)host.Dim2 * elementBytes;
        var address = storage.Address;
        for (var i = 0; i < host.Dim0; i++)
        {
            for (var j = 0; j < host.Dim1; j++)
            {
                UploadBytes(source + (i * host.Stride0 + j * host.Stride1) * elementBytes, address, rowBytes);
                address += rowBytes;
            }
        }

        return copy;
    }

    /// <inheritdoc/>
    public void Upload(ReadOnlySpan<double> source, Tensor destination)
    {
        Guard.Length(source.Length, destination);
        var elementBytes = destination.DType.Bytes();
        var address = Memory(destination).Address;
        for (var done = 0; done < source.Length;)
        {
            var (offset, length) = Run(destination, done);
            var bytes = Staging((long)length * elementBytes);
            fixed (byte* pointer = bytes)
            {
                for (var k = 0; k < length; k++)
                {
                    HostTensors.Store(pointer, k, destination.DType, source[done + k]);
                }
            }

            Send(bytes, address + offset * elementBytes);
            done += length;
        }
    }

    /// <inheritdoc/>
    public void Download(Tensor source, Span<float> destination) => DownloadAs(source, destination);

    /// <inheritdoc/>
    public void Download(Tensor source, Span<double> destination) => DownloadAs(source, destination);

    /// <summary>Writes elements as they are into a contiguous tensor with elements of that size.</summary>
    internal void UploadRaw<T>(ReadOnlySpan<T> source, in Tensor destination) where T : unmanaged
    {
        CheckRaw<T>(source.Length, destination);
        Send(MemoryMarshal.AsBytes(source), Memory(destination).Address + destination.Offset * sizeof(T));
    }

    /// <summary>Reads elements as they are from a contiguous tensor with elements of that size.</summary>
    internal void DownloadRaw<T>(in Tensor source, Span<T> destination) where T : unmanaged
    {
        CheckRaw<T>(destination.Length, source);
        _recorder.Flush();
        _launcher.Download(Memory(source).Address + source.Offset * sizeof(T), MemoryMarshal.AsBytes(destination));
    }

    /// <summary>Indices as an I32 vector on the device, valid for the launches of the op that asks.</summary>
    /// <remarks>Every call has its own place until the launches that read it are on their way. Indices that are already there are not sent
    /// again, so that a repeated step sends none.</remarks>
    internal Tensor Indices(ReadOnlySpan<int> indices)
    {
        if (_indexStorages.Count == 0 || _indicesUsed + indices.Length > _indices.Length)
        {
            if (_indexStorages.Count == 0 || SmallestShare * indices.Length > _indices.Length)
            {
                // The old place stays as it is: deferred launches may read it.
                _indices = new int[Math.Max(1 << 14, 2 * SmallestShare * indices.Length)];
                _indexStorages.Add(NewStorage(4L * _indices.Length));
                _launcher.Clear(_indexStorages[^1].Address, 4L * _indices.Length);
            }
            else
            {
                _recorder.Flush();
            }

            _indicesUsed = 0;
        }

        var storage = _indexStorages[^1];
        var tensor = new Tensor(storage, DType.I32, _indicesUsed, 1, 1, indices.Length);
        var known = _indices.AsSpan(_indicesUsed, indices.Length);
        if (!known.SequenceEqual(indices))
        {
            indices.CopyTo(known);
            _launcher.Upload(MemoryMarshal.AsBytes(indices), storage.Address + 4L * _indicesUsed);
        }

        _indicesUsed += indices.Length;
        return tensor;
    }

    /// <summary>Copies bytes on the device.</summary>
    internal void CopyBytes(long source, long destination, long bytes)
    {
        if (_recorder.IsRecording)
        {
            _recorder.Copy(source, destination, bytes);
        }
        else
        {
            _launcher.Copy(source, destination, bytes);
        }
    }

    /// <summary>Says that contents are undefined.</summary>
    internal void ForgetBytes(long address, long bytes)
    {
        if (_recorder.IsRecording)
        {
            _recorder.Forget(address, bytes);
        }
        else
        {
            _launcher.Forget(address, bytes);
        }
    }

    /// <summary>Writes zeros.</summary>
    internal void ClearBytes(long address, long bytes)
    {
        if (_recorder.IsRecording)
        {
            _recorder.Clear(address, bytes);
        }
        else
        {
            _launcher.Clear(address, bytes);
        }
    }

    /// <summary>The memory behind a tensor.</summary>
    /// <exception cref="ShapeException">It is not in this device's memory.</exception>
    internal GpuStorage Memory(in Tensor tensor) =>
        tensor.Storage is GpuStorage storage && storage.IsOf(this)
            ? storage
            : throw new ShapeException($"{tensor} is not in the memory of this {Name} device");

    /// <summary>Memory with undefined contents.</summary>
    internal GpuStorage NewStorage(long bytes) => new(this, _launcher.Allocate(bytes), bytes);

    /// <summary>Gives memory back; storages that outlive the device find theirs gone with it.</summary>
    internal void Release(long address)
    {
        if (!_disposed)
        {
            // Deferred launches may still use it.
            _recorder.Flush();
            _launcher.Free(address);
        }
    }

    private void ReleaseMemory()
    {
        foreach (var storage in _imported)
        {
            storage.Dispose();
        }

        foreach (var storage in _indexStorages)
        {
            storage.Dispose();
        }

        _batch.Release();
        _disposed = true;
    }

    private void UploadBytes(byte* source, long address, long bytes)
    {
        const int Piece = 1 << 30;
        for (long done = 0; done < bytes; done += Piece)
        {
            Send(new ReadOnlySpan<byte>(source + done, (int)Math.Min(Piece, bytes - done)), address + done);
        }
    }

    /// <summary>Writes host bytes after everything asked for so far.</summary>
    private void Send(ReadOnlySpan<byte> source, long address)
    {
        _recorder.Flush();
        _launcher.Upload(source, address);
    }

    /// <summary>Reads the run of elements that begins at element <paramref name="done"/>.</summary>
    private ReadOnlySpan<byte> Receive(in Tensor source, int done, out int length)
    {
        var elementBytes = source.DType.Bytes();
        (var offset, length) = Run(source, done);
        var bytes = Staging((long)length * elementBytes);
        _recorder.Flush();
        _launcher.Download(Memory(source).Address + offset * elementBytes, bytes);
        return bytes;
    }

    /// <summary>The adjacent elements from element <paramref name="done"/> on, counted in row-major order: a row, or many where rows adjoin.</summary>
    private static (long Offset, int Length) Run(in Tensor tensor, int done)
    {
        if (tensor.IsContiguous)
        {
            return (tensor.Offset + done, (int)Math.Min(LongestRun, tensor.Count - done));
        }

        var row = done / tensor.Dim2;
        return (tensor.Offset + row / tensor.Dim1 * tensor.Stride0 + row % tensor.Dim1 * tensor.Stride1, tensor.Dim2);
    }

    private Span<byte> Staging(long bytes)
    {
        if (_staging.Length < bytes)
        {
            _staging = new byte[checked((int)Math.Max(bytes, Math.Min(2L * _staging.Length, Array.MaxLength)))];
        }

        return _staging.AsSpan(0, (int)bytes);
    }

    private void DownloadAs<T>(Tensor source, Span<T> destination) where T : IFloatingPoint<T>
    {
        Guard.Length(destination.Length, source);
        for (var done = 0; done < destination.Length;)
        {
            var bytes = Receive(source, done, out var length);
            fixed (byte* pointer = bytes)
            {
                for (var k = 0; k < length; k++)
                {
                    destination[done + k] = T.CreateTruncating(HostTensors.Load(pointer, k, source.DType));
                }
            }

            done += length;
        }
    }

    private static void CheckRaw<T>(int length, in Tensor tensor) where T : unmanaged
    {
        if (length != tensor.Count || sizeof(T) != tensor.DType.Bytes() || !tensor.IsContiguous)
        {
            throw new ShapeException($"{length} elements of {typeof(T).Name} do not fit {tensor}");
        }
    }
}
