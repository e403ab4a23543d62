// The body of products by fused multiply-adds: one tile of the result per group, 4 or 8 rows x 8 columns of it per thread.
// Sources: Volkov and Demmel 2008 (register tiles); Tan et al. 2011 (double buffers).
using Rt.Gpu;

namespace Rt.Kernels;

internal static class FmaTile
{
    /// <summary>Inner axis of one step.</summary>
    private const int Depth = 16;

    // Quads of four elements along the inner axis in one step.
    private const int Quads = Depth / 4;

    /// <summary>One tile; parameters of <see cref="MatMulFma.MatMulFmaLargeKernel"/>.</summary>
    /// <remarks>Shared memory holds operands as [depth, rows], index r of depth k kept at r ^ swizzle(k), so that transposing stores and vector loads touch all
    /// banks evenly.</remarks>
    public static void Compute<TA, TWeight, TD, TShape>(
        ArrayView<TA> x, long xStride, ArrayView<TWeight> weight0, ArrayView<TWeight> weight1, ArrayView<TWeight> weight2,
        long weightStride0, long weightStride1, long weightStride2, int out0, int out1, int out2,
        ArrayView<byte> bias0, ArrayView<byte> bias1, ArrayView<byte> bias2, int biasTypes,
        bool inputMajor, int rows, int depth, int depthPerSplit, ArrayView<float> partials, ArrayView<TD> destination, long stride,
        bool accumulate, int activation, bool gated, bool sourceAligned, bool aligned)
        where TA : unmanaged
        where TWeight : unmanaged
        where TD : unmanaged
        where TShape : struct, IFmaShape
    {
        var tile = ColumnTiles.Locate(
            weight0, weight1, weight2, weightStride0, weightStride1, weightStride2, out0, out1, out2, bias0, bias1, bias2, biasTypes, gated,
            rows, TShape.Rows, TShape.Columns);
        var firstDepth = Grid.IdxY * depthPerSplit;
        var endDepth = XMath.Min(depth, firstDepth + depthPerSplit);
        var sums = LocalMemory.Allocate<float>(TShape.ThreadRows * 8);
        for (var i = 0; i < TShape.ThreadRows * 8; i++)
        {
            sums[i] = 0f;
        }

        var shared = SharedMemory.Allocate<float>(2 * Depth * (TShape.Rows + TShape.Columns));
        Accumulate<TA, TWeight, TShape>(
            x, xStride, rows, tile.FirstRow, tile.Weight, tile.Stride, tile.FirstColumn, tile.Up, tile.UpStride, tile.UpFirst, tile.Columns,
            inputMajor, sourceAligned, firstDepth, endDepth, shared, sums);
        var result = MatMulResults.Of(tile, out0, out1, out2, rows, partials, destination, stride, accumulate, activation, aligned);
        Write<TA, TD, TShape>(result, shared, sums, tile.FirstRow, tile.FirstColumn, tile.UpFirst, gated);
    }

    /// <summary>Quad of rows of this thread within half a tile (or the whole, where it has one quad).</summary>
    private static int ThreadRow<TShape>() where TShape : struct, IFmaShape =>
        (Warp.WarpIdx / (TShape.Columns / 64) * 4 + Warp.LaneIdx / 8) * 4;

    /// <summary>Quad of columns of this thread within half a tile.</summary>
    private static int ThreadColumn<TShape>() where TShape : struct, IFmaShape =>
        (Warp.WarpIdx % (TShape.Columns / 64) * 8 + Warp.LaneIdx % 8) * 4;

    private static int Swizzle(int k) => (k >> 2 & 3) << 3;

