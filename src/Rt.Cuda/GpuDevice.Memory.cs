// Memory of the GPU device: tensors, weights copied from host memory, values in and out, lists of row indices.
// Conversions happen on the host and round to nearest even.
using System.Runtime.InteropServices;
using Rt.Core;

namespace Rt.Cuda;

public sealed unsafe partial class GpuDevice
{
    private readonly List<GpuStorage> _imported = [];
    private readonly List<int> _indices = [];
    private byte[] _staging = new byte[4096];
    private GpuStorage? _indexStorage;
    private bool _disposed;

    /// <inheritdoc/>
    public Tensor Allocate(DType type, int dim0, int dim1, int dim2)
    {
        var storage = NewStorage(Math.Max(1, (long)dim0 * dim1 * dim2) * type.Bytes());
        _launcher.Clear(storage.Address, storage.ByteLength);
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
        CheckLength(source.Length, destination);
        var (runs, runLength) = Runs(destination);
        var elementBytes = destination.DType.Bytes();
        var address = Memory(destination).Address;
        var bytes = Staging((long)runLength * elementBytes);
        for (var run = 0; run < runs; run++)
        {
            fixed (byte* pointer = bytes)
            {
                for (var k = 0; k < runLength; k++)
                {
                    HostTensors.Store(pointer, k, destination.DType, source[run * runLength + k]);
                }
            }

            _launcher.Upload(bytes, address + RunOffset(destination, run, runLength) * elementBytes);
        }
    }

    /// <inheritdoc/>
    public void Download(Tensor source, Span<float> destination)
    {
        CheckLength(destination.Length, source);
        var (runs, runLength) = Runs(source);
        for (var run = 0; run < runs; run++)
        {
            fixed (byte* pointer = DownloadRun(source, run, runLength))
            {
                for (var k = 0; k < runLength; k++)
                {
                    destination[run * runLength + k] = (float)HostTensors.Load(pointer, k, source.DType);
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Download(Tensor source, Span<double> destination)
    {
        CheckLength(destination.Length, source);
        var (runs, runLength) = Runs(source);
        for (var run = 0; run < runs; run++)
        {
            fixed (byte* pointer = DownloadRun(source, run, runLength))
            {
                for (var k = 0; k < runLength; k++)
                {
                    destination[run * runLength + k] = HostTensors.Load(pointer, k, source.DType);
                }
            }
        }
    }

    /// <summary>Writes elements as they are into a contiguous tensor with elements of that size.</summary>
    internal void UploadRaw<T>(ReadOnlySpan<T> source, in Tensor destination) where T : unmanaged
    {
        CheckRaw<T>(source.Length, destination);
        _launcher.Upload(MemoryMarshal.AsBytes(source), Memory(destination).Address + destination.Offset * sizeof(T));
    }

    /// <summary>Reads elements as they are from a contiguous tensor with elements of that size.</summary>
    internal void DownloadRaw<T>(in Tensor source, Span<T> destination) where T : unmanaged
    {
        CheckRaw<T>(destination.Length, source);
        _launcher.Download(Memory(source).Address + source.Offset * sizeof(T), MemoryMarshal.AsBytes(destination));
    }

    /// <summary>Row indices as an I32 vector on the device, valid for the launches of the op that asks.</summary>
    internal Tensor Indices(ReadOnlySpan<int> indices)
    {
        if (_indexStorage is null || _indexStorage.ByteLength < 4L * indices.Length)
        {
            _indexStorage?.Dispose();
            _indexStorage = NewStorage(Math.Max(4096, 8L * indices.Length));
        }

        var tensor = new Tensor(_indexStorage, DType.I32, 0, 1, 1, indices.Length);
        UploadRaw(indices, tensor);
        return tensor;
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
            _launcher.Free(address);
        }
    }

    private void ReleaseMemory()
    {
        foreach (var storage in _imported)
        {
            storage.Dispose();
        }

        _imported.Clear();
        _indexStorage?.Dispose();
        _disposed = true;
    }

    private void UploadBytes(byte* source, long address, long bytes)
    {
        const int Piece = 1 << 30;
        for (long done = 0; done < bytes; done += Piece)
        {
            _launcher.Upload(new ReadOnlySpan<byte>(source + done, (int)Math.Min(Piece, bytes - done)), address + done);
        }
    }

    private ReadOnlySpan<byte> DownloadRun(in Tensor source, int run, int runLength)
    {
        var elementBytes = source.DType.Bytes();
        var bytes = Staging((long)runLength * elementBytes);
        _launcher.Download(Memory(source).Address + RunOffset(source, run, runLength) * elementBytes, bytes);
        return bytes;
    }

    /// <summary>How many runs of adjacent elements a tensor has, and how long they are.</summary>
    private static (int Count, int Length) Runs(in Tensor tensor) =>
        tensor.Count == 0 ? (0, 0)
        : tensor.IsContiguous ? (1, checked((int)tensor.Count))
        : (tensor.Dim0 * tensor.Dim1, tensor.Dim2);

    private static long RunOffset(in Tensor tensor, int run, int runLength) => runLength == tensor.Count
        ? tensor.Offset
        : tensor.Offset + run / tensor.Dim1 * tensor.Stride0 + run % tensor.Dim1 * tensor.Stride1;

    private Span<byte> Staging(long bytes)
    {
        if (_staging.Length < bytes)
        {
            _staging = new byte[checked((int)Math.Max(bytes, Math.Min(2L * _staging.Length, Array.MaxLength)))];
        }

        return _staging.AsSpan(0, (int)bytes);
    }

    private static void CheckLength(int length, in Tensor tensor)
    {
        if (length != tensor.Count)
        {
            throw new ShapeException($"{length} host values do not fit {tensor}");
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
