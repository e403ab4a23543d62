// The body of tensor-core products: one tile of the result per group.
// Sources: PTX ISA, "Matrix Fragments for mma.m16n8k16" and "ldmatrix"; CUTLASS's multistage mainloop.
using Rt.Gpu;

namespace Rt.Kernels;

internal static class MmaTile
{
    /// <summary>One tile; parameters of <see cref="MatMulMma.MatMulMmaLargeKernel"/>.</summary>
    /// <remarks>Rows of shared memory are 4 or 8 chunks of 16 bytes, chunk c of row r kept at c ^ swizzle(r): copies in
    /// and matrix loads out then touch all banks evenly.</remarks>
    public static void Compute<T, TD, TLayout, TShape>(
        ArrayView<T> x, long xStride, ArrayView<T> weight0, ArrayView<T> weight1, ArrayView<T> weight2,
        long weightStride0, long weightStride1, long weightStride2, int out0, int out1, int out2,
        ArrayView<byte> bias0, ArrayView<byte> bias1, ArrayView<byte> bias2, int biasTypes,
        int rows, int depth, int depthPerSplit, ArrayView<float> partials, ArrayView<TD> destination, long stride,
        bool accumulate, int activation, bool gated, bool aligned)
        where T : unmanaged
        where TD : unmanaged
        where TLayout : struct, IWeightLayout
        where TShape : struct, IMmaShape
    {
        var tile = ColumnTiles.Locate(
            weight0, weight1, weight2, weightStride0, weightStride1, weightStride2, out0, out1, out2, bias0, bias1, bias2, biasTypes, gated,
            rows, TShape.Rows, TShape.Columns);
        var firstDepth = Grid.IdxY * depthPerSplit;
        var endDepth = XMath.Min(depth, firstDepth + depthPerSplit);
        var sums = LocalMemory.Allocate<float>(TShape.WarpRows / 16 * (TShape.WarpColumns / 8) * 4);
        for (var i = 0; i < TShape.WarpRows / 16 * (TShape.WarpColumns / 8) * 4; i++)
        {
            sums[i] = 0f;
        }

        Accumulate<T, TLayout, TShape>(
            x, xStride, rows, tile.FirstRow, tile.Weight, tile.Stride, tile.FirstColumn, tile.Up, tile.UpStride, tile.UpFirst, tile.Columns,
            firstDepth, endDepth, sums);
        var result = MatMulResults.Of(tile, out0, out1, out2, rows, partials, destination, stride, accumulate, activation, aligned);
        Write<T, TD, TShape>(result, sums, tile.FirstRow, tile.FirstColumn, tile.UpFirst, gated);
    }

    private static int Swizzle<TShape>(int row) where TShape : struct, IMmaShape =>
        TShape.DepthBytes == 128 ? row & 7 : (row >> 1) & 3;

    /// <summary>sums += the tile's product over [firstDepth, endDepth).</summary>
    private static void Accumulate<T, TLayout, TShape>(
        ArrayView<T> x, long xStride, int rows, int firstRow, ArrayView<T> weight, long weightStride, int firstColumn,
        ArrayView<T> up, long upStride, int upFirst, int columns, int firstDepth, int endDepth, ArrayView<float> sums)
        where T : unmanaged
        where TLayout : struct, IWeightLayout
        where TShape : struct, IMmaShape
    {
        var stageDepth = TShape.DepthBytes / Element.Size<T>();
        var stageElements = (TShape.Rows + TShape.Columns) * stageDepth;
        var shared = SharedMemory.GetDynamic<T>();
        var steps = (endDepth - firstDepth + stageDepth - 1) / stageDepth;
        // Copies run ahead of the products by all stages but one; the first turns only copy.
        var slot = 1;
        var freeSlot = 0;
        for (var next = 0; next < steps + TShape.Stages - 1; next++)
        {
            AsyncCopy.Wait(TShape.Stages - 2);
            Group.Barrier();
            if (next < steps)
            {
                CopyStage<T, TLayout, TShape>(
                    shared.SubView(freeSlot * stageElements), x, xStride, rows, firstRow, weight, weightStride, firstColumn,
                    up, upStride, upFirst, columns, firstDepth + next * stageDepth, endDepth);
            }

            AsyncCopy.Commit();
            if (next >= TShape.Stages - 1)
            {
                MultiplyStage<T, TLayout, TShape>(shared.SubView(slot * stageElements), sums);
            }

            slot = slot == TShape.Stages - 1 ? 0 : slot + 1;
            freeSlot = freeSlot == TShape.Stages - 1 ? 0 : freeSlot + 1;
        }

        AsyncCopy.Wait(0);
        Group.Barrier();
    }

