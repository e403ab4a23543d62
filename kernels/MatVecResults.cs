// The last step of matrix-vector products: the warps' sums, added in the order of the warps.
// Source: none needed.
using Rt.Gpu;

namespace Rt.Kernels;

internal static class MatVecResults
{
    /// <summary>Four columns of each half of a tile, of one row.</summary>
    /// <param name="result">Where and how.</param>
    /// <param name="staging">Shared memory: the warps' sums.</param>
    /// <param name="warps">Warps, a constant.</param>
    /// <param name="warpStride">Elements from one warp's sums to the next.</param>
    /// <param name="row">Row of the result.</param>
    /// <param name="rowStart">Where that row begins in a warp's sums.</param>
    /// <param name="column">First column within the half.</param>
    /// <param name="halfColumns">Columns of half a tile.</param>
    /// <param name="firstColumn">The first half's first column.</param>
    /// <param name="upFirst">The second half's first column.</param>
    /// <param name="gated">The halves are gate and partner.</param>
    public static void Write<TA, TD>(
        in MatMulResult<TD> result, ArrayView<float> staging, int warps, int warpStride, int row, int rowStart, int column, int halfColumns,
        int firstColumn, int upFirst, bool gated)
        where TA : unmanaged
        where TD : unmanaged
    {
        var left = LocalMemory.Allocate<float>(4);
        var right = LocalMemory.Allocate<float>(4);
        var bias = LocalMemory.Allocate<float>(4);
        var upBias = LocalMemory.Allocate<float>(4);
        for (var i = 0; i < 4; i++)
        {
            bias[i] = MatMulResults.Bias(result.Bias, result.BiasType, firstColumn + column + i, result.Columns);
            upBias[i] = MatMulResults.Bias(result.UpBias, result.BiasType, upFirst + column + i, result.Columns);
        }

        Sum(staging.SubView(rowStart + column), warps, warpStride, left);
        Sum(staging.SubView(rowStart + halfColumns + column), warps, warpStride, right);
        if (gated)
        {
            MatMulResults.WriteGated<TA, TD>(result, row, firstColumn + column, left, right, bias, upBias);
        }
        else
        {
            MatMulResults.Write<TA, TD>(result, row, firstColumn + column, left, bias);
            MatMulResults.Write<TA, TD>(result, row, upFirst + column, right, upBias);
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