    private static void Accumulate<TA, TWeight, TShape>(
        ArrayView<TA> x, long xStride, int rows, int firstRow, ArrayView<TWeight> weight, long weightStride, int firstColumn,
        ArrayView<TWeight> up, long upStride, int upFirst, int columns, bool inputMajor, bool aligned, int firstDepth, int endDepth,
        ArrayView<float> shared, ArrayView<float> sums)
        where TA : unmanaged
        where TWeight : unmanaged
        where TShape : struct, IFmaShape
    {
        var stageElements = Depth * (TShape.Rows + TShape.Columns);
        var left = LocalMemory.Allocate<float>(TShape.Rows * Depth / Group.DimX);
        var right = LocalMemory.Allocate<float>(TShape.Columns * Depth / Group.DimX);
        var steps = (endDepth - firstDepth + Depth - 1) / Depth;
        // Loads run one step ahead of the products; the first turn only loads.
        for (var next = 0; next <= steps; next++)
        {
            var k = firstDepth + next * Depth;
            if (next < steps)
            {
                LoadRows<TA>(x, xStride, x, xStride, rows, firstRow, firstRow + TShape.Rows / 2, TShape.Rows, k, endDepth, aligned, left);
                LoadWeight<TWeight, TShape>(
                    weight, weightStride, up, upStride, columns, firstColumn, upFirst, k, endDepth, inputMajor, aligned, right);
            }

            if (next > 0)
            {
                Multiply<TShape>(shared.SubView((~next & 1) * stageElements), sums);
            }

            if (next < steps)
            {
                Stage<TShape>(shared.SubView((next & 1) * stageElements), left, right, inputMajor);
            }

            Group.Barrier();
        }
    }

    private static void LoadWeight<TWeight, TShape>(
        ArrayView<TWeight> weight, long weightStride, ArrayView<TWeight> up, long upStride, int columns, int firstColumn, int upFirst,
        int firstDepth, int endDepth, bool inputMajor, bool aligned, ArrayView<float> values)
        where TWeight : unmanaged
        where TShape : struct, IFmaShape
    {
        if (inputMajor)
        {
            LoadColumns<TWeight, TShape>(
                weight, weightStride, up, upStride, columns, firstColumn, upFirst, firstDepth, endDepth, aligned, values);
        }
        else
        {
            LoadRows(weight, weightStride, up, upStride, columns, firstColumn, upFirst, TShape.Columns, firstDepth, endDepth, aligned, values);
        }
    }

    /// <summary>Quads along the inner axis of two runs of count / 2 rows of a matrix [rows, depth]; 8 rows x 64 bytes (F32) per warp.</summary>
    private static void LoadRows<T>(
        ArrayView<T> matrix, long stride, ArrayView<T> second, long secondStride, int rows, int firstRow, int secondFirst, int count,
        int firstDepth, int endDepth, bool aligned, ArrayView<float> values)
        where T : unmanaged
    {
        var turns = count * Quads / Group.DimX;
        var k = firstDepth + Group.IdxX % Quads * 4;
        for (var turn = 0; turn < turns; turn++)
        {
            var inHalf = Group.IdxX / Quads + (turn < turns / 2 ? turn : turn - turns / 2) * (Group.DimX / Quads);
            var row = (turn < turns / 2 ? firstRow : secondFirst) + inHalf;
            if (row < rows)
            {
                var source = turn < turns / 2 ? matrix.SubView(row * stride) : second.SubView(row * secondStride);
                Vectors.Load(source, k, endDepth, aligned, values, turn * 4, 4);
            }
            else
            {
                for (var i = 0; i < 4; i++)
                {
                    values[turn * 4 + i] = 0f;
                }
            }
        }
    }

    /// <summary>Quads along the outputs of a weight [in, out].</summary>
    private static void LoadColumns<T, TShape>(
        ArrayView<T> weight, long weightStride, ArrayView<T> up, long upStride, int columns, int firstColumn, int upFirst,
        int firstDepth, int endDepth, bool aligned, ArrayView<float> values)
        where T : unmanaged
        where TShape : struct, IFmaShape
    {
        var quads = TShape.Columns / 4;
        var quad = Group.IdxX % quads;
        var isUp = quad >= quads / 2;
        var column = isUp ? upFirst + (quad - quads / 2) * 4 : firstColumn + quad * 4;
        var source = isUp ? up : weight;
        var stride = isUp ? upStride : weightStride;
        for (var turn = 0; turn < Depth * quads / Group.DimX; turn++)
        {
            var k = firstDepth + Group.IdxX / quads + turn * (Group.DimX / quads);
            if (k < endDepth)
            {
                Vectors.Load(source.SubView(k * stride), column, columns, aligned, values, turn * 4, 4);
            }
            else
            {
                for (var i = 0; i < 4; i++)
                {
                    values[turn * 4 + i] = 0f;
                }
            }
        }
    }

