// Element-by-element sums.
// Source: none needed.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>destination = x + y.</summary>
public static class Add
{
    /// <summary>destination [a, b, width] = x + y, row by row; destination may be either source.</summary>
    /// <remarks>Grid: x = width over 256 chunks of 16 bytes, y = rows (with a stride). Group 256. No shared memory.
    /// Reads two elements and writes one per element of the result; one FLOP each.</remarks>
    [Kernel(Elementwise.GroupSize)]
    [Instance(typeof(float))]
    [Instance(typeof(BFloat16))]
    [Instance(typeof(Half))]
    internal static void AddKernel<TA>(
        ArrayView<TA> x, long xStride0, long xStride1, ArrayView<TA> y, long yStride0, long yStride1,
        ArrayView<TA> destination, long stride0, long stride1, int inner, int rows, int width, bool aligned)
        where TA : unmanaged =>
        Elementwise.Apply<TA, AddFunction>(
            x, xStride0, xStride1, y, yStride0, yStride1, destination, stride0, stride1, 0f, inner, rows, width, aligned);

    /// <summary>Work of one launch.</summary>
    /// <param name="elements">Rows x width.</param>
    /// <param name="elementBytes">Bytes of an activation.</param>
    public static KernelCost Cost(long elements, int elementBytes) => new(2 * elements * elementBytes, elements * elementBytes, elements);
}
