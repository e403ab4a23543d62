// GatherRows and PatchRows on the GPU device.
// A launch patches no row twice: vectors for a row that was patched before go into a later launch.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    private int[] _patchOfRow = [];
    private int _patch;

    /// <inheritdoc/>
    public void GatherRows(Tensor x, ReadOnlySpan<int> rowIndices, Tensor destination)
    {
        const string Op = nameof(GatherRows);
        GpuGuard.Activations(Op, this, x);
        GpuGuard.Activations(Op, this, destination);
        Guard.Fits(Op, destination.Rows == rowIndices.Length && destination.Columns == x.Columns, x, destination);
        Guard.Indices(Op, rowIndices, x.Rows, x);
        if (rowIndices.IsEmpty)
        {
            return;
        }

        var count = Chunk(ActivationType, ActivationType);
        var indices = Indices(rowIndices);
        Start(Kernel(nameof(Kernels.GatherRows.GatherRowsKernel), ActivationElement))
            .AddRows(x).Add(x.Dim1).Add(indices).AddRows(destination).Add(destination.Dim1).Add(rowIndices.Length).Add(x.Columns)
            .Add(IsAligned(x, count) && IsAligned(destination, count))
            .Run(Groups(x.Columns, Kernels.Elementwise.GroupSize * count), Math.Min(rowIndices.Length, MostRowGroups));
    }

    /// <inheritdoc/>
    public void PatchRows(Tensor x, ReadOnlySpan<int> rowIndices, Tensor vectors, PatchMode mode, double scale)
    {
        const string Op = nameof(PatchRows);
        GpuGuard.Activations(Op, this, x);
        GpuGuard.Activations(Op, this, vectors);
        Guard.Fits(Op, vectors.Rows == rowIndices.Length && vectors.Columns == x.Columns, x, vectors);
        Guard.Indices(Op, rowIndices, x.Rows, x);
        if (rowIndices.IsEmpty)
        {
            return;
        }

        Guard.Fits(Op, vectors.Dim0 == 1, x, vectors);
        if (_patchOfRow.Length < x.Rows)
        {
            _patchOfRow = new int[x.Rows];
        }

        var indices = Indices(rowIndices);
        for (var first = 0; first < rowIndices.Length;)
        {
            _patch++;
            var end = first;
            while (end < rowIndices.Length && _patchOfRow[rowIndices[end]] != _patch)
            {
                _patchOfRow[rowIndices[end++]] = _patch;
            }

            PatchDistinctRows(
                x, indices.SliceColumns(first, end - first), vectors.SliceRows(first, end - first), mode == PatchMode.Add, (float)scale);
            first = end;
        }
    }

    private void PatchDistinctRows(Tensor x, Tensor indices, Tensor vectors, bool add, float scale)
    {
        var count = Chunk(ActivationType, ActivationType);
        Start(Kernel(nameof(Kernels.PatchRows.PatchRowsKernel), ActivationElement))
            .AddRows(x).Add(x.Dim1).Add(indices).AddRows(vectors).Add(vectors.Dim1).Add(vectors.Rows).Add(x.Columns).Add(scale).Add(add)
            .Add(IsAligned(x, count) && IsAligned(vectors, count))
            .Run(Groups(x.Columns, Kernels.Elementwise.GroupSize * count), Math.Min(vectors.Rows, MostRowGroups));
    }
}
