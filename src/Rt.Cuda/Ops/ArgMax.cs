// ArgMax and TopK on the GPU device.
// Long rows are searched in parts by several groups.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    private const int ArgMaxPart = 16384;

    /// <inheritdoc/>
    public void ArgMax(Tensor x, Span<int> indices)
    {
        GpuGuard.Activations(nameof(ArgMax), this, x);
        if (indices.Length != x.Rows || x.Columns == 0)
        {
            throw new ShapeException($"ArgMax: {indices.Length} indices do not fit {x}");
        }

        if (indices.IsEmpty)
        {
            return;
        }

        using var scratch = Scratch();
        var result = scratch.Take(DType.I32, indices.Length);
        ArgMax(x, result);
        DownloadRaw(result, indices);
    }

    /// <summary>The same, into an I32 vector on the device.</summary>
    internal void ArgMax(Tensor x, Tensor indices)
    {
        using var scratch = Scratch();
        var parts = Groups(x.Columns, ArgMaxPart);
        var values = scratch.Take(DType.F32, 1, x.Rows, parts);
        var partIndices = scratch.Take(DType.I32, 1, x.Rows, parts);
        Start(Kernel(nameof(Kernels.ArgMax.ArgMaxKernel), ActivationElement))
            .AddRows(x).Add(x.Dim1).Add(x.Columns).Add(ArgMaxPart).Add(values).Add(partIndices).Add(x.Rows)
            .Add(IsAligned(x, Chunk(ActivationType, ActivationType)))
            .Run(parts, Math.Min(x.Rows, MostRowGroups));
        Start(Kernel(nameof(Kernels.ArgMax.ArgMaxPartsKernel), ActivationElement))
            .AddRows(x).Add(x.Dim1).Add(values).Add(partIndices).Add(parts).Add(indices)
            .Run(x.Rows);
    }

    /// <inheritdoc/>
    public void TopK(Tensor x, int count, Span<float> values, Span<int> indices)
    {
        GpuGuard.Activations(nameof(TopK), this, x);
        LargestElements.Check(x, count, values, indices);
        if (count > Kernels.TopK.Largest || x.Dim0 != 1)
        {
            LargestElements.TopK(this, x, count, values, indices);
            return;
        }

        using var scratch = Scratch();
        var foundValues = scratch.Take(DType.F32, values.Length);
        var foundIndices = scratch.Take(DType.I32, indices.Length);
        Start(Kernel(nameof(Kernels.TopK.TopKKernel), ActivationElement))
            .Add(x).Add(x.Stride1).Add(x.Columns).Add(count).Add(foundValues).Add(foundIndices)
            .Run(x.Rows);
        DownloadRaw(foundValues, values);
        DownloadRaw(foundIndices, indices);
    }
}
