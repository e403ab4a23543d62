// Chosen rows of a matrix, in any order.
// Source: none needed.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>destination[i] = x[rowIndices[i]].</summary>
public static class GatherRows
{
    /// <summary>Moves bits; x [a, b, width] with its first two axes taken together.</summary>
    /// <remarks>Grid: x = width over 256 chunks of 16 bytes, y = destination rows (with a stride). Group 256. No shared memory.
    /// Reads and writes each element once; no FLOPs.</remarks>
    [Kernel(Elementwise.GroupSize)]
    [Instance(typeof(float))]
    [Instance(typeof(BFloat16))]
    [Instance(typeof(Half))]
    internal static void GatherRowsKernel<TA>(
        ArrayView<TA> x, long xStride0, long xStride1, int xInner, [ReadOnlyView] ArrayView<int> rowIndices,
        ArrayView<TA> destination, long stride0, long stride1, int inner, int rows, int width, bool aligned)
        where TA : unmanaged
    {
        var count = Vectors.Chunk<TA>();
        var first = (Grid.IdxX * Group.DimX + Group.IdxX) * count;
        if (first < width)
        {
            for (var row = Grid.IdxY; row < rows; row += Grid.DimY)
            {
                var values = LocalMemory.Allocate<float>(8);
                var source = x.SubView(Vectors.RowStart(rowIndices[row], xInner, xStride0, xStride1));
                Vectors.Load(source, first, width, aligned, values, 0, count);
                Vectors.Store(
                    destination.SubView(Vectors.RowStart(row, inner, stride0, stride1)), first, width, aligned, values, 0, count);
            }
        }
    }

    /// <summary>Work of one launch.</summary>
    /// <param name="rows">Rows taken.</param>
    /// <param name="width">Width.</param>
    /// <param name="elementBytes">Bytes of an activation.</param>
    public static KernelCost Cost(int rows, int width, int elementBytes) =>
        new((long)rows * (width * elementBytes + 4), (long)rows * width * elementBytes, 0);
}
