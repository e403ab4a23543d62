// MatMul on the GPU device: which kernel, which tile, and how the stored parts of a linear map are taken together.
// Every choice depends on shapes, dtypes and alignment alone, never on values.
using System.Runtime.CompilerServices;
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    // Maps that hold gate and up in one part, as two parts.
    private readonly ConditionalWeakTable<Linear, LinearPart[]> _halves = [];

    /// <inheritdoc/>
    public void MatMul(Tensor x, Linear linear, bool accumulate, Tensor destination)
    {
        GpuGuard.Activations(nameof(MatMul), this, x);
        GpuGuard.Activations(nameof(MatMul), this, destination);
        CheckLinear(nameof(MatMul), x, linear);
        Guard.Fits(nameof(MatMul), x.Dim0 == 1 && Guard.IsMatrix(destination, x.Rows, linear.Out), x, destination);
        Product(x, linear.Parts, accumulate, destination);
    }

    /// <inheritdoc/>
    /// <remarks>The activation is part of the product's last step: gate and up never reach memory, unless their dtypes or widths differ.</remarks>
    public void MatMulActivate(Tensor x, Linear linear, Activation activation, bool gated, Tensor inner)
    {
        const string Op = nameof(MatMulActivate);
        GpuGuard.Activations(Op, this, x);
        GpuGuard.Activations(Op, this, inner);
        CheckLinear(Op, x, linear);
        Guard.Fits(Op, x.Dim0 == 1 && Guard.IsMatrix(inner, x.Rows, linear.Out) && (!gated || linear.Out % 2 == 0), x, inner);
        var code = 1 + (int)activation;
        if (!gated && linear.Parts.Length == 1)
        {
            Product(new MatrixProduct(x, linear.Parts, false, code, false, inner));
        }
        else if (gated && Halves(linear) is { } halves)
        {
            Product(new MatrixProduct(x, halves, false, code, true, inner.SliceColumns(0, linear.Out / 2)));
        }
        else
        {
            Product(x, linear.Parts, false, inner);
            var first = inner.SliceColumns(0, gated ? linear.Out / 2 : linear.Out);
            if (gated)
            {
                Gate(first, inner.SliceColumns(linear.Out / 2, linear.Out / 2), activation, first);
            }
            else
            {
                Activate(first, activation, first);
            }
        }
    }

    /// <summary>Gate and up as two parts of one dtype, layout and width; null where they are not.</summary>
    private LinearPart[]? Halves(Linear linear)
    {
        if (linear.Parts is [var gate, var up])
        {
            return gate.Out == up.Out && gate.InputMajor == up.InputMajor && gate.Weight.DType == up.Weight.DType
                && (gate.Bias?.DType ?? up.Bias?.DType) == (up.Bias?.DType ?? gate.Bias?.DType) ? linear.Parts : null;
        }

        if (linear.Parts is not [var fused])
        {
            return null;
        }

        if (!_halves.TryGetValue(linear, out var halves))
        {
            var width = fused.Out / 2;
            halves = [Half(0), Half(width)];
            _halves.Add(linear, halves);

            LinearPart Half(int first) => new(
                fused.InputMajor ? fused.Weight.SliceColumns(first, width) : fused.Weight.SliceRows(first, width),
                fused.Bias?.SliceColumns(first, width), fused.InputMajor);
        }

        return halves;
    }

    private void CheckLinear(string op, Tensor x, Linear linear)
    {
        foreach (ref readonly var part in linear.Parts.AsSpan())
        {
            GpuGuard.Weights(op, this, part.Weight);
            Guard.Fits(op, part.Weight.Dim0 == 1 && part.In == x.Columns, x, part.Weight);
            if (part.Bias is { } bias)
            {
                GpuGuard.Weights(op, this, bias);
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
