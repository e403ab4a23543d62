// Matrix products by fused multiply-adds in F32, for operands of any types, layouts and alignments.
// Sources: Volkov and Demmel 2008 (register tiles); Tan et al. 2011 (double buffers).
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>x Wᵀ with one fused multiply-add per product, in the order of the inner axis: all tiles give the same bits.</summary>
public static class MatMulFma
{
    /// <summary>Threads of a group with the 128 x 128 tile.</summary>
    public const int LargeGroupSize = 256;

    /// <summary>Threads of a group with the 32 x 64 tile.</summary>
    public const int SmallGroupSize = 64;

    /// <summary>The tile of 128 x 128.</summary>
    /// <param name="x">[rows, depth].</param>
    /// <param name="xStride">Elements from one row of x to the next.</param>
    /// <param name="weight0">[out, in], or [in, out] where <paramref name="inputMajor"/>: the first part.</param>
    /// <param name="weight1">The second part; empty for none.</param>
    /// <param name="weight2">The third part; empty for none.</param>
    /// <param name="weightStride0">Elements from one row of the first part to the next.</param>
    /// <param name="weightStride1">Of the second part.</param>
    /// <param name="weightStride2">Of the third part.</param>
    /// <param name="out0">Columns of the result from the first part.</param>
    /// <param name="out1">Columns from the second part.</param>
    /// <param name="out2">Columns from the third part.</param>
    /// <param name="bias0">[out0] of the type that <paramref name="biasTypes"/> says; empty for none.</param>
    /// <param name="bias1">[out1].</param>
    /// <param name="bias2">[out2].</param>
    /// <param name="biasTypes">Two bits per part: 0 F32, 1 BF16, 2 F16.</param>
    /// <param name="inputMajor">Layout of the parts.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="depth">Inner axis.</param>
    /// <param name="depthPerSplit">Inner axis of one index of grid y; a multiple of 16.</param>
    /// <param name="partials">[splits, rows, out]; empty where the inner axis is whole.</param>
    /// <param name="destination">[rows, out].</param>
    /// <param name="stride">Elements from one row of the destination to the next.</param>
    /// <param name="accumulate">The product joins what the destination holds.</param>
    /// <param name="activation">0 none, else 1 + the value of Rt.Core.Activation.</param>
    /// <param name="gated">Two parts of equal width: the result is activation(first) * second.</param>
    /// <param name="sourceAligned">Whether four elements of x and of the parts may be moved at once.</param>
    /// <param name="aligned">Whether four results may be moved at once.</param>
    /// <remarks>Grid: x = row tiles x column tiles, y = splits. Group 256. Shared 32 KB. Reads x once per column tile and W once per row tile,
    /// mostly from the second-level cache; writes the result once; 2 rows out depth FLOPs.</remarks>
    [Kernel(LargeGroupSize, MinGroups = 1)]
    [Instance(typeof(float), typeof(float), typeof(float), typeof(Fma128X128))]
    [Instance(typeof(float), typeof(BFloat16), typeof(float), typeof(Fma128X128))]
    [Instance(typeof(float), typeof(Half), typeof(float), typeof(Fma128X128))]
    internal static void MatMulFmaLargeKernel<TA, TWeight, TD, TShape>(
        [ReadOnlyView] ArrayView<TA> x, long xStride,
        [ReadOnlyView] ArrayView<TWeight> weight0, [ReadOnlyView] ArrayView<TWeight> weight1, [ReadOnlyView] ArrayView<TWeight> weight2,
        long weightStride0, long weightStride1, long weightStride2, int out0, int out1, int out2,
        [ReadOnlyView] ArrayView<byte> bias0, [ReadOnlyView] ArrayView<byte> bias1, [ReadOnlyView] ArrayView<byte> bias2, int biasTypes,
        bool inputMajor, int rows, int depth, int depthPerSplit, ArrayView<float> partials, ArrayView<TD> destination, long stride,
        bool accumulate, int activation, bool gated, bool sourceAligned, bool aligned)
        where TA : unmanaged
        where TWeight : unmanaged
        where TD : unmanaged
        where TShape : struct, IFmaShape =>
        FmaTile.Compute<TA, TWeight, TD, TShape>(
            x, xStride, weight0, weight1, weight2, weightStride0, weightStride1, weightStride2, out0, out1, out2, bias0, bias1, bias2, biasTypes,
            inputMajor, rows, depth, depthPerSplit, partials, destination, stride, accumulate, activation, gated, sourceAligned, aligned);

