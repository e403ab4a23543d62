// MatMul on the GPU device: which kernel, which tile, and how the stored parts of a linear map are taken together.
// Every choice depends on shapes, dtypes and alignment alone, never on values.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void MatMul(Tensor x, Linear linear, bool accumulate, Tensor destination)
    {
        Guard.Activations(nameof(MatMul), this, x);
        Guard.Activations(nameof(MatMul), this, destination);
        CheckLinear(nameof(MatMul), x, linear);
        Guard.Fits(nameof(MatMul), x.Dim0 == 1 && Guard.IsMatrix(destination, x.Rows, linear.Out), x, destination);
        Product(x, linear.Parts, accumulate, destination);
    }

    private void CheckLinear(string op, Tensor x, Linear linear)
    {
        foreach (ref readonly var part in linear.Parts.AsSpan())
        {
            Guard.Weights(op, this, part.Weight);
            Guard.Fits(op, part.Weight.Dim0 == 1 && part.In == x.Columns, x, part.Weight);
            if (part.Bias is { } bias)
            {
                Guard.Weights(op, this, bias);
                Guard.Fits(op, bias.IsContiguous, x, bias);
            }
        }
    }

    /// <summary>destination = x Wᵀ + b in the activations' dtype or F32: parts of one dtype and layout share a launch, up to three.</summary>
    private void Product(Tensor x, ReadOnlySpan<LinearPart> parts, bool accumulate, Tensor destination)
    {
        var column = 0;
        for (var first = 0; first < parts.Length;)
        {
            var end = first + 1;
            var columns = parts[first].Out;
            while (end < parts.Length && end - first < MostParts && parts[end].InputMajor == parts[first].InputMajor
                && parts[end].Weight.DType == parts[first].Weight.DType)
            {
                columns += parts[end++].Out;
            }

            Product(new MatrixProduct(x, parts[first..end], accumulate, 0, false, destination.SliceColumns(column, columns)));
            column += columns;
            first = end;
        }
    }
}
