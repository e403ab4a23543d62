// AppendKv on the GPU device: one launch that rotates queries in place and keys on their way into the cache.
using Rt.Core;
using Rt.Gpu;
using Rt.Kernels;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    private KernelEntry? _appendVectors;
    private KernelEntry? _appendElements;

    /// <inheritdoc/>
    public void AppendKv(Tensor query, Tensor key, Tensor value, RowBatch rows, int layer, RotaryTable? rotary)
    {
        const string Op = nameof(AppendKv);
        var cache = rows.Cache[layer];
        CheckHeads(Op, query, rows, rows.Cache);
        CheckKeys(Op, key, rows);
        CheckKeys(Op, value, rows);
        var rotaryDim = rotary?.RotaryDim ?? 0;
        if (rotary is not null)
        {
            GpuGuard.Activations(Op, this, rotary.Cos);
            GpuGuard.Activations(Op, this, rotary.Sin);
            Guard.Fits(
                Op, rotaryDim % 2 == 0 && rotaryDim <= query.Columns && rotary.Cos.Columns == rotaryDim / 2 && rotary.Cos.Stride1 == rotary.Sin.Stride1,
                rotary.Cos, query);
            Guard.SameShape(Op, rotary.Cos, rotary.Sin);
            CheckAngles(Op, rows, rotary);
        }

        if (rows.RowCount == 0)
        {
            return;
        }

        var length = 16 / ActivationType.Bytes();
        // Pairs that lie half a rotation apart are vectors of their own.
        var vectors = query.Columns % length == 0 && rotaryDim % (2 * length) == 0
            && AreAligned(query) && AreAligned(key) && AreAligned(value) && AreAligned(cache.Key) && AreAligned(cache.Value)
            && (rotary is null || (IsAligned(rotary.Cos) && IsAligned(rotary.Sin) && rotary.Cos.Stride1 % length == 0));
        var entry = vectors
            ? _appendVectors ??= KernelCatalog.Find(
                nameof(Kernels.AppendKv.AppendKvKernel), ActivationElement, ActivationType == DType.F32 ? typeof(Count4) : typeof(Count8))
            : _appendElements ??= KernelCatalog.Find(nameof(Kernels.AppendKv.AppendKvKernel), ActivationElement, typeof(Count1));
        var units = Kernels.AppendKv.Units(vectors ? length : 1, rotaryDim, query.Columns, query.Dim1, key.Dim1);
        Tensor? angles = rotary is { ByRow: true } ? null : _batch.Positions;
        Start(entry)
            .Add(query).Add(query.Stride0).Add((int)query.Stride1)
            .Add(key).Add(key.Stride0).Add((int)key.Stride1)
            .Add(value).Add(value.Stride0).Add((int)value.Stride1)
            .Add(cache.Key).Add(cache.Value).Add(cache.Key.Stride0).Add((int)cache.Key.Stride1)
            .Add(_batch.SequenceOfRow).Add(_batch.Sequences).Add(angles)
            .Add(rotary?.Cos).Add(rotary?.Sin).Add((int)(rotary?.Cos.Stride1 ?? 0))
            .Add(rotaryDim).Add(rotary is { Interleaved: true }).Add(query.Columns).Add(query.Dim1).Add(key.Dim1)
            .Run(rows.RowCount, Groups(units, entry.GroupSize));
    }

    private static void CheckAngles(string op, RowBatch rows, RotaryTable rotary)
    {
        var needed = rows.RowCount;
        if (!rotary.ByRow)
        {
            needed = 0;
            foreach (var position in rows.Positions)
            {
                needed = Math.Max(needed, position + 1);
            }
        }

        if (needed > rotary.Cos.Rows)
        {
            throw new ShapeException($"{op}: {needed} rotary angles exceed the table {rotary.Cos}");
        }
    }
}
