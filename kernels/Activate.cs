// Activation functions, element by element.
// Source: the formulas at IActivation.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>destination = activation(x).</summary>
public static class Activate
{
    /// <summary>destination [a, b, width] = activation(x), row by row; destination may be x.</summary>
    /// <remarks>Grid: x = width over 256 chunks of 16 bytes, y = rows (with a stride). Group 256. No shared memory.
    /// Reads and writes each element once; about 20 FLOPs per element.</remarks>
    [Kernel(Elementwise.GroupSize)]
    [Instance(typeof(float), typeof(Relu))]
    [Instance(typeof(float), typeof(Silu))]
    [Instance(typeof(float), typeof(Gelu))]
    [Instance(typeof(float), typeof(GeluTanh))]
    [Instance(typeof(BFloat16), typeof(Relu))]
    [Instance(typeof(BFloat16), typeof(Silu))]
    [Instance(typeof(BFloat16), typeof(Gelu))]
    [Instance(typeof(BFloat16), typeof(GeluTanh))]
    [Instance(typeof(Half), typeof(Relu))]
    [Instance(typeof(Half), typeof(Silu))]
    [Instance(typeof(Half), typeof(Gelu))]
    [Instance(typeof(Half), typeof(GeluTanh))]
    internal static void ActivateKernel<TA, TActivation>(
        ArrayView<TA> x, long xStride0, long xStride1, ArrayView<TA> destination, long stride0, long stride1,
        int inner, int rows, int width, bool aligned)
        where TA : unmanaged
        where TActivation : struct, IActivation =>
        Elementwise.Apply<TA, ActivationFunction<TActivation>>(
            x, xStride0, xStride1, x, xStride0, xStride1, destination, stride0, stride1, 0f, inner, rows, width, aligned);

    /// <summary>Work of one launch.</summary>
    /// <param name="elements">Rows x width.</param>
    /// <param name="elementBytes">Bytes of an activation.</param>
    public static KernelCost Cost(long elements, int elementBytes) =>
        new(elements * elementBytes, elements * elementBytes, 20 * elements);
}
