// Matrix products on tensor cores: a pipeline of asynchronous copies into swizzled shared memory, matrix loads, mma.
// Sources: PTX ISA, mma.m16n8k16, ldmatrix and cp.async; CUTLASS's multistage mainloop; swizzle of Thakkar et al., CuTe.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>x Wᵀ on tensor cores for activations and weights of one type: BF16, F16, or F32 rounded to tf32.</summary>
public static class MatMulMma
{
    /// <summary>Threads of a group with tiles of 128 rows.</summary>
    public const int LargeGroupSize = 256;

    /// <summary>Threads of a group with the 64 x 64 tile.</summary>
    public const int SmallGroupSize = 128;

    /// <summary>Threads of a group with the 16 x 64 tile.</summary>
    public const int NarrowGroupSize = 64;

    /// <summary>Tiles of 128 x 256 and 128 x 128.</summary>
    /// <param name="x">[rows, depth].</param>
    /// <param name="xStride">Elements from one row of x to the next; a multiple of 16 bytes, as is its address.</param>
    /// <param name="weight0">[out, in] or [in, out]: the first part.</param>
    /// <param name="weight1">The second part; empty for none.</param>
    /// <param name="weight2">The third part; empty for none.</param>
    /// <param name="weightStride0">Elements from one row of the first part to the next; a multiple of 16 bytes, as is its address.</param>
    /// <param name="weightStride1">Of the second part.</param>
    /// <param name="weightStride2">Of the third part.</param>
    /// <param name="out0">Columns of the result from the first part.</param>
    /// <param name="out1">Columns from the second part.</param>
    /// <param name="out2">Columns from the third part.</param>
    /// <param name="bias0">[out0] of the type that <paramref name="biasTypes"/> says; empty for none.</param>
    /// <param name="bias1">[out1].</param>
    /// <param name="bias2">[out2].</param>
    /// <param name="biasTypes">Two bits per part: 0 F32, 1 BF16, 2 F16.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="depth">Inner axis; a multiple of 16 bytes.</param>
    /// <param name="depthPerSplit">Inner axis of one index of grid y; a multiple of 128 bytes.</param>
    /// <param name="partials">[splits, rows, out]; empty where the inner axis is whole.</param>
    /// <param name="destination">[rows, out].</param>
    /// <param name="stride">Elements from one row of the destination to the next.</param>
    /// <param name="accumulate">The product joins what the destination holds.</param>
    /// <param name="activation">0 none, else 1 + the value of Rt.Core.Activation.</param>
    /// <param name="gated">Two parts of equal width: the result is activation(first) * second.</param>
    /// <param name="aligned">Whether four results may be moved at once.</param>
    /// <remarks>Grid: x = row tiles x column tiles, y = splits. Group 256. Dynamic shared memory: see SharedBytes. Reads x once per column tile
    /// and W once per row tile, mostly from the second-level cache; writes the result once; 2 rows out depth FLOPs.</remarks>
    [Kernel(LargeGroupSize)]
    [Instance(typeof(BFloat16), typeof(BFloat16), typeof(OutputMajorLayout), typeof(Mma128X256))]
    [Instance(typeof(BFloat16), typeof(BFloat16), typeof(InputMajorLayout), typeof(Mma128X256))]
    [Instance(typeof(Half), typeof(Half), typeof(OutputMajorLayout), typeof(Mma128X256))]
    [Instance(typeof(Half), typeof(Half), typeof(InputMajorLayout), typeof(Mma128X256))]
    [Instance(typeof(BFloat16), typeof(BFloat16), typeof(OutputMajorLayout), typeof(Mma128X128))]
    [Instance(typeof(BFloat16), typeof(BFloat16), typeof(InputMajorLayout), typeof(Mma128X128))]
    [Instance(typeof(BFloat16), typeof(float), typeof(OutputMajorLayout), typeof(Mma128X128))]
    [Instance(typeof(Half), typeof(Half), typeof(OutputMajorLayout), typeof(Mma128X128))]
    [Instance(typeof(Half), typeof(Half), typeof(InputMajorLayout), typeof(Mma128X128))]
    [Instance(typeof(Half), typeof(float), typeof(OutputMajorLayout), typeof(Mma128X128))]
    [Instance(typeof(float), typeof(float), typeof(OutputMajorLayout), typeof(Mma128X128))]
    internal static void MatMulMmaLargeKernel<T, TD, TLayout, TShape>(
        [ReadOnlyView] ArrayView<T> x, long xStride,
        [ReadOnlyView] ArrayView<T> weight0, [ReadOnlyView] ArrayView<T> weight1, [ReadOnlyView] ArrayView<T> weight2,
        long weightStride0, long weightStride1, long weightStride2, int out0, int out1, int out2,
        [ReadOnlyView] ArrayView<byte> bias0, [ReadOnlyView] ArrayView<byte> bias1, [ReadOnlyView] ArrayView<byte> bias2, int biasTypes,
        int rows, int depth, int depthPerSplit, ArrayView<float> partials, ArrayView<TD> destination, long stride,
        bool accumulate, int activation, bool gated, bool aligned)
        where T : unmanaged
        where TD : unmanaged
        where TLayout : struct, IWeightLayout
        where TShape : struct, IMmaShape =>
        MmaTile.Compute<T, TD, TLayout, TShape>(
            x, xStride, weight0, weight1, weight2, weightStride0, weightStride1, weightStride2, out0, out1, out2,
            bias0, bias1, bias2, biasTypes, rows, depth, depthPerSplit, partials, destination, stride, accumulate, activation, gated, aligned);

