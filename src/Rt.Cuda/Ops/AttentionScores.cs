// AttentionScores on the GPU device: one launch per prefix, and one for rows without.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void AttentionScores(
        Tensor query, RowBatch rows, int layer, in AttentionOptions options, bool probabilities, Tensor destination)
    {
        const string Op = nameof(AttentionScores);
        CheckHeads(Op, query, rows, rows.Cache);
        CheckOptions(Op, options, query);
        GpuGuard.Activations(Op, this, destination);
        Guard.Fits(Op, destination.Dim0 == query.Dim0 && destination.Dim1 == query.Dim1, query, destination);
        if (rows.RowCount == 0)
        {
            return;
        }

        var own = rows.Cache[layer].Key;
        var entry = ColumnsEntry(nameof(Kernels.AttentionScores.AttentionScoresKernel), query.Columns);
        for (var prefix = -1; prefix < rows.Prefixes.Count; prefix++)
        {
            var key = prefix < 0 ? own : rows.Prefixes[prefix].Cache[layer].Key;
            Start(entry)
                .Add(query).Add(query.Stride0).Add((int)query.Stride1)
                .Add(own).Add(own.Stride0).Add((int)own.Stride1)
                .Add(key).Add(key.Stride0).Add((int)key.Stride1).Add(prefix)
                .Add(_batch.SequenceOfRow).Add(_batch.Sequences).Add(options.AlibiSlopes)
                .Add(query.Columns).Add(query.Dim1).Add(rows.Cache.KvHeads)
                .Add((float)options.Scale).Add((float)options.SoftCap).Add(Window(options)).Add(probabilities).Add(destination.Columns)
                .Add(destination).Add(destination.Stride0).Add((int)destination.Stride1)
                .Run(rows.RowCount, Groups(query.Dim1, 4));
        }
    }
}
