// The fused meta-gradient update G = current - kept; M = G + β M; kept = kept + η M, and the squared norms of G.
// Source: arXiv:2305.13016, section 3, with momentum.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>The fused update of kept keys and values, and its norms.</summary>
public static class AccumulateMetaGradient
{
    /// <summary>Threads per group.</summary>
    public const int GroupSize = 256;

    /// <summary>Elements of one group: four per thread and turn.</summary>
    public const int GroupElements = GroupSize * Count * Turns;

    private const int Count = 4;
    private const int Turns = 2;

    /// <summary>Keys (grid z = 0) and values (z = 1) of one layer in one pass; every intermediate is rounded to TPrecision.</summary>
    /// <param name="currentKey">[kv_heads, length x head_dim], of this pass.</param>
    /// <param name="currentValue">As <paramref name="currentKey"/>.</param>
    /// <param name="currentStride">Elements from one head of it to the next.</param>
    /// <param name="keptKey">[kv_heads, length x head_dim], updated.</param>
    /// <param name="keptValue">As <paramref name="keptKey"/>.</param>
    /// <param name="keptStride">Elements from one head of it to the next.</param>
    /// <param name="velocityKey">M, updated.</param>
    /// <param name="velocityValue">As <paramref name="velocityKey"/>.</param>
    /// <param name="velocityStride">Elements from one head of it to the next.</param>
    /// <param name="copyKey">Receives the kept keys rounded to TCopy; empty for none.</param>
    /// <param name="copyValue">As <paramref name="copyKey"/>.</param>
    /// <param name="copyStride">Elements from one head of it to the next.</param>
    /// <param name="stepSize">η.</param>
    /// <param name="momentum">β.</param>
    /// <param name="updateKey">False leaves keys and their velocity as they are.</param>
    /// <param name="updateValue">False leaves values and their velocity as they are.</param>
    /// <param name="width">Elements of a head: length x head_dim, or head_dim where the entries are not adjacent.</param>
    /// <param name="partials">[2, groups along x times y], the groups' sums of G²; empty where no norm is wanted.</param>
    /// <param name="heads">Heads.</param>
    /// <param name="aligned">Whether four elements may be moved at once.</param>
    /// <remarks>Grid: x = width / 2048, y = heads (with a stride), z = 2. Group 256. Shared 256 bytes. Reads current, kept and M, writes kept and M
    /// (and the copy): 20 bytes per element in F32; 5 FLOPs. Sums of squares in F64: products of floats are exact there.</remarks>
    [Kernel(GroupSize, MinGroups = 2)]
    [Instance(typeof(float), typeof(float), typeof(float))]
    [Instance(typeof(float), typeof(float), typeof(BFloat16))]
    [Instance(typeof(float), typeof(float), typeof(Half))]
    [Instance(typeof(float), typeof(BFloat16), typeof(float))]
    [Instance(typeof(float), typeof(BFloat16), typeof(BFloat16))]
    [Instance(typeof(float), typeof(BFloat16), typeof(Half))]
    [Instance(typeof(float), typeof(Half), typeof(float))]
    [Instance(typeof(float), typeof(Half), typeof(BFloat16))]
    [Instance(typeof(float), typeof(Half), typeof(Half))]
    [Instance(typeof(BFloat16), typeof(BFloat16), typeof(float))]
    [Instance(typeof(BFloat16), typeof(BFloat16), typeof(BFloat16))]
    [Instance(typeof(BFloat16), typeof(BFloat16), typeof(Half))]
    [Instance(typeof(Half), typeof(Half), typeof(float))]
    [Instance(typeof(Half), typeof(Half), typeof(BFloat16))]
    [Instance(typeof(Half), typeof(Half), typeof(Half))]
    internal static void AccumulateMetaGradientKernel<TCurrent, TCopy, TPrecision>(
        [ReadOnlyView] ArrayView<TCurrent> currentKey, [ReadOnlyView] ArrayView<TCurrent> currentValue, long currentStride,
        ArrayView<float> keptKey, ArrayView<float> keptValue, long keptStride,
        ArrayView<float> velocityKey, ArrayView<float> velocityValue, long velocityStride,
        ArrayView<TCopy> copyKey, ArrayView<TCopy> copyValue, long copyStride,
        float stepSize, float momentum, bool updateKey, bool updateValue,
        ArrayView<double> partials, int heads, int width, bool aligned)
        where TCurrent : unmanaged
        where TCopy : unmanaged
        where TPrecision : unmanaged
    {
        var squares = 0.0;
        if (Grid.IdxZ == 0)
        {
            squares = Update<TCurrent, TCopy, TPrecision>(
                currentKey, currentStride, keptKey, keptStride, velocityKey, velocityStride, copyKey, copyStride,
                stepSize, momentum, updateKey, partials.Length > 0, heads, width, aligned);
        }
        else
        {
            squares = Update<TCurrent, TCopy, TPrecision>(
                currentValue, currentStride, keptValue, keptStride, velocityValue, velocityStride, copyValue, copyStride,
                stepSize, momentum, updateValue, partials.Length > 0, heads, width, aligned);
        }

        if (partials.Length > 0)
        {
            squares = GroupReduce.Sum(squares, SharedMemory.Allocate<double>(32));
            if (Group.IdxX == 0)
            {
                partials[(Grid.IdxZ * Grid.DimY + Grid.IdxY) * Grid.DimX + Grid.IdxX] = squares;
            }
        }
    }

