// The k largest elements of each row in order: radix selection of the k-th, collection, bitonic sort.
// Sources: Alabi et al. 2012, "Fast k-selection algorithms for graphics processors"; Batcher 1968.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>The k largest elements per row, largest first, the lower index first among equals.</summary>
public static class TopK
{
    /// <summary>Threads per group.</summary>
    public const int GroupSize = 1024;

    /// <summary>Largest k.</summary>
    public const int Largest = 1024;

    /// <summary>One row per group.</summary>
    /// <param name="x">[rows, width].</param>
    /// <param name="stride">Elements from one row to the next.</param>
    /// <param name="width">Width, at least <paramref name="k"/>.</param>
    /// <param name="k">How many; at most <see cref="Largest"/>.</param>
    /// <param name="values">[rows, k]: receives the elements.</param>
    /// <param name="indices">[rows, k]: receives their indices.</param>
    /// <remarks>Grid: rows. Group 1024. Shared 10 KB. Reads the row five times, all but the first from the caches; writes 8 k bytes.
    /// NaN counts as the smallest. Integer atomics only, and a sort by (element, index): the result does not depend on their order.</remarks>
    [Kernel(GroupSize, MinGroups = 1)]
    [Instance(typeof(float))]
    [Instance(typeof(BFloat16))]
    [Instance(typeof(Half))]
    internal static void TopKKernel<TA>(
        [ReadOnlyView] ArrayView<TA> x, long stride, int width, int k, ArrayView<float> values, ArrayView<int> indices)
        where TA : unmanaged
    {
        var line = x.SubView(Grid.IdxX * stride);
        var counts = SharedMemory.Allocate<int>(256);
        var state = SharedMemory.Allocate<int>(4);
        var sorted = SharedMemory.Allocate<ulong>(Largest);
        var warpCounts = SharedMemory.Allocate<int>(32);

        // The k-th largest key, eight bits at a time.
        var threshold = 0u;
        var wanted = k;
        var equal = 0;
        for (var shift = 24; shift >= 0; shift -= 8)
        {
            if (Group.IdxX < 256)
            {
                counts[Group.IdxX] = 0;
            }

            Group.Barrier();
            for (var i = Group.IdxX; i < width; i += GroupSize)
            {
                var key = Key(line[i]);
                if (shift == 24 || (key >> (shift == 24 ? 0 : shift + 8)) == (threshold >> (shift == 24 ? 0 : shift + 8)))
                {
                    Atomic.Add(ref counts[(int)(key >> shift & 255)], 1);
                }
            }

            Group.Barrier();
            if (Warp.WarpIdx == 0)
            {
                FindDigit(counts, wanted, state);
            }

            Group.Barrier();
            threshold |= (uint)state[0] << shift;
            wanted -= state[1];
            equal = state[2];
            Group.Barrier();
        }

        // Everything above the threshold, and of those equal to it the `wanted` first.
        sorted[Group.IdxX] = 0ul;
        if (Group.IdxX == 0)
        {
            state[3] = 0;
        }

        Group.Barrier();
        var takeAll = Group.BarrierAnd(equal == wanted);
        for (var i = Group.IdxX; i < width; i += GroupSize)
        {
            var key = Key(line[i]);
            if (key > threshold || (takeAll && key == threshold))
            {
                sorted[Atomic.Add(ref state[3], 1)] = Pair(key, i);
            }
        }

        Group.Barrier();
        if (!takeAll)
        {
            TakeFirst(line, width, threshold, wanted, k - wanted, warpCounts, sorted);
        }

        Group.Barrier();
        Sort(sorted);
        if (Group.IdxX < k)
        {
            var index = (int)~(uint)sorted[Group.IdxX];
            indices[Grid.IdxX * k + Group.IdxX] = index;
            values[Grid.IdxX * k + Group.IdxX] = Element.ToFloat(line[index]);
        }
    }