    /// <summary>Starts the copies of one stage; what lies outside the operands becomes zero.</summary>
    private static void CopyStage<T, TLayout, TShape>(
        ArrayView<T> stage, ArrayView<T> x, long xStride, int rows, int firstRow, ArrayView<T> weight, long weightStride, int firstColumn,
        ArrayView<T> up, long upStride, int upFirst, int columns, int firstDepth, int endDepth)
        where T : unmanaged
        where TLayout : struct, IWeightLayout
        where TShape : struct, IMmaShape
    {
        var chunk = 16 / Element.Size<T>();
        var stageDepth = TShape.DepthBytes / Element.Size<T>();
        var chunks = TShape.DepthBytes / 16;
        var rowsPerTurn = Group.DimX / chunks;
        var row = Group.IdxX / chunks;
        var column = Group.IdxX % chunks;
        var k = firstDepth + column * chunk;
        var target = stage.SubView(row * stageDepth + (column ^ Swizzle<TShape>(row)) * chunk);
        for (var turn = 0; turn < TShape.Rows / rowsPerTurn; turn++)
        {
            var source = firstRow + row + turn * rowsPerTurn;
            AsyncCopy.Copy16(
                target.SubView(turn * rowsPerTurn * stageDepth), x.SubView(source * xStride + k), k < endDepth && source < rows);
        }

        if (TLayout.InputMajor)
        {
            CopyInputMajor<T, TShape>(
                stage.SubView(TShape.Rows * stageDepth), weight, weightStride, firstColumn, up, upStride, upFirst, columns, firstDepth, endDepth);
        }
        else
        {
            var turns = TShape.Columns / rowsPerTurn;
            for (var turn = 0; turn < turns; turn++)
            {
                var inHalf = row + (turn < turns / 2 ? turn : turn - turns / 2) * rowsPerTurn;
                var output = (turn < turns / 2 ? firstColumn : upFirst) + inHalf;
                var source = turn < turns / 2 ? weight.SubView(output * weightStride + k) : up.SubView(output * upStride + k);
                AsyncCopy.Copy16(
                    target.SubView((TShape.Rows + turn * rowsPerTurn) * stageDepth), source, k < endDepth && output < columns);
            }
        }
    }

    private static void CopyInputMajor<T, TShape>(
        ArrayView<T> stage, ArrayView<T> weight, long weightStride, int firstColumn, ArrayView<T> up, long upStride, int upFirst,
        int columns, int firstDepth, int endDepth)
        where T : unmanaged
        where TShape : struct, IMmaShape
    {
        var chunk = 16 / Element.Size<T>();
        var stageDepth = TShape.DepthBytes / Element.Size<T>();
        var chunks = TShape.Columns / chunk;
        var rowsPerTurn = Group.DimX / chunks;
        var row = Group.IdxX / chunks;
        var column = Group.IdxX % chunks;
        var isUp = column >= chunks / 2;
        var output = isUp ? upFirst + (column - chunks / 2) * chunk : firstColumn + column * chunk;
        var source = isUp ? up : weight;
        var sourceStride = isUp ? upStride : weightStride;
        var target = stage.SubView(row * TShape.Columns + (column ^ (row & 7)) * chunk);
        for (var turn = 0; turn < stageDepth / rowsPerTurn; turn++)
        {
            var k = firstDepth + row + turn * rowsPerTurn;
            AsyncCopy.Copy16(
                target.SubView(turn * rowsPerTurn * TShape.Columns), source.SubView(k * sourceStride + output),
                k < endDepth && output < columns);
        }
    }