    /// <summary>The tile of 32 x 64; parameters of <see cref="MatMulFmaLargeKernel"/>.</summary>
    /// <remarks>Grid: x = row tiles x column tiles, y = splits. Group 64. Shared 12 KB. Bytes and FLOPs as there.</remarks>
    [Kernel(SmallGroupSize, MinGroups = 4)]
    [Instance(typeof(float), typeof(float), typeof(float), typeof(Fma32X64))]
    [Instance(typeof(float), typeof(BFloat16), typeof(float), typeof(Fma32X64))]
    [Instance(typeof(float), typeof(Half), typeof(float), typeof(Fma32X64))]
    [Instance(typeof(BFloat16), typeof(float), typeof(BFloat16), typeof(Fma32X64))]
    [Instance(typeof(BFloat16), typeof(BFloat16), typeof(BFloat16), typeof(Fma32X64))]
    [Instance(typeof(BFloat16), typeof(Half), typeof(BFloat16), typeof(Fma32X64))]
    [Instance(typeof(BFloat16), typeof(float), typeof(float), typeof(Fma32X64))]
    [Instance(typeof(BFloat16), typeof(BFloat16), typeof(float), typeof(Fma32X64))]
    [Instance(typeof(BFloat16), typeof(Half), typeof(float), typeof(Fma32X64))]
    [Instance(typeof(Half), typeof(float), typeof(Half), typeof(Fma32X64))]
    [Instance(typeof(Half), typeof(BFloat16), typeof(Half), typeof(Fma32X64))]
    [Instance(typeof(Half), typeof(Half), typeof(Half), typeof(Fma32X64))]
    [Instance(typeof(Half), typeof(float), typeof(float), typeof(Fma32X64))]
    [Instance(typeof(Half), typeof(BFloat16), typeof(float), typeof(Fma32X64))]
    [Instance(typeof(Half), typeof(Half), typeof(float), typeof(Fma32X64))]
    internal static void MatMulFmaSmallKernel<TA, TWeight, TD, TShape>(
        [ReadOnlyView] ArrayView<TA> x, long xStride,
        [ReadOnlyView] ArrayView<TWeight> weight0, [ReadOnlyView] ArrayView<TWeight> weight1, [ReadOnlyView] ArrayView<TWeight> weight2,
        long weightStride0, long weightStride1, long weightStride2, int out0, int out1, int out2,
        [ReadOnlyView] ArrayView<byte> bias0, [ReadOnlyView] ArrayView<byte> bias1, [ReadOnlyView] ArrayView<byte> bias2, int biasTypes,
        bool inputMajor, int rows, int depth, int depthPerSplit, ArrayView<float> partials, ArrayView<TD> destination, long stride,
        bool accumulate, int activation, bool gated, bool sourceAligned, bool aligned)
        where TA : unmanaged
        where TWeight : unmanaged
        where TD : unmanaged
        where TShape : struct, IFmaShape =>
        FmaTile.Compute<TA, TWeight, TD, TShape>(
            x, xStride, weight0, weight1, weight2, weightStride0, weightStride1, weightStride2, out0, out1, out2, bias0, bias1, bias2, biasTypes,
            inputMajor, rows, depth, depthPerSplit, partials, destination, stride, accumulate, activation, gated, sourceAligned, aligned);

    /// <summary>Work of one launch.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns of the product.</param>
    /// <param name="depth">Inner axis.</param>
    /// <param name="activationBytes">Bytes of an element of x.</param>
    /// <param name="weightBytes">Bytes of an element of W.</param>
    /// <param name="resultColumns">Columns written: half of <paramref name="columns"/> where gated.</param>
    /// <param name="resultBytes">Bytes of a result element.</param>
    /// <param name="accumulate">The destination is read too.</param>
    public static KernelCost Cost(
        int rows, int columns, int depth, int activationBytes, int weightBytes, int resultColumns, int resultBytes, bool accumulate) => new(
        (long)rows * depth * activationBytes + (long)columns * depth * weightBytes + (accumulate ? (long)rows * resultColumns * resultBytes : 0),
        (long)rows * resultColumns * resultBytes,
        2L * rows * columns * depth);
}
