// Soft caps on logits.
// Source: Gemma 2, arXiv:2408.00118, section 2.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>x = cap * tanh(x / cap), in place.</summary>
public static class SoftCap
{
    /// <summary>x [a, b, width] = cap * tanh(x / cap), row by row.</summary>
    /// <remarks>Grid: x = width over 256 chunks of 16 bytes, y = rows (with a stride). Group 256. No shared memory.
    /// Reads and writes each element once; about 20 FLOPs each.</remarks>
    [Kernel(Elementwise.GroupSize)]
    [Instance(typeof(float))]
    [Instance(typeof(BFloat16))]
    [Instance(typeof(Half))]
    internal static void SoftCapKernel<TA>(
        ArrayView<TA> x, long stride0, long stride1, float cap, int inner, int rows, int width, bool aligned)
        where TA : unmanaged =>
        Elementwise.Apply<TA, SoftCapFunction>(
            x, stride0, stride1, x, stride0, stride1, x, stride0, stride1, cap, inner, rows, width, aligned);

    /// <summary>Work of one launch.</summary>
    /// <param name="elements">Rows x width.</param>
    /// <param name="elementBytes">Bytes of an activation.</param>
    public static KernelCost Cost(long elements, int elementBytes) =>
        new(elements * elementBytes, elements * elementBytes, 20 * elements);
}
