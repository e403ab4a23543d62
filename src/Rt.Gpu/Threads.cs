// Grids, groups and warps, with ILGPU's names.
namespace Rt.Gpu;

/// <summary>The grid of groups.</summary>
public static class Grid
{
    /// <summary>Index of this group along x.</summary>
    public static int IdxX => throw new KernelOnlyException();

    /// <summary>Index of this group along y.</summary>
    public static int IdxY => throw new KernelOnlyException();

    /// <summary>Index of this group along z.</summary>
    public static int IdxZ => throw new KernelOnlyException();

    /// <summary>Groups along x.</summary>
    public static int DimX => throw new KernelOnlyException();

    /// <summary>Groups along y.</summary>
    public static int DimY => throw new KernelOnlyException();

    /// <summary>Groups along z.</summary>
    public static int DimZ => throw new KernelOnlyException();
}

/// <summary>The threads of one group (CUDA: block).</summary>
public static class Group
{
    /// <summary>Index of this thread in its group.</summary>
    public static int IdxX => throw new KernelOnlyException();

    /// <summary>Threads per group: a constant, the kernel's group size.</summary>
    public static int DimX => throw new KernelOnlyException();

    /// <summary>Waits for all threads of the group; their writes to shared and global memory are then seen.</summary>
    public static void Barrier() => throw new KernelOnlyException();

    /// <summary>A barrier that tells every thread whether all gave true.</summary>
    public static bool BarrierAnd(bool predicate) => throw new KernelOnlyException();

    /// <summary>A barrier that tells every thread whether any gave true.</summary>
    public static bool BarrierOr(bool predicate) => throw new KernelOnlyException();

    /// <summary>A barrier that tells every thread how many gave true.</summary>
    public static int BarrierPopCount(bool predicate) => throw new KernelOnlyException();
}

/// <summary>The 32 threads of one warp. Exchanges take all 32 lanes and must not stand under a condition that differs within the warp.</summary>
public static class Warp
{
    /// <summary>32.</summary>
    public const int WarpSize = 32;

    /// <summary>Index of this thread in its warp.</summary>
    public static int LaneIdx => throw new KernelOnlyException();

    /// <summary>Index of this warp in its group; uniform within the warp.</summary>
    public static int WarpIdx => throw new KernelOnlyException();

    /// <summary>Waits for the lanes of the warp; their writes to shared memory are then seen by each other.</summary>
    public static void Barrier() => throw new KernelOnlyException();

    /// <summary>The value of lane <paramref name="lane"/>. T: int, uint, float (also 64-bit types, as two exchanges).</summary>
    public static T Shuffle<T>(T value, int lane) where T : unmanaged => throw new KernelOnlyException();

    /// <summary>The value of the lane <paramref name="delta"/> higher; the own value at the upper end.</summary>
    public static T ShuffleDown<T>(T value, int delta) where T : unmanaged => throw new KernelOnlyException();

    /// <summary>The value of the lane <paramref name="delta"/> lower; the own value at the lower end.</summary>
    public static T ShuffleUp<T>(T value, int delta) where T : unmanaged => throw new KernelOnlyException();

    /// <summary>The value of lane LaneIdx ^ <paramref name="mask"/>.</summary>
    public static T ShuffleXor<T>(T value, int mask) where T : unmanaged => throw new KernelOnlyException();

    /// <summary>The value of a lane that is the same for all: the result is uniform within the warp.</summary>
    public static T Broadcast<T>(T value, int lane) where T : unmanaged => throw new KernelOnlyException();

    /// <summary>Whether all lanes gave true; uniform within the warp.</summary>
    public static bool All(bool predicate) => throw new KernelOnlyException();

    /// <summary>Whether any lane gave true; uniform within the warp.</summary>
    public static bool Any(bool predicate) => throw new KernelOnlyException();

    /// <summary>One bit per lane; uniform within the warp.</summary>
    public static uint Ballot(bool predicate) => throw new KernelOnlyException();
}

/// <summary>Orders this thread's memory accesses as others see them.</summary>
public static class MemoryFence
{
    /// <summary>For threads of the group.</summary>
    public static void GroupLevel() => throw new KernelOnlyException();

    /// <summary>For threads of the device.</summary>
    public static void DeviceLevel() => throw new KernelOnlyException();
}

/// <summary>Atomic operations on shared or global memory; each returns the old value. There is none on float: sums in a fixed order only.</summary>
public static class Atomic
{
    /// <summary>target += value.</summary>
    public static int Add(ref int target, int value) => throw new KernelOnlyException();

    /// <summary>target += value.</summary>
    public static uint Add(ref uint target, uint value) => throw new KernelOnlyException();

    /// <summary>target = max(target, value).</summary>
    public static int Max(ref int target, int value) => throw new KernelOnlyException();

    /// <summary>target = min(target, value).</summary>
    public static int Min(ref int target, int value) => throw new KernelOnlyException();

    /// <summary>target |= value.</summary>
    public static uint Or(ref uint target, uint value) => throw new KernelOnlyException();

    /// <summary>target &amp;= value.</summary>
    public static uint And(ref uint target, uint value) => throw new KernelOnlyException();

    /// <summary>target = value.</summary>
    public static int Exchange(ref int target, int value) => throw new KernelOnlyException();

    /// <summary>target = value where it was <paramref name="compare"/>.</summary>
    public static int CompareExchange(ref int target, int compare, int value) => throw new KernelOnlyException();
}