    /// <summary>sums += the product of one stage.</summary>
    private static void MultiplyStage<T, TLayout, TShape>(ArrayView<T> stage, ArrayView<float> sums)
        where T : unmanaged
        where TLayout : struct, IWeightLayout
        where TShape : struct, IMmaShape
    {
        var chunk = 16 / Element.Size<T>();
        var stageDepth = TShape.DepthBytes / Element.Size<T>();
        var rowTiles = TShape.WarpRows / 16;
        var columnTiles = TShape.WarpColumns / 8;
        var warpRow = Warp.WarpIdx / (TShape.Columns / TShape.WarpColumns);
        var warpColumn = Warp.WarpIdx % (TShape.Columns / TShape.WarpColumns);
        var lane = Warp.LaneIdx;
        var right = stage.SubView(TShape.Rows * stageDepth);

        // Lane l gives the address of row l % 8 of matrix l / 8. Left operand: matrices (rows 0-7, 8-15) x (first, second chunk).
        var leftRow = lane & 15;
        var leftChunk = (lane >> 4) ^ Swizzle<TShape>(leftRow);
        var leftView = stage.SubView((warpRow * TShape.WarpRows + leftRow) * stageDepth);

        // Right operand, a pair of 8-column tiles: (first, second chunk) x (columns 0-7, 8-15).
        var rightRow = (lane & 7) + ((lane >> 4) << 3);
        var rightChunk = ((lane >> 3) & 1) ^ Swizzle<TShape>(rightRow);
        var inputRow = lane & 15;
        var inputChunk = (warpColumn * (TShape.WarpColumns / 2) / 8 + (lane >> 4)) ^ (inputRow & 7);
        for (var k = 0; k < TShape.DepthBytes / 32; k++)
        {
            var b = LocalMemory.Allocate<uint>(TShape.WarpColumns / 4);
            for (var pair = 0; pair < columnTiles / 2; pair++)
            {
                var inUp = pair >= columnTiles / 4;
                var column = (inUp ? TShape.Columns / 2 : 0) + (inUp ? pair - columnTiles / 4 : pair) * 16;
                uint b0, b1, b2, b3;
                if (TLayout.InputMajor)
                {
                    LdMatrix.X4Transposed(
                        right.SubView((k * 16 + inputRow) * TShape.Columns + (inputChunk ^ (column / 8)) * chunk),
                        out b0, out b1, out b2, out b3);
                }
                else
                {
                    LdMatrix.X4(
                        right.SubView((warpColumn * (TShape.WarpColumns / 2) + column + rightRow) * stageDepth + ((2 * k) ^ rightChunk) * chunk),
                        out b0, out b1, out b2, out b3);
                }

                b[4 * pair] = Operand<T>(b0);
                b[4 * pair + 1] = Operand<T>(b1);
                b[4 * pair + 2] = Operand<T>(b2);
                b[4 * pair + 3] = Operand<T>(b3);
            }

            for (var i = 0; i < rowTiles; i++)
            {
                LdMatrix.X4(
                    leftView.SubView(i * 16 * stageDepth + ((2 * k) ^ leftChunk) * chunk), out var a0, out var a1, out var a2, out var a3);
                a0 = Operand<T>(a0);
                a1 = Operand<T>(a1);
                a2 = Operand<T>(a2);
                a3 = Operand<T>(a3);
                for (var j = 0; j < columnTiles; j++)
                {
                    var s = (i * columnTiles + j) * 4;
                    if (Element.Is<T, float>())
                    {
                        Mma.M16N8K8(ref sums[s], ref sums[s + 1], ref sums[s + 2], ref sums[s + 3], a0, a1, a2, a3, b[2 * j], b[2 * j + 1]);
                    }
                    else
                    {
                        Mma.M16N8K16<T>(ref sums[s], ref sums[s + 1], ref sums[s + 2], ref sums[s + 3], a0, a1, a2, a3, b[2 * j], b[2 * j + 1]);
                    }
                }
            }
        }
    }

