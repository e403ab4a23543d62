// What one launch moves and computes: the yardstick of the benches.
namespace Rt.Kernels;

/// <summary>Work of one launch, counted from the shapes: what it must move and compute, not what caches save.</summary>
/// <param name="BytesRead">Bytes read from global memory.</param>
/// <param name="BytesWritten">Bytes written to global memory.</param>
/// <param name="Flops">Floating-point operations; a fused multiply-add is two.</param>
public readonly record struct KernelCost(long BytesRead, long BytesWritten, long Flops)
{
    /// <summary>Bytes moved.</summary>
    public long Bytes => BytesRead + BytesWritten;

    /// <summary>The work of two launches.</summary>
    public static KernelCost operator +(KernelCost a, KernelCost b) =>
        new(a.BytesRead + b.BytesRead, a.BytesWritten + b.BytesWritten, a.Flops + b.Flops);
}
