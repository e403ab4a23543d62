// Sums and maxima over the lanes of a warp and the threads of a group, always in the same order.
// Source: butterfly reduction; Harris 2007, "Optimizing Parallel Reduction in CUDA".
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>A commutative operation on two floats.</summary>
internal interface IReduction
{
    static abstract float Combine(float x, float y);

    /// <summary>What changes nothing.</summary>
    static abstract float Identity { get; }
}

internal readonly struct AddFloat : IReduction
{
    public static float Identity => 0f;

    public static float Combine(float x, float y) => x + y;
}

/// <summary>NaN if either is NaN.</summary>
internal readonly struct MaxFloat : IReduction
{
    public static float Identity => float.NegativeInfinity;

    public static float Combine(float x, float y) => XMath.Max(x, y);
}

/// <summary>Reductions over the 32 lanes of a warp; every lane has the result, the same bits in each.</summary>
/// <remarks>A butterfly: both partners of an exchange compute x + y of the same two numbers, and addition commutes.</remarks>
internal static class WarpReduce
{
    public static float All<TReduction>(float value) where TReduction : struct, IReduction
    {
        value = TReduction.Combine(value, Warp.ShuffleXor(value, 16));
        value = TReduction.Combine(value, Warp.ShuffleXor(value, 8));
        value = TReduction.Combine(value, Warp.ShuffleXor(value, 4));
        value = TReduction.Combine(value, Warp.ShuffleXor(value, 2));
        return TReduction.Combine(value, Warp.ShuffleXor(value, 1));
    }

    /// <summary>Over each aligned run of 4 lanes: a row of an mma accumulator.</summary>
    public static float Quad<TReduction>(float value) where TReduction : struct, IReduction
    {
        value = TReduction.Combine(value, Warp.ShuffleXor(value, 2));
        return TReduction.Combine(value, Warp.ShuffleXor(value, 1));
    }

    public static float Sum(float value) => All<AddFloat>(value);

    public static float Max(float value) => All<MaxFloat>(value);

    public static double Sum(double value)
    {
        value += Warp.ShuffleXor(value, 16);
        value += Warp.ShuffleXor(value, 8);
        value += Warp.ShuffleXor(value, 4);
        value += Warp.ShuffleXor(value, 2);
        return value + Warp.ShuffleXor(value, 1);
    }
}

/// <summary>Reductions over all threads of a group; every thread has the result, the same bits in each. Two barriers each.</summary>
internal static class GroupReduce
{
    /// <summary>Combines the warps' results in the order of a butterfly over warps, missing ones standing for the identity.</summary>
    /// <param name="value">The thread's.</param>
    /// <param name="partials">Shared memory of 32 elements, free to be overwritten; free again for the next call.</param>
    public static float All<TReduction>(float value, ArrayView<float> partials) where TReduction : struct, IReduction
    {
        value = WarpReduce.All<TReduction>(value);
        if (Warp.LaneIdx == 0)
        {
            partials[Warp.WarpIdx] = value;
        }

        Group.Barrier();
        value = Warp.LaneIdx < Group.DimX / Warp.WarpSize ? partials[Warp.LaneIdx] : TReduction.Identity;
        Group.Barrier();
        return WarpReduce.All<TReduction>(value);
    }

    public static float Sum(float value, ArrayView<float> partials) => All<AddFloat>(value, partials);

    public static float Max(float value, ArrayView<float> partials) => All<MaxFloat>(value, partials);

    public static double Sum(double value, ArrayView<double> partials)
    {
        value = WarpReduce.Sum(value);
        if (Warp.LaneIdx == 0)
        {
            partials[Warp.WarpIdx] = value;
        }

        Group.Barrier();
        value = Warp.LaneIdx < Group.DimX / Warp.WarpSize ? partials[Warp.LaneIdx] : 0.0;
        Group.Barrier();
        return WarpReduce.Sum(value);
    }
}
