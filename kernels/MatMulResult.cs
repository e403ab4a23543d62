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

    /// <summary>Four sums of one row, with bias, activation, gate and residual, or as partial sums; what lies beyond the rows or columns is dropped.</summary>
    /// <param name="result">Where and how.</param>
    /// <param name="row">Row.</param>
    /// <param name="column">First column, a multiple of four.</param>
    /// <param name="sums">[4] in registers; overwritten.</param>
    /// <param name="up">[4] in registers: the partner's sums where <paramref name="gated"/>.</param>
    /// <param name="gated">The result is activation(sums) * up.</param>
    public static void Write<TA, TD>(
        in MatMulResult<TD> result, int row, int column, ArrayView<float> sums, ArrayView<float> up, bool gated)
        where TA : unmanaged
        where TD : unmanaged
    {
        if (row < result.Rows && column < result.Columns)
        {
            if (result.Partials.Length > 0)
            {
                Vectors.Store(
                    result.Partials.SubView(row * result.PartialsStride), column, result.Columns, result.Aligned, sums, 0, 4);
            }
            else
            {
                AddBias(result.Bias, result.BiasType, column, result.Columns, sums);
                Activate<TA>(result.Activation, sums);
                if (gated)
                {
                    AddBias(result.UpBias, result.BiasType, column, result.Columns, up);
                    for (var i = 0; i < 4; i++)
                    {
                        sums[i] *= up[i];
                    }
                }

                Finish(result, row, column, sums);
            }
        }
    }

    /// <summary>values += bias; element by element, because a bias of any dtype and alignment is allowed.</summary>
    public static void AddBias(ArrayView<byte> bias, int type, int column, int columns, ArrayView<float> values)
    {
        if (bias.Length > 0)
        {
            if (type == 0)
            {
                AddElements(bias.Cast<float>(), column, columns, values);
            }
            else if (type == 1)
            {
                AddElements(bias.Cast<BFloat16>(), column, columns, values);
            }
            else
            {
                AddElements(bias.Cast<Half>(), column, columns, values);
            }
        }
    }

    private static void AddElements<T>(ArrayView<T> bias, int column, int columns, ArrayView<float> values) where T : unmanaged
    {
        for (var i = 0; i < 4; i++)
        {
            if (column + i < columns)
            {
                values[i] += Element.ToFloat(bias[column + i]);
            }
        }
    }

    /// <summary>An activation chosen at run time, the same for all threads.</summary>
    private static void Activate<TA>(int activation, ArrayView<float> values) where TA : unmanaged
    {
        if (activation == 1)
        {
            Apply<TA, Relu>(values);
        }
        else if (activation == 2)
        {
            Apply<TA, Silu>(values);
        }
        else if (activation == 3)
        {
            Apply<TA, Gelu>(values);
        }
        else if (activation == 4)
        {
            Apply<TA, GeluTanh>(values);
        }
    }

    private static void Apply<TA, TActivation>(ArrayView<float> values) where TA : unmanaged where TActivation : struct, IActivation
    {
        for (var i = 0; i < 4; i++)
        {
            values[i] = TActivation.Apply<TA>(values[i]);
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