    /// <summary>The tile of 64 x 64; parameters of <see cref="MatMulMmaLargeKernel"/>.</summary>
    /// <remarks>Grid: x = row tiles x column tiles, y = splits. Group 128. Dynamic shared memory: see SharedBytes. Bytes and FLOPs as there.</remarks>
    [Kernel(SmallGroupSize)]
    [Instance(typeof(BFloat16), typeof(BFloat16), typeof(OutputMajorLayout), typeof(Mma64X64))]
    [Instance(typeof(BFloat16), typeof(BFloat16), typeof(InputMajorLayout), typeof(Mma64X64))]
    [Instance(typeof(BFloat16), typeof(float), typeof(OutputMajorLayout), typeof(Mma64X64))]
    [Instance(typeof(Half), typeof(Half), typeof(OutputMajorLayout), typeof(Mma64X64))]
    [Instance(typeof(Half), typeof(Half), typeof(InputMajorLayout), typeof(Mma64X64))]
    [Instance(typeof(Half), typeof(float), typeof(OutputMajorLayout), typeof(Mma64X64))]
    [Instance(typeof(float), typeof(float), typeof(OutputMajorLayout), typeof(Mma64X64))]
    internal static void MatMulMmaSmallKernel<T, TD, TLayout, TShape>(
        [ReadOnlyView] ArrayView<T> x, long xStride,
        [ReadOnlyView] ArrayView<T> weight0, [ReadOnlyView] ArrayView<T> weight1, [ReadOnlyView] ArrayView<T> weight2,
        long weightStride0, long weightStride1, long weightStride2, int out0, int out1, int out2,
        [ReadOnlyView] ArrayView<byte> bias0, [ReadOnlyView] ArrayView<byte> bias1, [ReadOnlyView] ArrayView<byte> bias2, int biasTypes,
        int rows, int depth, int depthPerSplit, ArrayView<float> partials, ArrayView<TD> destination, long stride,
        bool accumulate, int activation, bool gated, bool aligned)
        where T : unmanaged
        where TD : unmanaged
        where TLayout : struct, IWeightLayout
        where TShape : struct, IMmaShape =>
        MmaTile.Compute<T, TD, TLayout, TShape>(
            x, xStride, weight0, weight1, weight2, weightStride0, weightStride1, weightStride2, out0, out1, out2,
            bias0, bias1, bias2, biasTypes, rows, depth, depthPerSplit, partials, destination, stride, accumulate, activation, gated, aligned);