    /// <summary>Floats are rounded to tf32 on their way into the tensor core.</summary>
    private static uint Operand<T>(uint bits) where T : unmanaged =>
        Element.Is<T, float>() ? Mma.ToTf32(Interop.IntAsFloat(bits)) : bits;

    /// <summary>Through shared memory, so that each thread has four adjacent columns; every warp its own part.</summary>
    private static void Write<T, TD, TShape>(
        in MatMulResult<TD> result, ArrayView<float> sums, int firstRow, int firstColumn, int upFirst, bool gated)
        where T : unmanaged
        where TD : unmanaged
        where TShape : struct, IMmaShape
    {
        // As many rows at a time as fit the pipeline's memory: up to 32.
        var passRows = TShape.WarpRows < 32 ? TShape.WarpRows : 32;
        var width = TShape.WarpColumns / 2;
        var columnTiles = TShape.WarpColumns / 8;
        var warpRow = Warp.WarpIdx / (TShape.Columns / TShape.WarpColumns);
        var warpColumn = Warp.WarpIdx % (TShape.Columns / TShape.WarpColumns);
        var lane = Warp.LaneIdx;
        var staging = SharedMemory.GetDynamic<float>().SubView(Warp.WarpIdx * (passRows * TShape.WarpColumns));
        var quads = width / 4;
        for (var pass = 0; pass < TShape.WarpRows / passRows; pass++)
        {
            for (var i = 0; i < passRows / 16; i++)
            {
                for (var j = 0; j < columnTiles; j++)
                {
                    var s = ((pass * (passRows / 16) + i) * columnTiles + j) * 4;
                    var half = j < columnTiles / 2 ? 0 : 1;
                    var at = (half == 0 ? j : j - columnTiles / 2) * 8 + lane % 4 * 2;
                    var row = i * 16 + lane / 4;
                    Put(staging.SubView((half * passRows + row) * width + (at ^ StagingSwizzle<TShape>(row))), sums[s], sums[s + 1]);
                    Put(
                        staging.SubView((half * passRows + row + 8) * width + (at ^ StagingSwizzle<TShape>(row + 8))),
                        sums[s + 2], sums[s + 3]);
                }
            }

            Warp.Barrier();
            for (var item = lane; item < passRows * quads * (gated ? 1 : 2); item += Warp.WarpSize)
            {
                var isUp = item >= passRows * quads;
                var row = item / quads % passRows;
                var at = row * width + ((item % quads * 4) ^ StagingSwizzle<TShape>(row));
                var values = LocalMemory.Allocate<float>(4);
                var partner = LocalMemory.Allocate<float>(4);
                Vectors.Load(staging.SubView(isUp ? passRows * width + at : at), values, 0, 4);
                if (gated)
                {
                    Vectors.Load(staging.SubView(passRows * width + at), partner, 0, 4);
                }

                MatMulResults.Write<T, TD>(
                    result, firstRow + warpRow * TShape.WarpRows + pass * passRows + row,
                    (isUp ? upFirst : firstColumn) + warpColumn * width + item % quads * 4, values, partner, gated);
            }

            Warp.Barrier();
        }
    }

    /// <summary>Spreads the rows of a warp's part over the banks, for pairs going in and runs of four coming out.</summary>
    private static int StagingSwizzle<TShape>(int row) where TShape : struct, IMmaShape =>
        TShape.WarpColumns == 64 ? (row & 3) * 8 : ((row >> 1) & 1) * 8;

    private static void Put(ArrayView<float> view, float first, float second)
    {
        var pair = default(Vec2<float>);
        pair[0] = first;
        pair[1] = second;
        view.Cast<Vec2<float>>()[0] = pair;
    }
}
