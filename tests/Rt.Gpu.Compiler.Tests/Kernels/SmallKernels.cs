// Small kernels that use one thing each: what the golden texts and the assembler tests look at.
using Rt.Gpu;

namespace Rt.Gpu.Compiler.Tests.Kernels;

public interface IWidth
{
    static abstract int Value { get; }
}

public readonly struct Width64 : IWidth
{
    public static int Value => 64;
}

public readonly struct Width128 : IWidth
{
    public static int Value => 128;
}

public static class SmallKernels
{
    [Kernel(256)]
    public static void ScaleKernel(ArrayView<float> x, float factor, int count)
    {
        var index = (Grid.IdxX * Group.DimX) + Group.IdxX;
        if (index < count)
        {
            x[index] = x[index] * factor;
        }
    }

    [Kernel(128)]
    [Instance(typeof(float))]
    [Instance(typeof(BFloat16))]
    [Instance(typeof(Half))]
    public static void AddKernel<T>([ReadOnlyView] ArrayView<T> a, [ReadOnlyView] ArrayView<T> b, ArrayView<T> sum, int count)
        where T : unmanaged
    {
        for (var index = (Grid.IdxX * Group.DimX) + Group.IdxX; index < count; index += Grid.DimX * Group.DimX)
        {
            sum[index] = Element.FromFloat<T>(Element.ToFloat(a[index]) + Element.ToFloat(b[index]));
        }
    }

    /// <summary>Root mean square of one row per group: vector loads, a warp and a group reduction.</summary>
    [Kernel(256)]
    [Instance(typeof(float))]
    [Instance(typeof(BFloat16))]
    [Instance(typeof(Half))]
    public static void RowNormKernel<T>([ReadOnlyView] ArrayView<T> x, [ReadOnlyView] ArrayView<T> weight, ArrayView<T> y, int columns, float epsilon)
        where T : unmanaged
    {
        var row = x.SubView((long)Grid.IdxX * columns, columns).Cast<Vec4<T>>();
        var scale = weight.Cast<Vec4<T>>();
        var result = y.SubView((long)Grid.IdxX * columns, columns).Cast<Vec4<T>>();
        var sum = 0f;
        for (var i = Group.IdxX; i < columns / 4; i += Group.DimX)
        {
            var values = row[i];
            for (var j = 0; j < 4; j++)
            {
                var value = Element.ToFloat(values[j]);
                sum = XMath.Fma(value, value, sum);
            }
        }

        var factor = 1 / XMath.Sqrt((GroupSum(sum) / columns) + epsilon);
        for (var i = Group.IdxX; i < columns / 4; i += Group.DimX)
        {
            var values = row[i];
            var weights = scale[i];
            var scaled = default(Vec4<T>);
            for (var j = 0; j < 4; j++)
            {
                scaled[j] = Element.FromFloat<T>(Element.ToFloat(values[j]) * factor * Element.ToFloat(weights[j]));
            }

            result[i] = scaled;
        }
    }

    /// <summary>An update of two arrays with one F32 master each: G = new - kept; M = G + beta M; kept += eta M.</summary>
    [Kernel(256)]
    [Instance(typeof(float))]
    [Instance(typeof(BFloat16))]
    public static void UpdateKernel<T>([ReadOnlyView] ArrayView<T> fresh, ArrayView<float> kept, ArrayView<float> velocity, ArrayView<T> copy, float momentum, float step)
        where T : unmanaged
    {
        var fresh4 = fresh.Cast<Vec4<T>>();
        var kept4 = kept.Cast<Vec4<float>>();
        var velocity4 = velocity.Cast<Vec4<float>>();
        var copy4 = copy.Cast<Vec4<T>>();
        for (var i = (Grid.IdxX * Group.DimX) + Group.IdxX; i < fresh4.IntLength; i += Grid.DimX * Group.DimX)
        {
            var next = fresh4[i];
            var k = kept4[i];
            var m = velocity4[i];
            var rounded = default(Vec4<T>);
            for (var j = 0; j < 4; j++)
            {
                m[j] = Element.ToFloat(next[j]) - k[j] + (momentum * m[j]);
                k[j] = k[j] + (step * m[j]);
                rounded[j] = Element.FromFloat<T>(k[j]);
            }

            velocity4[i] = m;
            kept4[i] = k;
            copy4[i] = rounded;
        }
    }

    /// <summary>Sum of squares of all elements, one partial sum per group.</summary>
    [Kernel(256)]
    public static void SumSquaresKernel([ReadOnlyView] ArrayView<float> x, ArrayView<float> sums)
    {
        var sum = 0f;
        for (var i = (Grid.IdxX * Group.DimX) + Group.IdxX; i < x.IntLength; i += Grid.DimX * Group.DimX)
        {
            sum = XMath.Fma(x[i], x[i], sum);
        }

        sum = GroupSum(sum);
        if (Group.IdxX == 0)
        {
            sums[Grid.IdxX] = sum;
        }
    }

    [Kernel(128)]
    public static void FunctionsKernel(ArrayView<float> x, ArrayView<float> y)
    {
        var value = x[Group.IdxX];
        y[Group.IdxX] = XMath.Exp(value) + XMath.Exp2(value) + XMath.Log(value) + XMath.Tanh(value) + XMath.Erf(value);
    }

    /// <summary>Sum over the group, given to every thread.</summary>
    private static float GroupSum(float value)
    {
        var partial = SharedMemory.Allocate<float>(32);
        value = WarpSum(value);
        if (Warp.LaneIdx == 0)
        {
            partial[Warp.WarpIdx] = value;
        }

        Group.Barrier();
        value = Warp.LaneIdx < Group.DimX / Warp.WarpSize ? partial[Warp.LaneIdx] : 0f;
        return WarpSum(value);
    }

    private static float WarpSum(float value)
    {
        for (var distance = 16; distance > 0; distance >>= 1)
        {
            value += Warp.ShuffleXor(value, distance);
        }

        return value;
    }
}
