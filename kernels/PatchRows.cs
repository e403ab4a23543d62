// Vectors written into chosen rows, or added to them.
// Source: task vectors, arXiv:2310.15916, section 3.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>x[rowIndices[i]] = scale * vector i, or added to it.</summary>
public static class PatchRows
{
    /// <summary>One vector per chosen row; no row is chosen twice in a launch.</summary>
    /// <remarks>Grid: x = width over 256 chunks of 16 bytes, y = chosen rows (with a stride). Group 256. No shared memory.
    /// Reads a vector (and a row where added), writes a row; one or two FLOPs per element.</remarks>
    [Kernel(Elementwise.GroupSize)]
    [Instance(typeof(float))]
    [Instance(typeof(BFloat16))]
    [Instance(typeof(Half))]
    internal static void PatchRowsKernel<TA>(
        ArrayView<TA> x, long xStride0, long xStride1, int xInner, [ReadOnlyView] ArrayView<int> rowIndices,
        ArrayView<TA> vectors, long stride0, long stride1, int inner, int rows, int width, float scale, bool add, bool aligned)
        where TA : unmanaged
    {
        var count = Vectors.Chunk<TA>();
        var first = (Grid.IdxX * Group.DimX + Group.IdxX) * count;
        if (first < width)
        {
            for (var row = Grid.IdxY; row < rows; row += Grid.DimY)
            {
                var values = LocalMemory.Allocate<float>(8);
                var old = LocalMemory.Allocate<float>(8);
                var target = x.SubView(Vectors.RowStart(rowIndices[row], xInner, xStride0, xStride1));
                Vectors.Load(vectors.SubView(Vectors.RowStart(row, inner, stride0, stride1)), first, width, aligned, values, 0, count);
                for (var i = 0; i < count; i++)
                {
                    values[i] = scale * values[i];
                }

                if (add)
                {
                    Vectors.Load(target, first, width, aligned, old, 0, count);
                    for (var i = 0; i < count; i++)
                    {
                        values[i] = old[i] + values[i];
                    }
                }

                Vectors.Store(target, first, width, aligned, values, 0, count);
            }
        }
    }

    /// <summary>Work of one launch.</summary>
    /// <param name="rows">Chosen rows.</param>
    /// <param name="width">Width.</param>
    /// <param name="elementBytes">Bytes of an activation.</param>
    /// <param name="add">Added rather than replaced.</param>
    public static KernelCost Cost(int rows, int width, int elementBytes, bool add) =>
        new((long)rows * width * elementBytes * (add ? 2 : 1), (long)rows * width * elementBytes, (long)rows * width * (add ? 2 : 1));
}