    /// <summary>Work of one launch.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="width">Width.</param>
    /// <param name="k">How many.</param>
    /// <param name="elementBytes">Bytes of an element.</param>
    public static KernelCost Cost(int rows, int width, int k, int elementBytes) => new((long)rows * width * elementBytes, 8L * rows * k, 0);

    /// <summary>A number whose order is that of the elements: 0 for NaN, both zeros alike.</summary>
    private static uint Key<TA>(TA element) where TA : unmanaged
    {
        var value = Element.ToFloat(element) + 0f;
        var bits = Interop.FloatAsInt(value);
        return float.IsNaN(value) ? 0u : (bits & 0x80000000u) != 0u ? ~bits : bits | 0x80000000u;
    }

    /// <summary>Sorts by element, then by lower index.</summary>
    private static ulong Pair(uint key, int index) => (ulong)key << 32 | ~(uint)index;

    /// <summary>The digit at which the count from above reaches <paramref name="wanted"/>: state = digit, count above it, count of it. One warp.</summary>
    private static void FindDigit(ArrayView<int> counts, int wanted, ArrayView<int> state)
    {
        // Lane 0 has the digits 255..248, lane 31 the digits 7..0.
        var first = 255 - Warp.LaneIdx * 8;
        var own = 0;
        for (var i = 0; i < 8; i++)
        {
            own += counts[first - i];
        }

        var through = own;
        for (var delta = 1; delta < 32; delta *= 2)
        {
            var below = Warp.ShuffleUp(through, delta);
            through += Warp.LaneIdx >= delta ? below : 0;
        }

        var above = through - own;
        if (above < wanted && wanted <= through)
        {
            var found = false;
            for (var i = 0; i < 8; i++)
            {
                var count = counts[first - i];
                if (!found && above + count >= wanted)
                {
                    found = true;
                    state[0] = first - i;
                    state[1] = above;
                    state[2] = count;
                }

                above += count;
            }
        }
    }

    /// <summary>Of the elements equal to the threshold the first <paramref name="wanted"/> by index, into sorted from <paramref name="start"/> on.</summary>
    private static void TakeFirst<TA>(
        ArrayView<TA> line, int width, uint threshold, int wanted, int start, ArrayView<int> warpCounts, ArrayView<ulong> sorted)
        where TA : unmanaged
    {
        var taken = 0;
        for (var tile = 0; tile < width; tile += GroupSize)
        {
            var i = tile + Group.IdxX;
            var matches = i < width && Key(line[i]) == threshold;
            var ballot = Warp.Ballot(matches);
            if (Warp.LaneIdx == 0)
            {
                warpCounts[Warp.WarpIdx] = Bits(ballot);
            }

            Group.Barrier();
            var before = taken;
            for (var warp = 0; warp < GroupSize / Warp.WarpSize; warp++)
            {
                var count = warpCounts[warp];
                before += warp < Warp.WarpIdx ? count : 0;
                taken += count;
            }

            before += Bits(ballot & ((1u << Warp.LaneIdx) - 1u));
            if (matches && before < wanted)
            {
                sorted[start + before] = Pair(threshold, i);
            }

            Group.Barrier();
        }
    }

    /// <summary>Number of ones.</summary>
    private static int Bits(uint value)
    {
        value -= value >> 1 & 0x55555555u;
        value = (value & 0x33333333u) + (value >> 2 & 0x33333333u);
        return (int)(((value + (value >> 4) & 0x0F0F0F0Fu) * 0x01010101u) >> 24);
    }

    /// <summary>Largest first, by a bitonic network; one element per thread.</summary>
    private static void Sort(ArrayView<ulong> values)
    {
        for (var size = 2; size <= Largest; size *= 2)
        {
            for (var distance = size / 2; distance > 0; distance /= 2)
            {
                var partner = Group.IdxX ^ distance;
                if (partner > Group.IdxX)
                {
                    var a = values[Group.IdxX];
                    var b = values[partner];
                    if ((Group.IdxX & size) == 0 ? a < b : a > b)
                    {
                        values[Group.IdxX] = b;
                        values[partner] = a;
                    }
                }

                Group.Barrier();
            }
        }
    }
}
