// Products of up to 16 rows on tensor cores, the weight as the left operand: each weight is read once, straight into registers.
// Sources: PTX ISA, "Matrix Fragments for mma.m16n8k16"; the order of the inner axis is free, so 16 adjacent bytes feed two products.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>x Wᵀ for few rows of BF16 or F16, W [out, in] of the same type.</summary>
public static class MatVecMma
{
    /// <summary>Threads per group.</summary>
    public const int GroupSize = 256;

    /// <summary>Columns of the result of one group.</summary>
    public const int Columns = 16;

    /// <summary>Inner axis that a group reads in one turn.</summary>
    public const int TurnDepth = Warps * WarpDepth;

    private const int Warps = GroupSize / Warp.WarpSize;
    private const int Steps = 4;
    private const int WarpDepth = Steps * 32;

    // Distance of rows in shared memory: spreads the four column pairs of a fragment over the banks.
    private const int StagingStride = 20;

    /// <summary>16 columns of all rows per group; its warps share the inner axis. Parameters of <see cref="MatMulMma.MatMulMmaLargeKernel"/>.</summary>
    /// <remarks>Grid: x = columns / 16 (8 where gated), y = splits. Group 256. Shared 5 or 10 KB. Reads W once, 16 bytes per load, x once per group from the
    /// caches; writes the result once; 2 rows out depth FLOPs. A row's bits do not depend on the other rows.</remarks>
    [Kernel(GroupSize)]
    [Instance(typeof(BFloat16), typeof(BFloat16), typeof(Count8))]
    [Instance(typeof(BFloat16), typeof(BFloat16), typeof(Count16))]
    [Instance(typeof(BFloat16), typeof(float), typeof(Count8))]
    [Instance(typeof(BFloat16), typeof(float), typeof(Count16))]
    [Instance(typeof(Half), typeof(Half), typeof(Count8))]
    [Instance(typeof(Half), typeof(Half), typeof(Count16))]
    [Instance(typeof(Half), typeof(float), typeof(Count8))]
    [Instance(typeof(Half), typeof(float), typeof(Count16))]
    internal static void MatVecMmaKernel<TA, TD, TRows>(
        [ReadOnlyView] ArrayView<TA> x, long xStride,
        [ReadOnlyView] ArrayView<TA> weight0, [ReadOnlyView] ArrayView<TA> weight1, [ReadOnlyView] ArrayView<TA> weight2,
        long weightStride0, long weightStride1, long weightStride2, int out0, int out1, int out2,
        [ReadOnlyView] ArrayView<byte> bias0, [ReadOnlyView] ArrayView<byte> bias1, [ReadOnlyView] ArrayView<byte> bias2, int biasTypes,
        int rows, int depth, int depthPerSplit, ArrayView<float> partials, ArrayView<TD> destination, long stride,
        bool accumulate, int activation, bool gated, bool aligned)
        where TA : unmanaged
        where TD : unmanaged
        where TRows : struct, ICount
    {
        var tile = ColumnTiles.Locate(
            weight0, weight1, weight2, weightStride0, weightStride1, weightStride2, out0, out1, out2, bias0, bias1, bias2, biasTypes, gated,
            rows, TRows.Value, Columns);
        var firstDepth = Grid.IdxY * depthPerSplit;
        var endDepth = XMath.Min(depth, firstDepth + depthPerSplit);
        var rowTiles = TRows.Value / 8;
        var sums = LocalMemory.Allocate<float>(TRows.Value / 2);
        for (var i = 0; i < TRows.Value / 2; i++)
        {
            sums[i] = 0f;
        }

        // Lane (g, t): columns g and g + 8 of the tile, rows g of x, elements 8t..8t+7 of every 32 of the inner axis.
        var g = Warp.LaneIdx / 4;
        var t = Warp.LaneIdx % 4;
        var low = tile.Weight.SubView((tile.FirstColumn + g) * tile.Stride);
        var high = tile.Up.SubView((tile.UpFirst + g) * tile.UpStride);
        var hasLow = tile.FirstColumn + g < tile.Columns;
        var hasHigh = tile.UpFirst + g < tile.Columns;
        for (var first = firstDepth + Warp.WarpIdx * WarpDepth; first < endDepth; first += TurnDepth)
        {
            var a = LocalMemory.Allocate<uint>(Steps * 8);
            var b = LocalMemory.Allocate<uint>(Steps * TRows.Value / 2);
            for (var step = 0; step < Steps; step++)
            {
                var k = first + step * 32 + t * 8;
                Load(low, k, hasLow && k < endDepth, a, step * 8);
                Load(high, k, hasHigh && k < endDepth, a, step * 8 + 4);
                for (var i = 0; i < rowTiles; i++)
                {
                    Load(x.SubView((i * 8 + g) * xStride), k, i * 8 + g < rows && k < endDepth, b, (step * rowTiles + i) * 4);
                }
            }

            for (var step = 0; step < Steps; step++)
            {
                for (var i = 0; i < rowTiles; i++)
                {
                    var s = i * 4;
                    var l = step * 8;
                    var r = (step * rowTiles + i) * 4;
                    Mma.M16N8K16<TA>(
                        ref sums[s], ref sums[s + 1], ref sums[s + 2], ref sums[s + 3], a[l], a[l + 4], a[l + 1], a[l + 5], b[r], b[r + 1]);
                    Mma.M16N8K16<TA>(
                        ref sums[s], ref sums[s + 1], ref sums[s + 2], ref sums[s + 3], a[l + 2], a[l + 6], a[l + 3], a[l + 7], b[r + 2], b[r + 3]);
                }
            }
        }

        var staging = SharedMemory.Allocate<float>(Warps * TRows.Value * StagingStride);
        for (var i = 0; i < rowTiles; i++)
        {
            var at = (Warp.WarpIdx * TRows.Value + i * 8 + 2 * t) * StagingStride + g;
            staging[at] = sums[4 * i];
            staging[at + StagingStride] = sums[4 * i + 1];
            staging[at + 8] = sums[4 * i + 2];
            staging[at + StagingStride + 8] = sums[4 * i + 3];
        }

        Group.Barrier();
        var result = MatMulResults.Of(tile, out0, out1, out2, rows, partials, destination, stride, accumulate, activation, aligned);
        MatVecResults.Write<TA, TD>(
            result, staging, Warps, TRows.Value, StagingStride, Columns / 2, tile.FirstColumn, tile.UpFirst, gated);
    }

    /// <summary>Work of one launch.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns of the product.</param>
    /// <param name="depth">Inner axis.</param>
    /// <param name="resultColumns">Columns written: half of <paramref name="columns"/> where gated.</param>
    /// <param name="resultBytes">Bytes of a result element.</param>
    public static KernelCost Cost(int rows, int columns, int depth, int resultColumns, int resultBytes) =>
        new(2L * ((long)rows + columns) * depth, (long)rows * resultColumns * resultBytes, 2L * rows * columns * depth);

    /// <summary>16 bytes into four registers, zeros where not <paramref name="valid"/>.</summary>
    private static void Load<T>(ArrayView<T> row, int k, bool valid, ArrayView<uint> registers, int at) where T : unmanaged
    {
        if (valid)
        {
            var vector = row.SubView(k).Cast<Vec4<uint>>()[0];
            for (var i = 0; i < 4; i++)
            {
                registers[at + i] = vector[i];
            }
        }
        else
        {
            for (var i = 0; i < 4; i++)
            {
                registers[at + i] = 0u;
            }
        }
    }
}
