// Layer norm and root-mean-square norm of rows, with an optional sum before it.
// Sources: Ba, Kiros and Hinton 2016, arXiv:1607.06450; Zhang and Sennrich 2019, arXiv:1910.07467.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>The threads that share a row.</summary>
internal interface IRowScope
{
    /// <summary>How many they are.</summary>
    static abstract int Threads { get; }

    /// <summary>Which of them this thread is.</summary>
    static abstract int Index { get; }

    /// <summary>The sum over them.</summary>
    static abstract float Sum(float value);
}

internal readonly struct WarpScope : IRowScope
{
    public static int Threads => Warp.WarpSize;

    public static int Index => Warp.LaneIdx;

    public static float Sum(float value) => WarpReduce.Sum(value);
}

internal readonly struct GroupScope : IRowScope
{
    public static int Threads => Group.DimX;

    public static int Index => Group.IdxX;

    public static float Sum(float value) => GroupReduce.Sum(value, SharedMemory.Allocate<float>(Warp.WarpSize));
}

/// <summary>y = (x - mean) / sqrt(variance + eps) * weight + bias, or y = x / sqrt(mean(x²) + eps) * weight.</summary>
public static class Normalize
{
    /// <summary>Threads per group.</summary>
    public const int GroupSize = 256;

    /// <summary>Rows of one group where a warp takes a row.</summary>
    public const int WarpRows = GroupSize / Warp.WarpSize;

    // Chunks of 16 bytes that a thread keeps in registers between passes.
    private const int Kept = 4;

    /// <summary>Widest row that a warp keeps in registers.</summary>
    /// <param name="elementBytes">Bytes of an activation.</param>
    public static int WarpWidth(int elementBytes) => Warp.WarpSize * Kept * 16 / elementBytes;

    /// <summary>One row per warp, for rows up to <see cref="WarpWidth"/>.</summary>
    /// <remarks>Grid: rows / 8. Group 256. No shared memory. Reads x (and y) once, writes the result (and x); weights come from the
    /// caches. About 6 FLOPs per element.</remarks>
    [Kernel(GroupSize)]
    [Instance(typeof(float), typeof(float))]
    [Instance(typeof(float), typeof(BFloat16))]
    [Instance(typeof(float), typeof(Half))]
    [Instance(typeof(BFloat16), typeof(float))]
    [Instance(typeof(BFloat16), typeof(BFloat16))]
    [Instance(typeof(BFloat16), typeof(Half))]
    [Instance(typeof(Half), typeof(float))]
    [Instance(typeof(Half), typeof(BFloat16))]
    [Instance(typeof(Half), typeof(Half))]
    internal static void NormalizeWarpKernel<TA, TWeight>(
        ArrayView<TA> x, long xStride0, long xStride1, ArrayView<TA> y, long yStride0, long yStride1,
        [ReadOnlyView] ArrayView<TWeight> weight, [ReadOnlyView] ArrayView<TWeight> bias, float weightOffset, float epsilon, bool centred,
        ArrayView<TA> destination, long stride0, long stride1, int inner, int rows, int width, bool aligned)
        where TA : unmanaged
        where TWeight : unmanaged
    {
        var row = Grid.IdxX * WarpRows + Warp.WarpIdx;
        if (row < rows)
        {
            Row<TA, TWeight, WarpScope>(
                x.SubView(Vectors.RowStart(row, inner, xStride0, xStride1)),
                y.SubView(Vectors.RowStart(row, inner, yStride0, yStride1)),
                weight, bias, weightOffset, epsilon, centred,
                destination.SubView(Vectors.RowStart(row, inner, stride0, stride1)), width, aligned);
        }
    }

    /// <summary>One row per group, of any width: up to 1024 chunks of 16 bytes stay in registers, the rest is read again.</summary>
    /// <remarks>Grid: rows. Group 256. Shared 256 bytes. Reads x (and y) once, writes the result (and x); weights come from the caches.
    /// About 6 FLOPs per element.</remarks>
    [Kernel(GroupSize)]
    [Instance(typeof(float), typeof(float))]
    [Instance(typeof(float), typeof(BFloat16))]
    [Instance(typeof(float), typeof(Half))]
    [Instance(typeof(BFloat16), typeof(float))]
    [Instance(typeof(BFloat16), typeof(BFloat16))]
    [Instance(typeof(BFloat16), typeof(Half))]
    [Instance(typeof(Half), typeof(float))]
    [Instance(typeof(Half), typeof(BFloat16))]
    [Instance(typeof(Half), typeof(Half))]
    internal static void NormalizeGroupKernel<TA, TWeight>(
        ArrayView<TA> x, long xStride0, long xStride1, ArrayView<TA> y, long yStride0, long yStride1,
        [ReadOnlyView] ArrayView<TWeight> weight, [ReadOnlyView] ArrayView<TWeight> bias, float weightOffset, float epsilon, bool centred,
        ArrayView<TA> destination, long stride0, long stride1, int inner, int rows, int width, bool aligned)
        where TA : unmanaged
        where TWeight : unmanaged
    {
        var row = Grid.IdxX;
        Row<TA, TWeight, GroupScope>(
            x.SubView(Vectors.RowStart(row, inner, xStride0, xStride1)),
            y.SubView(Vectors.RowStart(row, inner, yStride0, yStride1)),
            weight, bias, weightOffset, epsilon, centred,
            destination.SubView(Vectors.RowStart(row, inner, stride0, stride1)), width, aligned);
    }

