// Memory that tensors view: owned by one device, or mapped from a file.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Rt.Core;

/// <summary>A block of memory on one device. Tensors are views of it; whoever allocated it disposes it.</summary>
public abstract class Storage : IDisposable
{
    /// <summary>Size in bytes.</summary>
    public abstract long ByteLength { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases the memory; called once by <see cref="Dispose()"/> or by a finalizer.</summary>
    protected abstract void Dispose(bool disposing);
}

/// <summary>Memory that the CPU addresses directly, at a fixed address.</summary>
public abstract unsafe class HostStorage : Storage
{
    /// <summary>Address of the first byte; invalid once disposed.</summary>
    public abstract byte* Pointer { get; }
}

/// <summary>Zeroed host memory aligned to 64 bytes, outside the garbage collector's heap.</summary>
/// <remarks>Large blocks come as fresh pages, which cost nothing until touched, in huge pages where the system gives them.</remarks>
public sealed unsafe class HostMemory : HostStorage
{
    private readonly bool _pages;
    private byte* _pointer;

    /// <param name="byteLength">Bytes to allocate; zero is allowed.</param>
    /// <exception cref="DeviceException">The operating system refused the memory.</exception>
    public HostMemory(long byteLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(byteLength);
        ByteLength = byteLength;
        _pages = byteLength >= FreshPages.SmallestBlock && FreshPages.IsSupported;
        try
        {
            _pointer = _pages ? FreshPages.Allocate(Reserved) : (byte*)NativeMemory.AlignedAlloc(checked((nuint)Reserved), 64);
        }
        catch (OutOfMemoryException e)
        {
            throw new DeviceException($"cpu: out of memory, {byteLength:N0} bytes asked", e);
        }

        if (!_pages)
        {
            NativeMemory.Clear(_pointer, (nuint)Reserved);
        }

        GC.AddMemoryPressure(byteLength + 1);
    }

    ~HostMemory() => Dispose(false);

    /// <inheritdoc/>
    public override long ByteLength { get; }

    /// <inheritdoc/>
    public override byte* Pointer => _pointer;

    /// <summary>Whole cache lines, and one to spare, so that a vector load at the end stays inside.</summary>
    private long Reserved => (ByteLength + 127) & ~63L;

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (_pointer == null)
        {
            return;
        }

        if (_pages)
        {
            FreshPages.Free(_pointer, Reserved);
        }
        else
        {
            NativeMemory.AlignedFree(_pointer);
        }

        _pointer = null;
        GC.RemoveMemoryPressure(ByteLength + 1);
    }
}

/// <summary>Typed access to tensors in host memory.</summary>
public static unsafe class HostTensors
{
    /// <summary>Address of the tensor's first element.</summary>
    /// <exception cref="ShapeException">The tensor is not in host memory.</exception>
    public static byte* HostPointer(this in Tensor tensor) =>
        tensor.Storage is HostStorage host
            ? host.Pointer + tensor.Offset * tensor.DType.Bytes()
            : throw new ShapeException($"{tensor} is not in host memory");

    /// <summary>The elements of a contiguous host tensor.</summary>
    /// <exception cref="ShapeException">Not in host memory, not contiguous, or of another element size.</exception>
    public static Span<T> HostSpan<T>(this in Tensor tensor) where T : unmanaged
    {
        if (sizeof(T) != tensor.DType.Bytes() || !tensor.IsContiguous)
        {
            throw new ShapeException($"{tensor} cannot be read as a span of {typeof(T).Name}");
        }

        return new Span<T>(tensor.HostPointer(), checked((int)tensor.Count));
    }

    /// <summary>Allocates a zeroed contiguous host tensor; dispose its <see cref="Tensor.Storage"/>.</summary>
    public static Tensor Allocate(DType type, int dim0, int dim1, int dim2) =>
        new(new HostMemory((long)dim0 * dim1 * dim2 * type.Bytes()), type, 0, dim0, dim1, dim2);

    /// <summary>All elements of a host tensor in row-major order, widened to F64.</summary>
    public static double[] ToArray(this in Tensor tensor)
    {
        var values = new double[tensor.Count];
        var pointer = tensor.HostPointer();
        var next = 0;
        for (var i = 0; i < tensor.Dim0; i++)
        {
            for (var j = 0; j < tensor.Dim1; j++)
            {
                for (var k = 0; k < tensor.Dim2; k++)
                {
                    values[next++] = Load(pointer, i * tensor.Stride0 + j * tensor.Stride1 + k, tensor.DType);
                }
            }
        }

        return values;
    }

    /// <summary>Reads element <paramref name="index"/> behind <paramref name="pointer"/>, widened to F64.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Load(byte* pointer, long index, DType type) => type switch
    {
        DType.F32 => ((float*)pointer)[index],
        DType.F64 => ((double*)pointer)[index],
        DType.F16 => (double)((Half*)pointer)[index],
        DType.BF16 => BitConverter.UInt32BitsToSingle((uint)((ushort*)pointer)[index] << 16),
        _ => throw new ShapeException($"elements of type {type} are not numbers this runtime computes with"),
    };

    /// <summary>Rounds <paramref name="value"/> to <paramref name="type"/> (to nearest, ties to even) and writes it as element <paramref name="index"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* pointer, long index, DType type, double value)
    {
        switch (type)
        {
            case DType.F32: ((float*)pointer)[index] = (float)value; break;
            case DType.F64: ((double*)pointer)[index] = value; break;
            case DType.F16: ((Half*)pointer)[index] = (Half)value; break;
            case DType.BF16: ((ushort*)pointer)[index] = Rounding.ToBFloat16((float)value); break;
            default: throw new ShapeException($"elements of type {type} are not numbers this runtime computes with");
        }
    }
}

/// <summary>Rounding of F32 values to the half-precision types.</summary>
public static class Rounding
{
    /// <summary>The BF16 nearest to <paramref name="value"/>, ties to even, as its 16 bits; NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ushort ToBFloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value)
            ? (ushort)((bits >> 16) | 0x40)
            : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary><paramref name="value"/> rounded to <paramref name="type"/> and widened again.</summary>
    /// <remarks>The half-precision types are reached through F32, as arithmetic in them is done everywhere: in F32, then rounded.</remarks>
    /// <exception cref="ShapeException">The type is not F16, BF16, F32 or F64.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double To(DType type, double value) => type switch
    {
        DType.F64 => value,
        DType.F32 => (float)value,
        DType.F16 => (double)(Half)(float)value,
        DType.BF16 => BitConverter.UInt32BitsToSingle((uint)ToBFloat16((float)value) << 16),
        _ => throw new ShapeException($"cannot round to {type}"),
    };
}