    /// <summary>The tile of 16 x 64; parameters of <see cref="MatMulMmaLargeKernel"/>.</summary>
    /// <remarks>Grid: x = row tiles x column tiles, y = splits. Group 64. Dynamic shared memory: see SharedBytes. Bytes and FLOPs as there.</remarks>
    [Kernel(NarrowGroupSize)]
    [Instance(typeof(BFloat16), typeof(BFloat16), typeof(OutputMajorLayout), typeof(Mma16X64))]
    [Instance(typeof(BFloat16), typeof(BFloat16), typeof(InputMajorLayout), typeof(Mma16X64))]
    [Instance(typeof(BFloat16), typeof(float), typeof(OutputMajorLayout), typeof(Mma16X64))]
    [Instance(typeof(Half), typeof(Half), typeof(OutputMajorLayout), typeof(Mma16X64))]
    [Instance(typeof(Half), typeof(Half), typeof(InputMajorLayout), typeof(Mma16X64))]
    [Instance(typeof(Half), typeof(float), typeof(OutputMajorLayout), typeof(Mma16X64))]
    [Instance(typeof(float), typeof(float), typeof(OutputMajorLayout), typeof(Mma16X64))]
    internal static void MatMulMmaNarrowKernel<T, TD, TLayout, TShape>(
        [ReadOnlyView] ArrayView<T> x, long xStride,
        [ReadOnlyView] ArrayView<T> weight0, [ReadOnlyView] ArrayView<T> weight1, [ReadOnlyView] ArrayView<T> weight2,
        long weightStride0, long weightStride1, long weightStride2, int out0, int out1, int out2,
        [ReadOnlyView] ArrayView<byte> bias0, [ReadOnlyView] ArrayView<byte> bias1, [ReadOnlyView] ArrayView<byte> bias2, int biasTypes,
        int rows, int depth, int depthPerSplit, ArrayView<float> partials, ArrayView<TD> destination, long stride,
        bool accumulate, int activation, bool gated, bool aligned)
        where T : unmanaged
        where TD : unmanaged
        where TLayout : struct, IWeightLayout
        where TShape : struct, IMmaShape =>
        MmaTile.Compute<T, TD, TLayout, TShape>(
            x, xStride, weight0, weight1, weight2, weightStride0, weightStride1, weightStride2, out0, out1, out2,
            bias0, bias1, bias2, biasTypes, rows, depth, depthPerSplit, partials, destination, stride, accumulate, activation, gated, aligned);

    /// <summary>Dynamic shared memory of a launch: the stages of the pipeline.</summary>
    /// <param name="tileRows">Rows of the tile.</param>
    /// <param name="tileColumns">Columns of the tile.</param>
    public static int SharedBytes(int tileRows, int tileColumns) => (tileRows, tileColumns) switch
    {
        (128, 256) => SharedBytes<Mma128X256>(),
        (128, 128) => SharedBytes<Mma128X128>(),
        (64, 64) => SharedBytes<Mma64X64>(),
        (16, 64) => SharedBytes<Mma16X64>(),
        _ => throw new ArgumentException($"there is no tile of {tileRows} x {tileColumns}"),
    };

    private static int SharedBytes<TShape>() where TShape : struct, IMmaShape =>
        (TShape.Rows + TShape.Columns) * TShape.DepthBytes * TShape.Stages;

    /// <summary>Work of one launch.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns of the product.</param>
    /// <param name="depth">Inner axis.</param>
    /// <param name="elementBytes">Bytes of an operand element.</param>
    /// <param name="resultColumns">Columns written: half of <paramref name="columns"/> where gated.</param>
    /// <param name="resultBytes">Bytes of a result element.</param>
    /// <param name="accumulate">The destination is read too.</param>
    public static KernelCost Cost(
        int rows, int columns, int depth, int elementBytes, int resultColumns, int resultBytes, bool accumulate) => new(
        ((long)rows + columns) * depth * elementBytes + (accumulate ? (long)rows * resultColumns * resultBytes : 0),
        (long)rows * resultColumns * resultBytes,
        2L * rows * columns * depth);
}
