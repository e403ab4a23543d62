// The index of the largest element of each row, the first on ties.
// Source: none needed.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>Index of the largest element per row, in two stages.</summary>
public static class ArgMax
{
    /// <summary>Threads per group of the first stage.</summary>
    public const int GroupSize = 256;

    /// <summary>Threads per group of the second stage: one warp per row.</summary>
    public const int PartsGroupSize = 32;

    /// <summary>The largest of one part of a row; NaN is never the largest.</summary>
    /// <param name="x">[a, b, width], its first two axes taken together.</param>
    /// <param name="stride0">Elements from one index of axis 0 to the next.</param>
    /// <param name="stride1">Elements from one index of axis 1 to the next.</param>
    /// <param name="inner">Size of axis 1.</param>
    /// <param name="width">Width.</param>
    /// <param name="partWidth">Columns of a part; a multiple of 8.</param>
    /// <param name="values">[rows, parts]: receives the largest.</param>
    /// <param name="indices">[rows, parts]: receives its index; the largest int where the part has none.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="aligned">Whether whole chunks may be read at once.</param>
    /// <remarks>Grid: x = parts, y = rows (with a stride). Group 256. Shared 256 bytes. Reads each element once; a comparison each.</remarks>
    [Kernel(GroupSize, MinGroups = 4)]
    [Instance(typeof(float))]
    [Instance(typeof(BFloat16))]
    [Instance(typeof(Half))]
    internal static void ArgMaxKernel<TA>(
        ArrayView<TA> x, long stride0, long stride1, int inner, int width, int partWidth, ArrayView<float> values, ArrayView<int> indices,
        int rows, bool aligned)
        where TA : unmanaged
    {
        var warpValues = SharedMemory.Allocate<float>(32);
        var warpIndices = SharedMemory.Allocate<int>(32);
        var count = Vectors.Chunk<TA>();
        var end = XMath.Min(width, (Grid.IdxX + 1) * partWidth);
        for (var row = Grid.IdxY; row < rows; row += Grid.DimY)
        {
            var line = x.SubView(Vectors.RowStart(row, inner, stride0, stride1));
            var best = float.NegativeInfinity;
            var index = int.MaxValue;
            for (var first = Grid.IdxX * partWidth + Group.IdxX * count; first < end; first += GroupSize * count)
            {
                var chunk = LocalMemory.Allocate<float>(Vectors.Chunk<TA>());
                Vectors.Load(line, first, end, aligned, chunk, 0, count);
                for (var i = 0; i < count; i++)
                {
                    if (first + i < end && IsBetter(chunk[i], first + i, best, index))
                    {
                        best = chunk[i];
                        index = first + i;
                    }
                }
            }

            Reduce(ref best, ref index);
            if (Warp.LaneIdx == 0)
            {
                warpValues[Warp.WarpIdx] = best;
                warpIndices[Warp.WarpIdx] = index;
            }

            Group.Barrier();
            if (Warp.WarpIdx == 0)
            {
                var has = Warp.LaneIdx < GroupSize / Warp.WarpSize;
                best = has ? warpValues[Warp.LaneIdx] : float.NegativeInfinity;
                index = has ? warpIndices[Warp.LaneIdx] : int.MaxValue;
                Reduce(ref best, ref index);
                if (Warp.LaneIdx == 0)
                {
                    values[row * Grid.DimX + Grid.IdxX] = best;
                    indices[row * Grid.DimX + Grid.IdxX] = index;
                }
            }

            Group.Barrier();
        }
    }

    /// <summary>The largest of the parts of one row; 0 where the row begins with NaN or has nothing else, as a scan from the first element gives.</summary>
    /// <param name="x">As in the first stage.</param>
    /// <param name="stride0">As in the first stage.</param>
    /// <param name="stride1">As in the first stage.</param>
    /// <param name="inner">As in the first stage.</param>
    /// <param name="values">[rows, parts].</param>
    /// <param name="partIndices">[rows, parts].</param>
    /// <param name="parts">Parts.</param>
    /// <param name="indices">[rows]: receives the index.</param>
    /// <remarks>Grid: rows. Group 32. No shared memory. Reads 8 bytes per part, writes 4 bytes.</remarks>
    [Kernel(PartsGroupSize)]
    [Instance(typeof(float))]
    [Instance(typeof(BFloat16))]
    [Instance(typeof(Half))]
    internal static void ArgMaxPartsKernel<TA>(
        ArrayView<TA> x, long stride0, long stride1, int inner, [ReadOnlyView] ArrayView<float> values,
        [ReadOnlyView] ArrayView<int> partIndices, int parts, ArrayView<int> indices)
        where TA : unmanaged
    {
        var row = Grid.IdxX;
        var best = float.NegativeInfinity;
        var index = int.MaxValue;
        for (var part = Warp.LaneIdx; part < parts; part += Warp.WarpSize)
        {
            if (IsBetter(values[row * parts + part], partIndices[row * parts + part], best, index))
            {
                best = values[row * parts + part];
                index = partIndices[row * parts + part];
            }
        }

        Reduce(ref best, ref index);
        var first = Element.ToFloat(x[Vectors.RowStart(row, inner, stride0, stride1)]);
        if (Warp.LaneIdx == 0)
        {
            indices[row] = float.IsNaN(first) || index == int.MaxValue ? 0 : index;
        }
    }

    /// <summary>Work of both stages.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="width">Width.</param>
    /// <param name="elementBytes">Bytes of an element.</param>
    public static KernelCost Cost(int rows, int width, int elementBytes) =>
        new((long)rows * width * elementBytes, 4L * rows, (long)rows * width);

    private static bool IsBetter(float value, int index, float best, int bestIndex) =>
        value > best || (value == best && index < bestIndex);

    private static void Reduce(ref float best, ref int index)
    {
        for (var mask = 16; mask > 0; mask /= 2)
        {
            var value = Warp.ShuffleXor(best, mask);
            var other = Warp.ShuffleXor(index, mask);
            if (IsBetter(value, other, best, index))
            {
                best = value;
                index = other;
            }
        }
    }
}
