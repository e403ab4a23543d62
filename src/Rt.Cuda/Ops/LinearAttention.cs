// LinearAttention on the GPU device, in both forms: one launch per prefix, and one for rows without.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void LinearAttention(
        Tensor query, RowBatch rows, int layer, double scale, LinearAttentionForm form, Tensor destination)
    {
        const string Op = nameof(LinearAttention);
        CheckHeads(Op, query, rows, rows.Cache);
        CheckHeads(Op, destination, rows, rows.Cache);
        Guard.SameShape(Op, query, destination);
        if (rows.RowCount == 0)
        {
            return;
        }

        var matrix = form == LinearAttentionForm.WeightMatrix;
        var entry = ColumnsEntry(
            matrix ? nameof(Kernels.LinearAttention.WeightMatrixKernel) : nameof(Kernels.LinearAttention.LinearAttentionKernel), query.Columns);
        var own = rows.Cache[layer];
        for (var prefix = -1; prefix < rows.Prefixes.Count; prefix++)
        {
            var (key, value) = prefix < 0 ? own : rows.Prefixes[prefix].Cache[layer];
            var launch = Start(entry)
                .Add(query).Add(query.Stride0).Add((int)query.Stride1)
                .Add(own.Key).Add(own.Value).Add(own.Key.Stride0).Add((int)own.Key.Stride1)
                .Add(key).Add(value).Add(key.Stride0).Add((int)key.Stride1).Add(prefix)
                .Add(_batch.SequenceOfRow).Add(_batch.Sequences)
                .Add(query.Columns).Add(query.Dim1).Add(rows.Cache.KvHeads).Add((float)scale)
                .Add(destination).Add(destination.Stride0).Add((int)destination.Stride1);
            if (matrix)
            {
                launch.Run(rows.SequenceCount, rows.Cache.KvHeads, Groups(query.Columns, Kernels.LinearAttention.GroupMatrixRows));
            }
            else
            {
                launch.Run(rows.RowCount, Groups(query.Dim1, 4));
            }
        }
    }
}
