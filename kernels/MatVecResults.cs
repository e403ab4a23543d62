// The last step of matrix-vector products: the warps' sums, added in the order of the warps.
// Source: none needed.
using Rt.Gpu;

namespace Rt.Kernels;

internal static class MatVecResults
{
    /// <summary>Four columns per thread, of one half of the tile and one row.</summary>
    /// <param name="result">Where and how.</param>
    /// <param name="staging">Shared memory: the warps' sums, [warps, rows, rowStride], the first half's columns before the second's.</param>
    /// <param name="warps">Warps, a constant.</param>
    /// <param name="rows">Rows of a warp's sums.</param>
    /// <param name="rowStride">Elements from one of those rows to the next.</param>
    /// <param name="halfColumns">Columns of half a tile.</param>
    /// <param name="firstColumn">The first half's first column.</param>
    /// <param name="upFirst">The second half's first column.</param>
    /// <param name="gated">The halves are gate and partner.</param>
    public static void Write<TA, TD>(
        in MatMulResult<TD> result, ArrayView<float> staging, int warps, int rows, int rowStride, int halfColumns,
        int firstColumn, int upFirst, bool gated)
        where TA : unmanaged
        where TD : unmanaged
    {
        var quads = halfColumns / 4;
        for (var item = Group.IdxX; item < rows * quads * (gated ? 1 : 2); item += Group.DimX)
        {
            var row = item / quads % rows;
            var isUp = item >= rows * quads;
            var column = item % quads * 4;
            var at = row * rowStride + column + (isUp ? halfColumns : 0);
            var sums = LocalMemory.Allocate<float>(4);
            var up = LocalMemory.Allocate<float>(4);
            Sum(staging.SubView(at), warps, rows * rowStride, sums);
            if (gated)
            {
                Sum(staging.SubView(at + halfColumns), warps, rows * rowStride, up);
            }

            MatMulResults.Write<TA, TD>(result, row, (isUp ? upFirst : firstColumn) + column, sums, up, gated);
        }
    }

    private static void Sum(ArrayView<float> staging, int warps, int warpStride, ArrayView<float> sums)
    {
        var values = LocalMemory.Allocate<float>(4);
        Vectors.Load(staging, sums, 0, 4);
        for (var warp = 1; warp < warps; warp++)
        {
            Vectors.Load(staging.SubView(warp * warpStride), values, 0, 4);
            for (var i = 0; i < 4; i++)
            {
                sums[i] += values[i];
            }
        }
    }
}
