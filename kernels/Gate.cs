// Gated units: the activation of one projection times another.
// Source: Shazeer 2020, arXiv:2002.05202.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>destination = activation(gate) * up.</summary>
public static class Gate
{
    /// <summary>destination [a, b, width] = activation(gate) * up, row by row; destination may be either source.</summary>
    /// <remarks>Grid: x = width over 256 chunks of 16 bytes, y = rows (with a stride). Group 256. No shared memory.
    /// Reads two elements and writes one per element of the result; about 21 FLOPs each.</remarks>
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
    internal static void GateKernel<TA, TActivation>(
        ArrayView<TA> gate, long gateStride0, long gateStride1, ArrayView<TA> up, long upStride0, long upStride1,
        ArrayView<TA> destination, long stride0, long stride1, int inner, int rows, int width, bool aligned)
        where TA : unmanaged
        where TActivation : struct, IActivation =>
        Elementwise.Apply<TA, GateFunction<TActivation>>(
            gate, gateStride0, gateStride1, up, upStride0, upStride1, destination, stride0, stride1, 0f, inner, rows, width, aligned);

    /// <summary>Work of one launch.</summary>
    /// <param name="elements">Rows x width.</param>
    /// <param name="elementBytes">Bytes of an activation.</param>
    public static KernelCost Cost(long elements, int elementBytes) =>
        new(2 * elements * elementBytes, elements * elementBytes, 21 * elements);
}
