// Learned position embeddings, added to the residual stream.
// Source: none needed.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>destination[r] += table[position of r + offset].</summary>
public static class AddPositions
{
    /// <summary>One row of the table per row of the batch.</summary>
    /// <param name="positions">[rows].</param>
    /// <param name="table">[positions, width].</param>
    /// <param name="tableStride">Elements from one row of the table to the next.</param>
    /// <param name="offset">Added to positions.</param>
    /// <param name="destination">[rows, width], added to.</param>
    /// <param name="stride">Elements from one row of the destination to the next.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="width">Width.</param>
    /// <param name="aligned">Whether whole chunks may be moved at once.</param>
    /// <remarks>Grid: x = width over 256 chunks of 16 bytes of the wider type, y = rows (with a stride). Group 256. No shared memory.
    /// Reads one table row and one row, writes one row; one FLOP per element.</remarks>
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
    internal static void AddPositionsKernel<TA, TWeight>(
        [ReadOnlyView] ArrayView<int> positions, [ReadOnlyView] ArrayView<TWeight> table, long tableStride, int offset,
        ArrayView<TA> destination, long stride, int rows, int width, bool aligned)
        where TA : unmanaged
        where TWeight : unmanaged
    {
        var count = XMath.Min(Vectors.Chunk<TA>(), Vectors.Chunk<TWeight>());
        var first = (Grid.IdxX * Group.DimX + Group.IdxX) * count;
        if (first < width)
        {
            for (var row = Grid.IdxY; row < rows; row += Grid.DimY)
            {
                var values = LocalMemory.Allocate<float>(8);
                var added = LocalMemory.Allocate<float>(8);
                var target = destination.SubView(row * stride);
                Vectors.Load(table.SubView((positions[row] + offset) * tableStride), first, width, aligned, added, 0, count);
                Vectors.Load(target, first, width, aligned, values, 0, count);
                for (var i = 0; i < count; i++)
                {
                    values[i] = values[i] + added[i];
                }

                Vectors.Store(target, first, width, aligned, values, 0, count);
            }
        }
    }

    /// <summary>Work of one launch.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="width">Width.</param>
    /// <param name="activationBytes">Bytes of an activation.</param>
    /// <param name="weightBytes">Bytes of a table element.</param>
    public static KernelCost Cost(int rows, int width, int activationBytes, int weightBytes) =>
        new((long)rows * (width * (weightBytes + activationBytes) + 4), (long)rows * width * activationBytes, (long)rows * width);
}
