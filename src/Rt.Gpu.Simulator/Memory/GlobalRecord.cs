// Who used a piece of global memory last: 64-bit records, told apart by launch so that they need no clearing.
namespace Rt.Gpu.Simulator.Memory;

/// <summary>Layout of a record: kind 2 bits, launch 12, group 20, stamp 20, thread 10.</summary>
internal static class GlobalRecord
{
    /// <summary>One thread wrote or read at the time of the stamp.</summary>
    public const ulong One = 1UL << 62;

    /// <summary>Reader: several lanes of a warp. Writer: an atomic operation.</summary>
    public const ulong Warp = 2UL << 62;

    /// <summary>Reader: several warps of a group, or several groups.</summary>
    public const ulong Group = 3UL << 62;

    public const ulong Atomic = Warp;

    public const ulong KindMask = 3UL << 62;

    public const int LaunchShift = 50;

    public const ulong LaunchMask = 0xFFF;

    public const int GroupShift = 30;

    /// <summary>In place of a group's number: several groups.</summary>
    public const ulong ManyGroups = 0xFFFFF;

    public const int StampShift = 10;

    public const ulong StampMask = 0xFFFFF;

    public static ulong GroupOf(ulong record) => record >> GroupShift & ManyGroups;

    public static ulong LaunchOf(ulong record) => record >> LaunchShift & LaunchMask;

    public static int ThreadOf(ulong record) => (int)(record & 1023);

    public static uint StampOf(ulong record) => (uint)(record >> StampShift & StampMask);
}
