// Copies of tensors, from any dtype to any other.
// Source: none needed.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>destination = source, converted.</summary>
public static class Copy
{
    /// <summary>destination [a, b, width] = source, row by row, rounded to nearest even.</summary>
    /// <remarks>Grid: x = width over 256 chunks of 16 bytes of the wider type, y = rows (with a stride). Group 256. No shared memory.
    /// Reads and writes each element once; no FLOPs.</remarks>
    [Kernel(Elementwise.GroupSize)]
    [Instance(typeof(float), typeof(float))]
    [Instance(typeof(float), typeof(BFloat16))]
    [Instance(typeof(float), typeof(Half))]
    [Instance(typeof(BFloat16), typeof(float))]
    [Instance(typeof(BFloat16), typeof(BFloat16))]
    [Instance(typeof(BFloat16), typeof(Half))]
    [Instance(typeof(Half), typeof(float))]
    [Instance(typeof(Half), typeof(BFloat16))]
    [Instance(typeof(Half), typeof(Half))]
    internal static void CopyKernel<TSource, TDestination>(
        ArrayView<TSource> source, long sourceStride0, long sourceStride1,
        ArrayView<TDestination> destination, long stride0, long stride1, int inner, int rows, int width, bool aligned)
        where TSource : unmanaged
        where TDestination : unmanaged
    {
        var count = XMath.Min(Vectors.Chunk<TSource>(), Vectors.Chunk<TDestination>());
        var first = (Grid.IdxX * Group.DimX + Group.IdxX) * count;
        if (first < width)
        {
            for (var row = Grid.IdxY; row < rows; row += Grid.DimY)
            {
                var values = LocalMemory.Allocate<float>(8);
                Vectors.Load(
                    source.SubView(Vectors.RowStart(row, inner, sourceStride0, sourceStride1)), first, width, aligned, values, 0, count);
                Vectors.Store(
                    destination.SubView(Vectors.RowStart(row, inner, stride0, stride1)), first, width, aligned, values, 0, count);
            }
        }
    }

    /// <summary>Work of one launch.</summary>
    /// <param name="elements">Rows x width.</param>
    /// <param name="sourceBytes">Bytes of a source element.</param>
    /// <param name="destinationBytes">Bytes of a destination element.</param>
    public static KernelCost Cost(long elements, int sourceBytes, int destinationBytes) =>
        new(elements * sourceBytes, elements * destinationBytes, 0);
}