    /// <summary>squaredNorms[side] = the sum of that side's partials, in a fixed order.</summary>
    /// <param name="partials">[launches, 2, count].</param>
    /// <param name="launches">Launches of the update.</param>
    /// <param name="count">Partials of one side of one launch.</param>
    /// <param name="squaredNorms">[2].</param>
    /// <remarks>Grid: 2. Group 256. Shared 256 bytes. Reads 16 bytes per partial, writes 16 bytes; one FLOP per partial.</remarks>
    [Kernel(GroupSize)]
    internal static void SquaredNormKernel([ReadOnlyView] ArrayView<double> partials, int launches, int count, ArrayView<double> squaredNorms)
    {
        var sum = 0.0;
        for (var launch = 0; launch < launches; launch++)
        {
            for (var i = Group.IdxX; i < count; i += GroupSize)
            {
                sum += partials[(launch * 2 + Grid.IdxX) * count + i];
            }
        }

        sum = GroupReduce.Sum(sum, SharedMemory.Allocate<double>(32));
        if (Group.IdxX == 0)
        {
            squaredNorms[Grid.IdxX] = sum;
        }
    }

    /// <summary>Work of one layer's update.</summary>
    /// <param name="elements">Elements of keys and values together.</param>
    /// <param name="currentBytes">Bytes of an element of this pass.</param>
    /// <param name="copyBytes">Bytes of an element of the copy; 0 for none.</param>
    /// <param name="norms">With norms.</param>
    public static KernelCost Cost(long elements, int currentBytes, int copyBytes, bool norms) =>
        new(elements * (8 + currentBytes), elements * (8 + copyBytes), elements * (norms ? 7 : 5));

    /// <summary>One side; returns the thread's sum of G².</summary>
    private static double Update<TCurrent, TCopy, TPrecision>(
        ArrayView<TCurrent> current, long currentStride, ArrayView<float> kept, long keptStride,
        ArrayView<float> velocity, long velocityStride, ArrayView<TCopy> copy, long copyStride,
        float stepSize, float momentum, bool update, bool withNorm, int heads, int width, bool aligned)
        where TCurrent : unmanaged
        where TCopy : unmanaged
        where TPrecision : unmanaged
    {
        var squares = 0.0;
        for (var head = Grid.IdxY; head < heads; head += Grid.DimY)
        {
            var x = LocalMemory.Allocate<float>(Count * Turns);
            var k = LocalMemory.Allocate<float>(Count * Turns);
            var m = LocalMemory.Allocate<float>(Count * Turns);
            for (var turn = 0; turn < Turns; turn++)
            {
                var first = First(turn);
                Vectors.Load(current.SubView(head * currentStride), first, width, aligned, x, turn * Count, Count);
                Vectors.Load(kept.SubView(head * keptStride), first, width, aligned, k, turn * Count, Count);
                for (var i = 0; i < Count; i++)
                {
                    m[turn * Count + i] = 0f;
                }

                if (update)
                {
                    Vectors.Load(velocity.SubView(head * velocityStride), first, width, aligned, m, turn * Count, Count);
                }
            }

            for (var i = 0; i < Count * Turns; i++)
            {
                // What a pass in that dtype would have left: its keys and values rounded, then each step of the update.
                var gradient = Round<TPrecision>(Round<TPrecision>(x[i]) - k[i]);
                if (withNorm)
                {
                    squares = XMath.Fma((double)gradient, (double)gradient, squares);
                }

                if (update)
                {
                    m[i] = Round<TPrecision>(gradient + Round<TPrecision>(momentum * m[i]));
                    k[i] = Round<TPrecision>(k[i] + Round<TPrecision>(stepSize * m[i]));
                }
            }

            if (update)
            {
                for (var turn = 0; turn < Turns; turn++)
                {
                    var first = First(turn);
                    Vectors.Store(velocity.SubView(head * velocityStride), first, width, aligned, m, turn * Count, Count);
                    Vectors.Store(kept.SubView(head * keptStride), first, width, aligned, k, turn * Count, Count);
                    if (copy.Length > 0)
                    {
                        Vectors.Store(copy.SubView(head * copyStride), first, width, aligned, k, turn * Count, Count);
                    }
                }
            }
        }

        return squares;
    }

    private static int First(int turn) => (Grid.IdxX * Turns + turn) * (GroupSize * Count) + Group.IdxX * Count;

    private static float Round<TPrecision>(float value) where TPrecision : unmanaged =>
        Element.Is<TPrecision, float>() ? value : Element.ToFloat(Element.FromFloat<TPrecision>(value));
}