    /// <summary>Work of one launch.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="width">Width.</param>
    /// <param name="activationBytes">Bytes of an activation.</param>
    /// <param name="weightBytes">Bytes of weight and bias of one column.</param>
    /// <param name="add">With a sum before.</param>
    public static KernelCost Cost(int rows, int width, int activationBytes, int weightBytes, bool add) => new(
        (long)rows * width * activationBytes * (add ? 2 : 1) + (long)width * weightBytes,
        (long)rows * width * activationBytes * (add ? 2 : 1),
        (long)rows * width * (add ? 7 : 6));

    /// <summary>One row: y, where there is one, is added to x first, and the sum is what is normalised.</summary>
    private static void Row<TA, TWeight, TScope>(
        ArrayView<TA> x, ArrayView<TA> y, ArrayView<TWeight> weight, ArrayView<TWeight> bias, float weightOffset, float epsilon,
        bool centred, ArrayView<TA> destination, int width, bool aligned)
        where TA : unmanaged
        where TWeight : unmanaged
        where TScope : struct, IRowScope
    {
        var count = Vectors.Chunk<TA>();
        var values = LocalMemory.Allocate<float>(Kept * Vectors.Chunk<TA>());
        var rest = LocalMemory.Allocate<float>(Vectors.Chunk<TA>());
        var sum = 0f;
        for (var k = 0; k < Kept; k++)
        {
            LoadSum(x, y, (k * TScope.Threads + TScope.Index) * count, width, aligned, values, k * count);
            for (var i = 0; i < count; i++)
            {
                sum += values[k * count + i];
            }
        }

        for (var tile = Kept * TScope.Threads * count; tile < width; tile += TScope.Threads * count)
        {
            LoadSum(x, y, tile + TScope.Index * count, width, aligned, rest, 0);
            for (var i = 0; i < count; i++)
            {
                sum += rest[i];
            }
        }

        var mean = 0f;
        if (centred)
        {
            mean = TScope.Sum(sum) / width;
        }

        var square = 0f;
        for (var k = 0; k < Kept; k++)
        {
            var first = (k * TScope.Threads + TScope.Index) * count;
            for (var i = 0; i < count; i++)
            {
                var difference = first + i < width ? values[k * count + i] - mean : 0f;
                square = XMath.Fma(difference, difference, square);
            }
        }

        for (var tile = Kept * TScope.Threads * count; tile < width; tile += TScope.Threads * count)
        {
            var first = tile + TScope.Index * count;
            Vectors.Load(x, first, width, aligned, rest, 0, count);
            for (var i = 0; i < count; i++)
            {
                var difference = first + i < width ? rest[i] - mean : 0f;
                square = XMath.Fma(difference, difference, square);
            }
        }

        var scale = XMath.Rsqrt(TScope.Sum(square) / width + epsilon);
        for (var k = 0; k < Kept; k++)
        {
            Write<TA, TWeight>(
                values, k * count, (k * TScope.Threads + TScope.Index) * count, mean, scale, weight, bias, weightOffset, destination, width, aligned);
        }

        for (var tile = Kept * TScope.Threads * count; tile < width; tile += TScope.Threads * count)
        {
            var first = tile + TScope.Index * count;
            Vectors.Load(x, first, width, aligned, rest, 0, count);
            Write<TA, TWeight>(rest, 0, first, mean, scale, weight, bias, weightOffset, destination, width, aligned);
        }
    }

    /// <summary>A chunk of x; with a y, of their sum, which is also written to x.</summary>
    private static void LoadSum<TA>(
        ArrayView<TA> x, ArrayView<TA> y, int first, int width, bool aligned, ArrayView<float> values, int at)
        where TA : unmanaged
    {
        var count = Vectors.Chunk<TA>();
        Vectors.Load(x, first, width, aligned, values, at, count);
        if (y.Length > 0)
        {
            var added = LocalMemory.Allocate<float>(Vectors.Chunk<TA>());
            Vectors.Load(y, first, width, aligned, added, 0, count);
            for (var i = 0; i < count; i++)
            {
                values[at + i] = Element.ToFloat(Element.FromFloat<TA>(values[at + i] + added[i]));
            }

            Vectors.Store(x, first, width, aligned, values, at, count);
        }
    }

    private static void Write<TA, TWeight>(
        ArrayView<float> values, int at, int first, float mean, float scale, ArrayView<TWeight> weight, ArrayView<TWeight> bias,
        float weightOffset, ArrayView<TA> destination, int width, bool aligned)
        where TA : unmanaged
        where TWeight : unmanaged
    {
        var count = Vectors.Chunk<TA>();
        var results = LocalMemory.Allocate<float>(Vectors.Chunk<TA>());
        var factors = LocalMemory.Allocate<float>(Vectors.Chunk<TA>());
        for (var i = 0; i < count; i++)
        {
            results[i] = (values[at + i] - mean) * scale;
        }

        if (weight.Length > 0)
        {
            Vectors.Load(weight, first, width, aligned, factors, 0, count);
            for (var i = 0; i < count; i++)
            {
                results[i] *= factors[i] + weightOffset;
            }
        }

        if (bias.Length > 0)
        {
            Vectors.Load(bias, first, width, aligned, factors, 0, count);
            for (var i = 0; i < count; i++)
            {
                results[i] += factors[i];
            }
        }

        Vectors.Store(destination, first, width, aligned, results, 0, count);
    }
}
