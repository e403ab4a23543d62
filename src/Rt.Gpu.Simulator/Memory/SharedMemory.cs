// The shared memory of the group that a worker runs, with records of who wrote and read each piece since when.
using System.Runtime.InteropServices;

namespace Rt.Gpu.Simulator.Memory;

/// <summary>Where the shared variables of an entry lie. Variables are 1 KiB apart beyond what their order asks for, and the space
/// between them is out of bounds; banks are those of the layout without the gaps.</summary>
internal sealed record SharedLayout(int Bytes, IReadOnlyList<(int Start, int Bytes, string Name)> Variables)
{
    public const int Gap = 1024;
}

/// <summary>Who used a piece of shared memory last: 32-bit records.</summary>
internal static class SharedRecord
{
    /// <summary>Not part of any variable.</summary>
    public const uint Outside = uint.MaxValue;

    /// <summary>The destination of an asynchronous copy under way, by the thread in the lower bits.</summary>
    public const uint InFlight = 1u << 31;

    /// <summary>One thread wrote or read at a time of its warp's clock.</summary>
    public const uint One = 1u << 30;

    /// <summary>Several lanes of a warp read at a time of its clock.</summary>
    public const uint Warp = 2u << 30;

    /// <summary>Several warps read in the epoch (barriers of the group so far) in the clock's place.</summary>
    public const uint Group = 3u << 30;

    public const uint KindMask = 3u << 30;

    /// <summary>In a reader's record of kind 0: several threads did atomic operations in the epoch.</summary>
    public const uint Several = 2;

    public const int ClockShift = 10;

    public const uint ClockMask = (1u << 20) - 1;

    /// <summary>A reader's record that says: the last accesses were atomic.</summary>
    public static bool IsAtomic(uint reader) => reader != 0 && (reader & KindMask) == 0;
}

/// <summary>The shared memory of one group: bytes, and two records per granule: writer and reader.</summary>
internal sealed unsafe class SharedMemory : IDisposable
{
    private readonly uint[] _template;
    private readonly int _layoutBytes;

    public SharedMemory(SharedLayout layout, int granule)
    {
        GranuleShift = System.Numerics.BitOperations.TrailingZeroCount(granule);
        _layoutBytes = (layout.Bytes + 15) / 16 * 16;
        Length = _layoutBytes;
        int granules = _layoutBytes >> GranuleShift;
        _template = new uint[granules * 2];
        for (int g = 0; g < granules; g++)
        {
            _template[2 * g] = SharedRecord.Outside;
        }
        foreach (var (start, bytes, _) in layout.Variables)
        {
            for (int g = start >> GranuleShift; g < start + bytes >> GranuleShift; g++)
            {
                _template[2 * g] = 0;
            }
        }
        Data = (byte*)NativeMemory.AlignedAlloc((nuint)_layoutBytes + 64, 128);
        Records = (uint*)NativeMemory.AlignedAlloc(((nuint)_template.Length * 4) + 64, 128);
    }

    public byte* Data { get; private set; }

    /// <summary>Writer and reader of granule g at 2 g and 2 g + 1.</summary>
    public uint* Records { get; private set; }

    public int GranuleShift { get; }

    public int Length { get; }

    /// <summary>Forgets all: a new group starts.</summary>
    public void Reset() => _template.CopyTo(new Span<uint>(Records, _template.Length));

    public void Dispose()
    {
        NativeMemory.AlignedFree(Data);
        NativeMemory.AlignedFree(Records);
        Data = null;
        Records = null;
        GC.SuppressFinalize(this);
    }

    ~SharedMemory() => Dispose();
}
