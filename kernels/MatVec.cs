// Products of up to 8 rows by fused multiply-adds: each weight is read once for all rows.
// Source: Volkov 2010, "Better performance at lower occupancy": several loads in flight per thread.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>x Wᵀ for few rows, W in either layout.</summary>
public static class MatVec
{
    /// <summary>Threads per group.</summary>
    public const int GroupSize = 256;

    /// <summary>Columns of the result of one group where W is [out, in].</summary>
    public const int Columns = 8;

    private const int Warps = GroupSize / Warp.WarpSize;

    /// <summary>Columns of the result of one group where W is [in, out].</summary>
    /// <param name="weightBytes">Bytes of an element of W.</param>
    public static int InputMajorColumns(int weightBytes) => 8 * 16 / weightBytes;

    /// <summary>W [out, in]: 8 columns of all rows per group, whose warps share the inner axis; lanes read 16 bytes of a row side by side.
    /// Parameters of <see cref="MatMulFma.MatMulFmaLargeKernel"/>.</summary>
    /// <remarks>Grid: x = columns / 8 (4 where gated), y = splits. Group 256. Shared 256 bytes per row. Reads W once, x once per group from the caches; writes the
    /// result once; 2 rows out depth FLOPs. A row's bits do not depend on the other rows.</remarks>
    [Kernel(GroupSize, MinGroups = 1)]
    [Instance(typeof(float), typeof(float), typeof(float), typeof(Count1))]
    [Instance(typeof(float), typeof(float), typeof(float), typeof(Count4))]
    [Instance(typeof(float), typeof(float), typeof(float), typeof(Count8))]
    [Instance(typeof(float), typeof(BFloat16), typeof(float), typeof(Count1))]
    [Instance(typeof(float), typeof(BFloat16), typeof(float), typeof(Count4))]
    [Instance(typeof(float), typeof(BFloat16), typeof(float), typeof(Count8))]
    [Instance(typeof(float), typeof(Half), typeof(float), typeof(Count1))]
    [Instance(typeof(float), typeof(Half), typeof(float), typeof(Count4))]
    [Instance(typeof(float), typeof(Half), typeof(float), typeof(Count8))]
    internal static void MatVecKernel<TA, TWeight, TD, TRows>(
        [ReadOnlyView] ArrayView<TA> x, long xStride,
        [ReadOnlyView] ArrayView<TWeight> weight0, [ReadOnlyView] ArrayView<TWeight> weight1, [ReadOnlyView] ArrayView<TWeight> weight2,
        long weightStride0, long weightStride1, long weightStride2, int out0, int out1, int out2,
        [ReadOnlyView] ArrayView<byte> bias0, [ReadOnlyView] ArrayView<byte> bias1, [ReadOnlyView] ArrayView<byte> bias2, int biasTypes,
        int rows, int depth, int depthPerSplit, ArrayView<float> partials, ArrayView<TD> destination, long stride,
        bool accumulate, int activation, bool gated, bool sourceAligned, bool aligned)
        where TA : unmanaged
        where TWeight : unmanaged
        where TD : unmanaged
        where TRows : struct, ICount
    {
        var tile = ColumnTiles.Locate(
            weight0, weight1, weight2, weightStride0, weightStride1, weightStride2, out0, out1, out2, bias0, bias1, bias2, biasTypes, gated,
            rows, TRows.Value, Columns);
        var firstDepth = Grid.IdxY * depthPerSplit;
        var endDepth = XMath.Min(depth, firstDepth + depthPerSplit);
        var count = Vectors.Chunk<TWeight>();
        var sums = LocalMemory.Allocate<float>(TRows.Value * Columns);
        for (var i = 0; i < TRows.Value * Columns; i++)
        {
            sums[i] = 0f;
        }

        for (var k = firstDepth + Group.IdxX * count; k < endDepth; k += GroupSize * count)
        {
            var w = LocalMemory.Allocate<float>(Columns * Vectors.Chunk<TWeight>());
            for (var column = 0; column < Columns; column++)
            {
                var output = column < Columns / 2 ? tile.FirstColumn + column : tile.UpFirst + column - Columns / 2;
                if (output < tile.Columns)
                {
                    var row = column < Columns / 2 ? tile.Weight.SubView(output * tile.Stride) : tile.Up.SubView(output * tile.UpStride);
                    Vectors.Load(row, k, endDepth, sourceAligned, w, column * count, count);
                }
                else
                {
                    for (var i = 0; i < count; i++)
                    {
                        w[column * count + i] = 0f;
                    }
                }
            }

            for (var row = 0; row < TRows.Value; row++)
            {
                var values = LocalMemory.Allocate<float>(Vectors.Chunk<TWeight>());
                if (row < rows)
                {
                    Vectors.Load(x.SubView(row * xStride), k, endDepth, sourceAligned, values, 0, count);
                    for (var column = 0; column < Columns; column++)
                    {
                        for (var i = 0; i < count; i++)
                        {
                            sums[row * Columns + column] = XMath.Fma(w[column * count + i], values[i], sums[row * Columns + column]);
                        }
                    }
                }
            }
        }

        var staging = SharedMemory.Allocate<float>(Warps * TRows.Value * Columns);
        for (var i = 0; i < TRows.Value * Columns; i++)
        {
            var sum = WarpReduce.Sum(sums[i]);
            if (Warp.LaneIdx == 0)
            {
                staging[Warp.WarpIdx * (TRows.Value * Columns) + i] = sum;
            }
        }

        Group.Barrier();
        var result = MatMulResults.Of(tile, out0, out1, out2, rows, partials, destination, stride, accumulate, activation, aligned);
        MatVecResults.Write<TA, TD>(result, staging, Warps, TRows.Value, Columns, Columns / 2, tile.FirstColumn, tile.UpFirst, gated);
    }

