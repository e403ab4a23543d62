// What becomes of a matrix product's sums: bias, activation, gate, residual, rounding; or partial sums when the inner axis is split.
// Source: none needed.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>Where and how a group writes its part of the result.</summary>
/// <typeparam name="TD">Type of the destination.</typeparam>
internal struct MatMulResult<TD> where TD : unmanaged
{
    /// <summary>[rows, columns], from the first column of the part on.</summary>
    public ArrayView<TD> Destination;

    /// <summary>Elements from one row of the destination to the next.</summary>
    public long Stride;

    /// <summary>This split's sums [rows, columns] from the first column of the part on; empty where the inner axis is whole.</summary>
    public ArrayView<float> Partials;

    /// <summary>Elements from one row of the partial sums to the next.</summary>
    public long PartialsStride;

    /// <summary>[columns] of the part; empty for none.</summary>
    public ArrayView<byte> Bias;

    /// <summary>[columns] of the gated unit's second part; empty for none.</summary>
    public ArrayView<byte> UpBias;

    /// <summary>0 F32, 1 BF16, 2 F16, for both biases.</summary>
    public int BiasType;

    /// <summary>The sums join what the destination holds.</summary>
    public bool Accumulate;

    /// <summary>0 none, else 1 + the value of Rt.Core.Activation.</summary>
    public int Activation;

    /// <summary>Rows.</summary>
    public int Rows;

    /// <summary>Columns of the part.</summary>
    public int Columns;

    /// <summary>Whether four results may be moved at once.</summary>
    public bool Aligned;
}

/// <summary>Writing of results, four columns at a time.</summary>
internal static class MatMulResults
{
    /// <summary>The result of one tile; parameters of <see cref="MatMulFma.MatMulFmaLargeKernel"/>.</summary>
    public static MatMulResult<TD> Of<TWeight, TD>(
        in ProductTile<TWeight> tile, int out0, int out1, int out2, int rows, ArrayView<float> partials, ArrayView<TD> destination,
        long stride, bool accumulate, int activation, bool aligned)
        where TWeight : unmanaged
        where TD : unmanaged
    {
        MatMulResult<TD> result;
        result.Destination = destination.SubView(tile.FirstOfPart);
        result.Stride = stride;
        result.PartialsStride = out0 + out1 + out2;
        result.Partials = partials;
        if (partials.Length > 0)
        {
            result.Partials = partials.SubView(Grid.IdxY * result.PartialsStride * rows + tile.FirstOfPart);
        }

        result.Bias = tile.Bias;
        result.UpBias = tile.UpBias;
        result.BiasType = tile.BiasType;
        result.Accumulate = accumulate;
        result.Activation = activation;
        result.Rows = rows;
        result.Columns = tile.Columns;
        result.Aligned = aligned;
        return result;
    }

    /// <summary>Element <paramref name="column"/> of a bias; 0 where there is none.</summary>
    public static float Bias(ArrayView<byte> bias, int type, int column, int columns)
    {
        var value = 0f;
        if (bias.Length > 0 && column < columns)
        {
            if (type == 0)
            {
                value = bias.Cast<float>()[column];
            }
            else if (type == 1)
            {
                value = Element.ToFloat(bias.Cast<BFloat16>()[column]);
            }
            else
            {
                value = Element.ToFloat(bias.Cast<Half>()[column]);
            }
        }

        return value;
    }

    /// <summary>An activation chosen at run time, the same for all threads.</summary>
    public static float Activate<TA>(int activation, float x) where TA : unmanaged
    {
        var result = x;
        if (activation == 1)
        {
            result = Relu.Apply<TA>(x);
        }
        else if (activation == 2)
        {
            result = Silu.Apply<TA>(x);
        }
        else if (activation == 3)
        {
            result = Gelu.Apply<TA>(x);
        }
        else if (activation == 4)
        {
            result = GeluTanh.Apply<TA>(x);
        }

        return result;
    }

    /// <summary>Four sums of one row; those beyond the rows or columns are dropped.</summary>
    /// <param name="result">Where and how.</param>
    /// <param name="row">Row.</param>
    /// <param name="column">First column, a multiple of four.</param>
    /// <param name="sums">[4] in registers; overwritten.</param>
    /// <param name="bias">[4] in registers: biases of these columns.</param>
    public static void Write<TA, TD>(
        in MatMulResult<TD> result, int row, int column, ArrayView<float> sums, ArrayView<float> bias)
        where TA : unmanaged
        where TD : unmanaged
    {
        if (row < result.Rows)
        {
            if (result.Partials.Length > 0)
            {
                Vectors.Store(
                    result.Partials.SubView(row * result.PartialsStride), column, result.Columns, result.Aligned, sums, 0, 4);
            }
            else
            {
                for (var i = 0; i < 4; i++)
                {
                    sums[i] = Activate<TA>(result.Activation, sums[i] + bias[i]);
                }

                Finish(result, row, column, sums);
            }
        }
    }

    /// <summary>Four sums of a gate and of its partner, one row: activation(gate) * up.</summary>
    /// <param name="result">Where and how.</param>
    /// <param name="row">Row.</param>
    /// <param name="column">First column, a multiple of four.</param>
    /// <param name="sums">[4] in registers: the gate's; overwritten.</param>
    /// <param name="up">[4] in registers: the partner's.</param>
    /// <param name="bias">[4] in registers.</param>
    /// <param name="upBias">[4] in registers.</param>
    public static void WriteGated<TA, TD>(
        in MatMulResult<TD> result, int row, int column, ArrayView<float> sums, ArrayView<float> up, ArrayView<float> bias,
        ArrayView<float> upBias)
        where TA : unmanaged
        where TD : unmanaged
    {
        if (row < result.Rows)
        {
            for (var i = 0; i < 4; i++)
            {
                sums[i] = Activate<TA>(result.Activation, sums[i] + bias[i]) * (up[i] + upBias[i]);
            }

            Finish(result, row, column, sums);
        }
    }

    private static void Finish<TD>(in MatMulResult<TD> result, int row, int column, ArrayView<float> values) where TD : unmanaged
    {
        var target = result.Destination.SubView(row * result.Stride);
        if (result.Accumulate)
        {
            var old = LocalMemory.Allocate<float>(4);
            Vectors.Load(target, column, result.Columns, result.Aligned, old, 0, 4);
            for (var i = 0; i < 4; i++)
            {
                values[i] = old[i] + values[i];
            }
        }

        Vectors.Store(target, column, result.Columns, result.Aligned, values, 0, 4);
    }
}
