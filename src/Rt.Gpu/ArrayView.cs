// Views of memory, with ILGPU's names. On the host a view is an address and a length; in a kernel it is the memory.
namespace Rt.Gpu;

/// <summary>A view of elements in global, shared or local (register) memory. The address space is known at build time.</summary>
/// <remarks>As a kernel argument it is two 64-bit words: address and length in elements.</remarks>
public readonly struct ArrayView<T> where T : unmanaged
{
    /// <param name="address">Device address of the first element.</param>
    /// <param name="length">Number of elements.</param>
    public ArrayView(long address, long length)
    {
        Address = address;
        Length = length;
    }

    /// <summary>Device address of the first element; for the host.</summary>
    public long Address { get; }

    /// <summary>Number of elements.</summary>
    public long Length { get; }

    /// <summary>Number of elements as an int.</summary>
    public int IntLength => (int)Length;

    /// <summary>Element <paramref name="index"/>. In local memory the index must be a constant after unrolling.</summary>
    public ref T this[int index] => throw new KernelOnlyException();

    /// <summary>Element <paramref name="index"/>.</summary>
    public ref T this[long index] => throw new KernelOnlyException();

    /// <summary>The elements from <paramref name="index"/> on.</summary>
    public ArrayView<T> SubView(int index) => throw new KernelOnlyException();

    /// <summary>The elements from <paramref name="index"/> on.</summary>
    public ArrayView<T> SubView(long index) => throw new KernelOnlyException();

    /// <summary>Elements [index, index + length).</summary>
    public ArrayView<T> SubView(int index, int length) => throw new KernelOnlyException();

    /// <summary>Elements [index, index + length).</summary>
    public ArrayView<T> SubView(long index, long length) => throw new KernelOnlyException();

    /// <summary>The same memory as elements of another type; not for local memory. A <see cref="Vec4{T}"/> element moves by one vector
    /// load or store and must be aligned to its size.</summary>
    public ArrayView<TOther> Cast<TOther>() where TOther : unmanaged => throw new KernelOnlyException();
}

/// <summary>Two elements that move by one load or store.</summary>
public struct Vec2<T> where T : unmanaged
{
    /// <summary>Element <paramref name="index"/>, a constant after unrolling.</summary>
    public T this[int index]
    {
        readonly get => throw new KernelOnlyException();
        set => throw new KernelOnlyException();
    }
}

/// <summary>Four elements that move by one load or store (16 bytes at most).</summary>
public struct Vec4<T> where T : unmanaged
{
    /// <summary>Element <paramref name="index"/>, a constant after unrolling.</summary>
    public T this[int index]
    {
        readonly get => throw new KernelOnlyException();
        set => throw new KernelOnlyException();
    }
}

/// <summary>Eight 16-bit elements that move by one load or store of 16 bytes.</summary>
public struct Vec8<T> where T : unmanaged
{
    /// <summary>Element <paramref name="index"/>, a constant after unrolling.</summary>
    public T this[int index]
    {
        readonly get => throw new KernelOnlyException();
        set => throw new KernelOnlyException();
    }
}

/// <summary>Shared memory of a group.</summary>
public static class SharedMemory
{
    /// <summary>A fixed number of elements, aligned to 16 bytes.</summary>
    /// <param name="extent">A constant.</param>
    public static ArrayView<T> Allocate<T>(int extent) where T : unmanaged => throw new KernelOnlyException();

    /// <summary>The dynamic shared memory of the launch, aligned to 128 bytes; every call returns the same memory.</summary>
    public static ArrayView<T> GetDynamic<T>() where T : unmanaged => throw new KernelOnlyException();
}

/// <summary>Memory of one thread, held in registers.</summary>
public static class LocalMemory
{
    /// <summary>Elements without a value until written; indices must be constants after unrolling.</summary>
    /// <param name="extent">A constant.</param>
    public static ArrayView<T> Allocate<T>(int extent) where T : unmanaged => throw new KernelOnlyException();
}

/// <summary>A kernel intrinsic was called on the host.</summary>
public sealed class KernelOnlyException() : InvalidOperationException("this member has a meaning inside kernels only");