    /// <summary>Registers to shared memory: what <see cref="LoadRows"/> and <see cref="LoadColumns"/> read.</summary>
    private static void Stage<TShape>(ArrayView<float> stage, ArrayView<float> left, ArrayView<float> right, bool inputMajor)
        where TShape : struct, IFmaShape
    {
        Transpose(stage, left, TShape.Rows);
        var target = stage.SubView(Depth * TShape.Rows);
        if (inputMajor)
        {
            var quads = TShape.Columns / 4;
            for (var turn = 0; turn < Depth * quads / Group.DimX; turn++)
            {
                var k = Group.IdxX / quads + turn * (Group.DimX / quads);
                Vectors.Store(target.SubView(k * TShape.Columns + ((Group.IdxX % quads * 4) ^ Swizzle(k))), right, turn * 4, 4);
            }
        }
        else
        {
            Transpose(target, right, TShape.Columns);
        }
    }

    private static void Transpose(ArrayView<float> target, ArrayView<float> values, int count)
    {
        var k = Group.IdxX % Quads * 4;
        for (var turn = 0; turn < count * Quads / Group.DimX; turn++)
        {
            var row = Group.IdxX / Quads + turn * (Group.DimX / Quads);
            for (var i = 0; i < 4; i++)
            {
                target[(k + i) * count + (row ^ Swizzle(k))] = values[turn * 4 + i];
            }
        }
    }

    private static void Multiply<TShape>(ArrayView<float> stage, ArrayView<float> sums) where TShape : struct, IFmaShape
    {
        var row = ThreadRow<TShape>();
        var column = ThreadColumn<TShape>();
        var right = stage.SubView(Depth * TShape.Rows);
        var a = LocalMemory.Allocate<float>(TShape.ThreadRows);
        var b = LocalMemory.Allocate<float>(8);
        for (var k = 0; k < Depth; k++)
        {
            for (var quad = 0; quad < TShape.ThreadRows / 4; quad++)
            {
                Vectors.Load(stage.SubView(k * TShape.Rows + quad * (TShape.Rows / 2) + (row ^ Swizzle(k))), a, quad * 4, 4);
            }

            Vectors.Load(right.SubView(k * TShape.Columns + (column ^ Swizzle(k))), b, 0, 4);
            Vectors.Load(right.SubView(k * TShape.Columns + TShape.Columns / 2 + (column ^ Swizzle(k))), b, 4, 4);
            for (var i = 0; i < TShape.ThreadRows; i++)
            {
                for (var j = 0; j < 8; j++)
                {
                    sums[i * 8 + j] = XMath.Fma(a[i], b[j], sums[i * 8 + j]);
                }
            }
        }
    }

    private static void Write<TA, TD, TShape>(
        in MatMulResult<TD> result, ArrayView<float> shared, ArrayView<float> sums, int firstRow, int firstColumn, int upFirst, bool gated)
        where TA : unmanaged
        where TD : unmanaged
        where TShape : struct, IFmaShape
    {
        // Through shared memory, 4 x 8 results of every thread at a time, so that what becomes of them is written once.
        var half = TShape.Columns / 2;
        var column = firstColumn + ThreadColumn<TShape>();
        for (var quad = 0; quad < TShape.ThreadRows / 4; quad++)
        {
            for (var i = 0; i < 32; i++)
            {
                shared[i * Group.DimX + Group.IdxX] = sums[quad * 32 + i];
            }

            var start = ThreadRow<TShape>() + quad * (TShape.Rows / 2);
            for (var row = start; row < start + 4; row++)
            {
                for (var offset = ThreadColumn<TShape>(); offset < (gated ? half : TShape.Columns); offset += half)
                {
                    var values = LocalMemory.Allocate<float>(4);
                    var partner = LocalMemory.Allocate<float>(4);
                    var at = ((row - start) * 8 + offset / half * 4) * Group.DimX + Group.IdxX;
                    for (var i = 0; i < 4; i++)
                    {
                        values[i] = shared[at + i * Group.DimX];
                    }

                    if (gated)
                    {
                        for (var i = 0; i < 4; i++)
                        {
                            partner[i] = shared[at + (4 + i) * Group.DimX];
                        }
                    }

                    MatMulResults.Write<TA, TD>(
                        result, firstRow + row, offset < half ? column : upFirst + offset - half, values, partner, gated);
                }
            }
        }
    }
}
