// A matrix product on tensor cores: asynchronous copies into a ring of shared tiles, ldmatrix, mma.
using Rt.Gpu;

namespace Rt.Gpu.Compiler.Tests.Kernels;

public static class MatMulKernels
{
    private const int TileM = 128;
    private const int TileN = 128;
    private const int TileK = 32;
    private const int Stages = 4;
    private const int StageElements = (TileM + TileN) * TileK;

    /// <summary>C [m, n] = A [m, k] B^T with B [n, k]; m, n multiples of 128, k of 32. 8 warps, each 64 x 32.</summary>
    [Kernel(256, MinGroups = 1)]
    [Instance(typeof(BFloat16))]
    [Instance(typeof(Half))]
    public static void MatMulKernel<T>([ReadOnlyView] ArrayView<T> a, [ReadOnlyView] ArrayView<T> b, ArrayView<T> c, int m, int n, int k)
        where T : unmanaged
    {
        var shared = SharedMemory.GetDynamic<T>();
        var tileRow = Grid.IdxY * TileM;
        var tileColumn = Grid.IdxX * TileN;
        var steps = k / TileK;
        for (var stage = 0; stage < Stages - 1; stage++)
        {
            LoadTiles(a, b, shared.SubView(stage * StageElements), tileRow, tileColumn, stage * TileK, k, m, n, stage < steps);
            AsyncCopy.Commit();
        }

        var warpRow = Warp.WarpIdx / 4 * 64;
        var warpColumn = Warp.WarpIdx % 4 * 32;
        var sums = LocalMemory.Allocate<float>(4 * 4 * 4);
        for (var i = 0; i < 64; i++)
        {
            sums[i] = 0;
        }

        for (var step = 0; step < steps; step++)
        {
            AsyncCopy.Wait(Stages - 2);
            Group.Barrier();
            var next = step + Stages - 1;
            LoadTiles(a, b, shared.SubView((next & (Stages - 1)) * StageElements), tileRow, tileColumn, next * TileK, k, m, n, next < steps);
            AsyncCopy.Commit();
            var tile = shared.SubView((step & (Stages - 1)) * StageElements);
            MultiplyTile(tile, tile.SubView(TileM * TileK), sums, warpRow, warpColumn);
        }

        Write(c, sums, tileRow + warpRow, tileColumn + warpColumn, n);
    }

    // 16-byte chunks, exchanged so that eight rows of a matrix lie in different banks.
    private static int Swizzled(int row, int chunk) => (row * TileK) + ((chunk ^ ((row >> 1) & 3)) * 8);

    private static void LoadTiles<T>(
        ArrayView<T> a, ArrayView<T> b, ArrayView<T> stage, int tileRow, int tileColumn, int start, int k, int m, int n, bool valid)
        where T : unmanaged
    {
        for (var pass = 0; pass < TileM * TileK / 8 / 256; pass++)
        {
            var chunk = Group.IdxX + (pass * 256);
            var row = chunk / (TileK / 8);
            var column = chunk % (TileK / 8);
            AsyncCopy.Copy16(stage.SubView(Swizzled(row, column)), a.SubView(((long)(tileRow + row) * k) + (start + (column * 8))), valid);
            AsyncCopy.Copy16(
                stage.SubView((TileM * TileK) + Swizzled(row, column)), b.SubView(((long)(tileColumn + row) * k) + (start + (column * 8))), valid);
        }
    }

    private static void MultiplyTile<T>(ArrayView<T> tileA, ArrayView<T> tileB, ArrayView<float> sums, int warpRow, int warpColumn)
        where T : unmanaged
    {
        var lane = Warp.LaneIdx;
        var fragmentsA = LocalMemory.Allocate<uint>(16);
        var fragmentsB = LocalMemory.Allocate<uint>(8);
        for (var inner = 0; inner < TileK / 16; inner++)
        {
            for (var i = 0; i < 4; i++)
            {
                var row = warpRow + (i * 16) + (lane % 16);
                LdMatrix.X4(
                    tileA.SubView(Swizzled(row, (inner * 2) + (lane / 16))),
                    out fragmentsA[i * 4], out fragmentsA[(i * 4) + 1], out fragmentsA[(i * 4) + 2], out fragmentsA[(i * 4) + 3]);
            }

            for (var j = 0; j < 2; j++)
            {
                var row = warpColumn + (j * 16) + (lane % 8) + (lane / 16 * 8);
                LdMatrix.X4(
                    tileB.SubView(Swizzled(row, (inner * 2) + (lane / 8 % 2))),
                    out fragmentsB[j * 4], out fragmentsB[(j * 4) + 1], out fragmentsB[(j * 4) + 2], out fragmentsB[(j * 4) + 3]);
            }

            for (var i = 0; i < 4; i++)
            {
                for (var j = 0; j < 4; j++)
                {
                    var at = ((i * 4) + j) * 4;
                    Mma.M16N8K16<T>(
                        ref sums[at], ref sums[at + 1], ref sums[at + 2], ref sums[at + 3],
                        fragmentsA[i * 4], fragmentsA[(i * 4) + 1], fragmentsA[(i * 4) + 2], fragmentsA[(i * 4) + 3],
                        fragmentsB[j * 2], fragmentsB[(j * 2) + 1]);
                }
            }
        }
    }

    private static void Write<T>(ArrayView<T> c, ArrayView<float> sums, int row, int column, int n)
        where T : unmanaged
    {
        var lane = Warp.LaneIdx;
        for (var i = 0; i < 4; i++)
        {
            for (var j = 0; j < 4; j++)
            {
                for (var half = 0; half < 2; half++)
                {
                    var at = (((i * 4) + j) * 4) + (half * 2);
                    var index = ((long)(row + (i * 16) + (lane / 4) + (half * 8)) * n) + (column + (j * 8) + (lane % 4 * 2));
                    c.SubView(index).Cast<uint>()[0] = Element.Pack<T>(sums[at], sums[at + 1]);
                }
            }
        }
    }
}
