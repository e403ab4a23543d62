// Normalize on the GPU device: a warp per row where it fits its registers, else a group per row.
// Weight and bias of different dtypes are brought to F32 first.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    // From this many rows on, a warp per row keeps the GPU as busy as a group per row does.
    private const int RowsForWarps = 64;

    // Widest row for which a warp is enough however few rows there are.
    private const int NarrowRow = 256;

    /// <inheritdoc/>
    public void Normalize(Tensor x, Norm norm, Tensor destination)
    {
        GpuGuard.Activations(nameof(Normalize), this, x);
        Normalize(nameof(Normalize), x, null, norm, destination);
    }

    /// <inheritdoc/>
    public void AddNormalize(Tensor x, Tensor y, Norm norm, Tensor destination)
    {
        GpuGuard.Activations(nameof(AddNormalize), this, x);
        GpuGuard.Activations(nameof(AddNormalize), this, y);
        Guard.SameShape(nameof(AddNormalize), x, y);
        Normalize(nameof(AddNormalize), x, y, norm, destination);
    }

    private void Normalize(string op, Tensor x, Tensor? added, Norm norm, Tensor destination)
    {
        GpuGuard.Activations(op, this, destination);
        Guard.SameShape(op, x, destination);
        using var scratch = Scratch();
        var weight = CheckNormWeight(op, x, norm.Weight);
        var bias = CheckNormWeight(op, x, norm.Bias);
        var type = weight?.DType ?? bias?.DType ?? DType.F32;
        if (bias is { } other && other.DType != type)
        {
            type = DType.F32;
            bias = Converted(other, scratch);
            weight = weight is { } first ? Converted(first, scratch) : null;
        }

        var count = Chunk(ActivationType, ActivationType);
        var aligned = IsAligned(x, count) && IsAligned(destination, count) && (added is not { } y || IsAligned(y, count))
            && (weight is not { } w || IsAligned(w, count)) && (bias is not { } b || IsAligned(b, count));
        var perWarp = x.Columns <= Kernels.Normalize.WarpWidth(ActivationType.Bytes()) && (x.Rows >= RowsForWarps || x.Columns <= NarrowRow);
        var kernel = perWarp ? nameof(Kernels.Normalize.NormalizeWarpKernel) : nameof(Kernels.Normalize.NormalizeGroupKernel);
        Start(Kernel(kernel, ActivationElement, ElementOf(type)))
            .AddRows(x).Add(added).Add(added?.Stride0 ?? 0).Add(added?.Stride1 ?? 0).Add(weight).Add(bias)
            .Add((float)norm.WeightOffset).Add((float)norm.Epsilon).Add(norm.Kind == NormKind.Layer)
            .AddRows(destination).Add(x.Dim1).Add(x.Rows).Add(x.Columns).Add(aligned)
            .Run(perWarp ? Groups(x.Rows, Kernels.Normalize.WarpRows) : x.Rows);
    }

    private Tensor? CheckNormWeight(string op, Tensor x, Tensor? tensor)
    {
        if (tensor is { } weight)
        {
            GpuGuard.Weights(op, this, weight);
            Guard.Fits(op, weight.Count == x.Columns && weight.IsContiguous, x, weight);
        }

        return tensor;
    }

    private Tensor Converted(Tensor source, in Scratch scratch)
    {
        var converted = scratch.Take(DType.F32, source.Columns);
        Copy(source, converted);
        return converted;
    }
}
