// Exchanges between threads, atomic operations, element formats and vectors, each by itself.
using Rt.Gpu;

namespace Rt.Gpu.Compiler.Tests.Kernels;

public static class ExchangeKernels
{
    public const int ShuffleCount = 5;
    public const int VoteCount = 7;
    public const int AtomicSlots = 9;
    public const int FormatCount = 6;

    /// <summary>Every shuffle of each lane's value.</summary>
    [Kernel(64)]
    [Instance(typeof(int))]
    [Instance(typeof(float))]
    [Instance(typeof(long))]
    [Instance(typeof(double))]
    public static void ShuffleKernel<T>([ReadOnlyView] ArrayView<T> x, ArrayView<T> y)
        where T : unmanaged
    {
        var value = x[Group.IdxX];
        var results = y.SubView(Group.IdxX * ShuffleCount);
        results[0] = Warp.Shuffle(value, ((Warp.LaneIdx * 5) + 3) & 31);
        results[1] = Warp.ShuffleDown(value, 3);
        results[2] = Warp.ShuffleUp(value, 5);
        results[3] = Warp.ShuffleXor(value, 9);
        results[4] = Warp.Broadcast(value, 7);
    }

    /// <summary>Every vote over whether values are greater than a bound: of the warp, then of the group.</summary>
    [Kernel(64)]
    public static void VoteKernel([ReadOnlyView] ArrayView<int> x, ArrayView<int> y, int bound)
    {
        var vote = x[Group.IdxX] > bound;
        var results = y.SubView(Group.IdxX * VoteCount);
        results[0] = Warp.All(vote) ? 1 : 0;
        results[1] = Warp.Any(vote) ? 1 : 0;
        results[2] = (int)Warp.Ballot(vote);
        results[3] = Group.BarrierAnd(vote) ? 1 : 0;
        results[4] = Group.BarrierOr(vote) ? 1 : 0;
        results[5] = Group.BarrierPopCount(vote);
        results[6] = (Warp.LaneIdx * 2) + Warp.WarpIdx;
    }

    /// <summary>Every atomic operation on slots in global memory, and on slots in shared memory that are then written out. The slots
    /// start as they are given; thread i also leaves what its exchange returned.</summary>
    [Kernel(64)]
    public static void AtomicKernel([ReadOnlyView] ArrayView<int> x, ArrayView<int> slots, ArrayView<uint> bits, ArrayView<int> exchanged)
    {
        var sharedSlots = SharedMemory.Allocate<int>(AtomicSlots);
        var sharedBits = SharedMemory.Allocate<uint>(AtomicSlots);
        if (Group.IdxX < AtomicSlots)
        {
            sharedSlots[Group.IdxX] = slots[AtomicSlots + Group.IdxX];
            sharedBits[Group.IdxX] = bits[AtomicSlots + Group.IdxX];
        }

        Group.Barrier();
        var value = x[(Grid.IdxX * Group.DimX) + Group.IdxX];
        exchanged[(Grid.IdxX * Group.DimX) + Group.IdxX] = Apply(slots, bits, value);
        Apply(sharedSlots, sharedBits, value);
        Group.Barrier();
        if (Group.IdxX < AtomicSlots)
        {
            slots[((2 + Grid.IdxX) * AtomicSlots) + Group.IdxX] = sharedSlots[Group.IdxX];
            bits[((2 + Grid.IdxX) * AtomicSlots) + Group.IdxX] = sharedBits[Group.IdxX];
        }
    }

    /// <summary>Each float as an element of 16 bits and back, by both spellings, and packed with its half.</summary>
    [Kernel(64)]
    public static void FormatKernel([ReadOnlyView] ArrayView<float> x, ArrayView<uint> y, ArrayView<BFloat16> brain, ArrayView<Half> half)
    {
        var value = x[Group.IdxX];
        brain[Group.IdxX] = (BFloat16)value;
        half[Group.IdxX] = (Half)value;
        var results = y.SubView(Group.IdxX * FormatCount);
        results[0] = Interop.FloatAsInt(Element.ToFloat(Element.FromFloat<BFloat16>(value)));
        results[1] = Interop.FloatAsInt(Element.ToFloat(Element.FromFloat<Half>(value)));
        results[2] = Interop.FloatAsInt((float)brain[Group.IdxX]);
        results[3] = Interop.FloatAsInt((float)half[Group.IdxX]);
        results[4] = Element.Pack<BFloat16>(value, value * 0.5f);
        results[5] = Element.Pack<Half>(value, value * 0.5f);
    }

    /// <summary>Vectors of every length: each is written with its elements reversed and its first doubled by hand.</summary>
    [Kernel(32)]
    public static void VectorKernel(
        [ReadOnlyView] ArrayView<double> x2, [ReadOnlyView] ArrayView<float> x4, [ReadOnlyView] ArrayView<Half> x8,
        ArrayView<double> y2, ArrayView<float> y4, ArrayView<Half> y8)
    {
        var two = x2.Cast<Vec2<double>>()[Group.IdxX];
        var twoBack = default(Vec2<double>);
        twoBack[0] = two[1];
        twoBack[1] = two[0] * 2;
        y2.Cast<Vec2<double>>()[Group.IdxX] = twoBack;

        var shared = SharedMemory.Allocate<float>(4 * 32).Cast<Vec4<float>>();
        shared[Group.IdxX] = x4.Cast<Vec4<float>>()[Group.IdxX];
        Group.Barrier();
        var four = shared[31 - Group.IdxX];
        var fourBack = default(Vec4<float>);
        for (var i = 0; i < 4; i++)
        {
            fourBack[i] = four[3 - i];
        }

        fourBack[3] *= 2;
        y4.Cast<Vec4<float>>()[Group.IdxX] = fourBack;

        var eight = x8.Cast<Vec8<Half>>()[Group.IdxX];
        var eightBack = default(Vec8<Half>);
        for (var i = 0; i < 8; i++)
        {
            eightBack[i] = eight[7 - i];
        }

        eightBack[7] = Element.FromFloat<Half>(Element.ToFloat(eight[0]) * 2);
        y8.Cast<Vec8<Half>>()[Group.IdxX] = eightBack;
    }

    private static int Apply(ArrayView<int> slots, ArrayView<uint> bits, int value)
    {
        Atomic.Add(ref slots[0], value);
        Atomic.Max(ref slots[1], value);
        Atomic.Min(ref slots[2], value);
        Atomic.Add(ref bits[0], (uint)value);
        Atomic.Or(ref bits[1], (uint)value & 0x0F0F0F0Fu);
        Atomic.And(ref bits[2], (uint)value | 0xFFFF0000u);
        var seen = 0;
        int expected;
        do
        {
            expected = seen;
            seen = Atomic.CompareExchange(ref slots[3], expected, expected ^ value);
        }
        while (seen != expected);
        return Atomic.Exchange(ref slots[4], value);
    }
}
