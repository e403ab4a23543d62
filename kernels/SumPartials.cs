// The second stage of products whose inner axis was split: partial sums added in the order of the splits.
// Source: none needed.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>destination = the sum of partial products, with bias, activation or gate, and residual.</summary>
public static class SumPartials
{
    /// <summary>Threads per group.</summary>
    public const int GroupSize = 128;

    /// <summary>Four columns of one row per thread; other parameters as in <see cref="MatMulFma.MatMulFmaLargeKernel"/>.</summary>
    /// <param name="partials">[splits, rows, out0 + out1 + out2].</param>
    /// <param name="splits">Splits.</param>
    /// <param name="out0">Columns of the first part.</param>
    /// <param name="out1">Columns of the second part.</param>
    /// <param name="out2">Columns of the third part.</param>
    /// <param name="bias0">[out0] of the type that <paramref name="biasTypes"/> says; empty for none.</param>
    /// <param name="bias1">[out1].</param>
    /// <param name="bias2">[out2].</param>
    /// <param name="biasTypes">Two bits per part: 0 F32, 1 BF16, 2 F16.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="destination">[rows, columns]; [rows, out0] where gated.</param>
    /// <param name="stride">Elements from one row of the destination to the next.</param>
    /// <param name="accumulate">The sums join what the destination holds.</param>
    /// <param name="activation">0 none, else 1 + the value of Rt.Core.Activation.</param>
    /// <param name="gated">The result is activation(first part) * second part.</param>
    /// <param name="aligned">Whether four results may be moved at once.</param>
    /// <param name="partialsAligned">Whether four partial sums may be.</param>
    /// <remarks>Grid: x = columns of the widest part / 512, y = rows (with a stride), z = parts (1 where gated). Group 128. No shared memory. Reads splits partial sums of 4 bytes per column, writes a
    /// result; a FLOP per partial sum.</remarks>
    [Kernel(GroupSize)]
    [Instance(typeof(float))]
    [Instance(typeof(BFloat16))]
    [Instance(typeof(Half))]
    internal static void SumPartialsKernel<TD>(
        [ReadOnlyView] ArrayView<float> partials, int splits, int out0, int out1, int out2,
        [ReadOnlyView] ArrayView<byte> bias0, [ReadOnlyView] ArrayView<byte> bias1, [ReadOnlyView] ArrayView<byte> bias2, int biasTypes,
        int rows, ArrayView<TD> destination, long stride, bool accumulate, int activation, bool gated, bool aligned, bool partialsAligned)
        where TD : unmanaged
    {
        var columns = out0;
        var firstOfPart = 0;
        var bias = bias0;
        if (Grid.IdxZ == 1)
        {
            columns = out1;
            firstOfPart = out0;
            bias = bias1;
        }
        else if (Grid.IdxZ == 2)
        {
            columns = out2;
            firstOfPart = out0 + out1;
            bias = bias2;
        }

        var total = out0 + out1 + out2;
        var column = (Grid.IdxX * GroupSize + Group.IdxX) * 4;
        if (column < columns)
        {
            MatMulResult<TD> result;
            result.Destination = destination.SubView(firstOfPart);
            result.Stride = stride;
            result.Partials = partials.SubView(0, 0);
            result.PartialsStride = 0;
            result.Bias = bias;
            result.UpBias = bias1;
            result.BiasType = (biasTypes >> (2 * Grid.IdxZ)) & 3;
            result.Accumulate = accumulate;
            result.Activation = activation;
            result.Rows = rows;
            result.Columns = columns;
            result.Aligned = aligned;
            for (var row = Grid.IdxY; row < rows; row += Grid.DimY)
            {
                var sums = LocalMemory.Allocate<float>(4);
                var up = LocalMemory.Allocate<float>(4);
                Sum(partials.SubView((long)row * total + firstOfPart), (long)rows * total, splits, column, columns, partialsAligned, sums);
                if (gated)
                {
                    Sum(partials.SubView((long)row * total + out0), (long)rows * total, splits, column, columns, partialsAligned, up);
                }

                MatMulResults.Write<TD, TD>(result, row, column, sums, up, gated);
            }
        }
    }

    /// <summary>Work of one launch.</summary>
    /// <param name="splits">Splits.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns of the partial sums.</param>
    /// <param name="resultColumns">Columns of the result.</param>
    /// <param name="resultBytes">Bytes of a result element.</param>
    public static KernelCost Cost(int splits, int rows, int columns, int resultColumns, int resultBytes) =>
        new(4L * splits * rows * columns, (long)rows * resultColumns * resultBytes, (long)splits * rows * columns);

    private static void Sum(
        ArrayView<float> partials, long split, int splits, int column, int end, bool aligned, ArrayView<float> sums)
    {
        for (var i = 0; i < 4; i++)
        {
            sums[i] = 0f;
        }

        for (var s = 0; s < splits; s++)
        {
            var values = LocalMemory.Allocate<float>(4);
            Vectors.Load(partials.SubView(s * split), column, end, aligned, values, 0, 4);
            for (var i = 0; i < 4; i++)
            {
                sums[i] += values[i];
            }
        }
    }
}