    /// <summary>W [in, out]: 128 bytes of columns of all rows per group, four rows of W per eight lanes; lanes and warps share the inner
    /// axis. Parameters of <see cref="MatMulFma.MatMulFmaLargeKernel"/>.</summary>
    /// <remarks>Grid: x = columns / 32 (F32) or / 64, y = splits. Group 256. Shared 1 or 2 KB per row. Reads W once, x once per group from the caches; writes the
    /// result once; 2 rows out depth FLOPs. A row's bits do not depend on the other rows.</remarks>
    [Kernel(GroupSize, MinGroups = 1)]
    [Instance(typeof(float), typeof(float), typeof(float), typeof(Count1))]
    [Instance(typeof(float), typeof(float), typeof(float), typeof(Count4))]
    [Instance(typeof(float), typeof(float), typeof(float), typeof(Count8))]
    [Instance(typeof(float), typeof(BFloat16), typeof(float), typeof(Count1))]
    [Instance(typeof(float), typeof(BFloat16), typeof(float), typeof(Count4))]
    [Instance(typeof(float), typeof(BFloat16), typeof(float), typeof(Count8))]
    [Instance(typeof(float), typeof(Half), typeof(float), typeof(Count1))]
    [Instance(typeof(float), typeof(Half), typeof(float), typeof(Count4))]
    [Instance(typeof(float), typeof(Half), typeof(float), typeof(Count8))]
    [Instance(typeof(BFloat16), typeof(BFloat16), typeof(BFloat16), typeof(Count1))]
    [Instance(typeof(BFloat16), typeof(BFloat16), typeof(BFloat16), typeof(Count4))]
    [Instance(typeof(BFloat16), typeof(BFloat16), typeof(BFloat16), typeof(Count8))]
    [Instance(typeof(Half), typeof(Half), typeof(Half), typeof(Count1))]
    [Instance(typeof(Half), typeof(Half), typeof(Half), typeof(Count4))]
    [Instance(typeof(Half), typeof(Half), typeof(Half), typeof(Count8))]
    internal static void MatVecInputMajorKernel<TA, TWeight, TD, TRows>(
        [ReadOnlyView] ArrayView<TA> x, long xStride,
        [ReadOnlyView] ArrayView<TWeight> weight0, [ReadOnlyView] ArrayView<TWeight> weight1, [ReadOnlyView] ArrayView<TWeight> weight2,
        long weightStride0, long weightStride1, long weightStride2, int out0, int out1, int out2,
        [ReadOnlyView] ArrayView<byte> bias0, [ReadOnlyView] ArrayView<byte> bias1, [ReadOnlyView] ArrayView<byte> bias2, int biasTypes,
        int rows, int depth, int depthPerSplit, ArrayView<float> partials, ArrayView<TD> destination, long stride,
        bool accumulate, int activation, bool gated, bool sourceAligned, bool aligned)
        where TA : unmanaged
        where TWeight : unmanaged
        where TD : unmanaged
        where TRows : struct, ICount
    {
        var count = Vectors.Chunk<TWeight>();
        var columns = 8 * count;
        var tile = ColumnTiles.Locate(
            weight0, weight1, weight2, weightStride0, weightStride1, weightStride2, out0, out1, out2, bias0, bias1, bias2, biasTypes, gated,
            rows, TRows.Value, columns);
        var firstDepth = Grid.IdxY * depthPerSplit;
        var endDepth = XMath.Min(depth, firstDepth + depthPerSplit);
        var sums = LocalMemory.Allocate<float>(TRows.Value * Vectors.Chunk<TWeight>());
        for (var i = 0; i < TRows.Value * count; i++)
        {
            sums[i] = 0f;
        }

        var lane = Warp.LaneIdx % 8;
        var column = lane < 4 ? tile.FirstColumn + lane * count : tile.UpFirst + (lane - 4) * count;
        var weight = lane < 4 ? tile.Weight : tile.Up;
        var weightStride = lane < 4 ? tile.Stride : tile.UpStride;
        for (var k = firstDepth + Group.IdxX / 8 * 4; k < endDepth; k += GroupSize / 8 * 4)
        {
            var w = LocalMemory.Allocate<float>(4 * Vectors.Chunk<TWeight>());
            for (var i = 0; i < 4; i++)
            {
                Vectors.Load(
                    weight.SubView((k + i) * weightStride), column, k + i < endDepth ? tile.Columns : 0, sourceAligned, w, i * count, count);
            }

            for (var row = 0; row < TRows.Value; row++)
            {
                var values = LocalMemory.Allocate<float>(4);
                if (row < rows)
                {
                    Vectors.Load(x.SubView(row * xStride), k, endDepth, sourceAligned, values, 0, 4);
                    for (var i = 0; i < 4; i++)
                    {
                        for (var j = 0; j < count; j++)
                        {
                            sums[row * count + j] = XMath.Fma(w[i * count + j], values[i], sums[row * count + j]);
                        }
                    }
                }
            }
        }

        var staging = SharedMemory.Allocate<float>(Warps * TRows.Value * 8 * Vectors.Chunk<TWeight>());
        for (var row = 0; row < TRows.Value; row++)
        {
            for (var i = 0; i < count; i++)
            {
                var sum = sums[row * count + i];
                sum += Warp.ShuffleXor(sum, 8);
                sum += Warp.ShuffleXor(sum, 16);
                sums[row * count + i] = sum;
            }

            if (Warp.LaneIdx < 8)
            {
                Vectors.Store(staging.SubView((Warp.WarpIdx * TRows.Value + row) * columns + lane * count), sums, row * count, count);
            }
        }

        Group.Barrier();
        var result = MatMulResults.Of(tile, out0, out1, out2, rows, partials, destination, stride, accumulate, activation, aligned);
        MatVecResults.Write<TA, TD>(result, staging, Warps, TRows.Value, columns, columns / 2, tile.FirstColumn, tile.UpFirst, gated);
    }

    /// <summary>Work of one launch.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns of the product.</param>
    /// <param name="depth">Inner axis.</param>
    /// <param name="activationBytes">Bytes of an element of x.</param>
    /// <param name="weightBytes">Bytes of an element of W.</param>
    /// <param name="resultColumns">Columns written: half of <paramref name="columns"/> where gated.</param>
    /// <param name="resultBytes">Bytes of a result element.</param>
    public static KernelCost Cost(
        int rows, int columns, int depth, int activationBytes, int weightBytes, int resultColumns, int resultBytes) => new(
        (long)rows * depth * activationBytes + (long)columns * depth * weightBytes,
        (long)rows * resultColumns * resultBytes,
        2L * rows * columns * depth);
}
