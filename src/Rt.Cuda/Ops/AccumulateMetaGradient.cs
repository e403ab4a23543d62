// AccumulateMetaGradient on the GPU device: keys and values of a layer in one launch, norms in a second.
// Kept keys and values and their velocity are F32; current is F32 or the activations' dtype, and so is the copy.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void AccumulateMetaGradient(
        KvLayer current, KvLayer kept, KvLayer velocity, in MetaGradientStep step, Tensor? squaredNorms, KvLayer? copy = null)
    {
        const string Op = nameof(AccumulateMetaGradient);
        CheckUpdate(Op, current, kept, velocity, copy);
        if (squaredNorms is { } norms)
        {
            Guard.Fits(Op, norms is { DType: DType.F64, Count: 2, IsContiguous: true }, current.Key, norms);
        }

        var whole = HasAdjacentEntries(current) && HasAdjacentEntries(kept) && HasAdjacentEntries(velocity)
            && (copy is not { } other || HasAdjacentEntries(other));
        var heads = current.Key.Dim0;
        var launches = whole ? 1 : heads;
        var rows = whole ? heads : current.Key.Dim1;
        var width = whole ? current.Key.Dim1 * current.Key.Dim2 : current.Key.Dim2;
        if (current.Key.Count == 0)
        {
            return;
        }

        using var scratch = Scratch();
        var gridX = Groups(width, Kernels.AccumulateMetaGradient.GroupElements);
        var gridY = Math.Min(rows, MostRowGroups);
        Tensor? partials = squaredNorms is null ? null : scratch.Take(DType.F64, launches, 2, gridX * gridY);
        for (var i = 0; i < launches; i++)
        {
            Update(
                whole ? current : Head(current, i), whole ? kept : Head(kept, i), whole ? velocity : Head(velocity, i),
                copy is not { } target ? null : whole ? target : Head(target, i), step, partials?.Slice(i, 1), whole, rows, width, gridX, gridY);
        }

        if (squaredNorms is { } result)
        {
            Start(Kernel(nameof(Kernels.AccumulateMetaGradient.SquaredNormKernel)))
                .Add(partials!.Value).Add(launches).Add(gridX * gridY).Add(result)
                .Run(2);
        }
    }

    private void Update(
        KvLayer current, KvLayer kept, KvLayer velocity, KvLayer? copy, in MetaGradientStep step, Tensor? partials, bool whole,
        int rows, int width, int gridX, int gridY)
    {
        const int Count = 4;
        long Stride(in Tensor tensor) => whole ? tensor.Stride0 : tensor.Stride1;
        var aligned = IsAligned(current.Key, Count) && IsAligned(current.Value, Count) && IsAligned(kept.Key, Count) && IsAligned(kept.Value, Count)
            && IsAligned(velocity.Key, Count) && IsAligned(velocity.Value, Count)
            && (copy is not { } other || (IsAligned(other.Key, Count) && IsAligned(other.Value, Count)));
        var kernel = Kernel(
            nameof(Kernels.AccumulateMetaGradient.AccumulateMetaGradientKernel),
            ElementOf(current.Key.DType), ElementOf(copy?.Key.DType ?? current.Key.DType), ElementOf(step.Precision));
        Start(kernel)
            .Add(current.Key).Add(current.Value).Add(Stride(current.Key))
            .Add(kept.Key).Add(kept.Value).Add(Stride(kept.Key))
            .Add(velocity.Key).Add(velocity.Value).Add(Stride(velocity.Key))
            .Add(copy?.Key).Add(copy?.Value).Add(copy is { } target ? Stride(target.Key) : 0)
            .Add((float)step.StepSize).Add((float)step.Momentum).Add(step.UpdateKey).Add(step.UpdateValue)
            .Add(partials).Add(rows).Add(width).Add(aligned)
            .Run(gridX, gridY, 2);
    }

    private void CheckUpdate(string op, KvLayer current, KvLayer kept, KvLayer velocity, KvLayer? copy)
    {
        CheckPair(op, current, kept.Key, current.Key.DType == DType.F32 ? DType.F32 : ActivationType);
        CheckPair(op, kept, current.Key, DType.F32);
        CheckPair(op, velocity, current.Key, DType.F32);
        if (copy is { } target)
        {
            CheckPair(op, target, current.Key, ActivationType);
        }
    }

    /// <summary>Keys and values of one dtype, shape and strides.</summary>
    private void CheckPair(string op, KvLayer layer, in Tensor shape, DType type)
    {
        GpuGuard.Weights(op, this, layer.Key);
        GpuGuard.Weights(op, this, layer.Value);
        Guard.SameShape(op, layer.Key, shape);
        Guard.SameShape(op, layer.Value, shape);
        Guard.Fits(
            op, layer.Key.DType == type && layer.Value.DType == type && layer.Key.Stride0 == layer.Value.Stride0
                && layer.Key.Stride1 == layer.Value.Stride1, layer.Key, layer.Value);
    }

    private static bool HasAdjacentEntries(KvLayer layer) => HasAdjacentRows(layer.Key) && (long)layer.Key.Dim1 * layer.Key.Dim2 < LongestRow;

    private static KvLayer Head(KvLayer layer, int head) => new(layer.Key.Slice(head, 1), layer.Value.Slice(head, 1));
}
