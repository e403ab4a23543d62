// Embed and AddPositions on the GPU device: rows of tables by the batch's tokens and positions.
// Tokens and positions are read on the device; the host checks them against the tables.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void Embed(RowBatch rows, Tensor table, double scale, Tensor destination)
    {
        GpuGuard.Weights(nameof(Embed), this, table);
        GpuGuard.Activations(nameof(Embed), this, destination);
        Guard.Fits(nameof(Embed), table.Dim0 == 1 && Guard.IsMatrix(destination, rows.RowCount, table.Columns), table, destination);
        Guard.Indices(nameof(Embed), rows.TokenIds, table.Rows, table);
        var count = Chunk(ActivationType, table.DType);
        Start(Kernel(nameof(Kernels.Embed.EmbedKernel), ActivationElement, ElementOf(table.DType)))
            .Add(_batch.TokenIds).Add(table).Add(table.Stride1).Add((float)scale).Add(destination).Add(destination.Stride1)
            .Add(rows.RowCount).Add(table.Columns).Add(IsAligned(table, count) && IsAligned(destination, count))
            .Run(Groups(table.Columns, Kernels.Elementwise.GroupSize * count), Math.Min(rows.RowCount, MostRowGroups));
    }

    /// <inheritdoc/>
    public void AddPositions(RowBatch rows, Tensor table, int offset, Tensor destination)
    {
        GpuGuard.Weights(nameof(AddPositions), this, table);
        GpuGuard.Activations(nameof(AddPositions), this, destination);
        Guard.Fits(nameof(AddPositions), table.Dim0 == 1 && Guard.IsMatrix(destination, rows.RowCount, table.Columns), table, destination);
        foreach (var position in rows.Positions)
        {
            if ((ulong)(position + (long)offset) >= (ulong)table.Rows)
            {
                throw new ShapeException($"AddPositions: position {position} + {offset} is outside {table}");
            }
        }

        var count = Chunk(ActivationType, table.DType);
        Start(Kernel(nameof(Kernels.AddPositions.AddPositionsKernel), ActivationElement, ElementOf(table.DType)))
            .Add(_batch.Positions).Add(table).Add(table.Stride1).Add(offset).Add(destination).Add(destination.Stride1)
            .Add(rows.RowCount).Add(table.Columns).Add(IsAligned(table, count) && IsAligned(destination, count))
            .Run(Groups(table.Columns, Kernels.Elementwise.GroupSize * count), Math.Min(rows.RowCount, MostRowGroups));
    }
}
