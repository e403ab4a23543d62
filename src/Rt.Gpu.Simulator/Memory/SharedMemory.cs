// The shared memory of the group that a worker runs, with records of who wrote and read each granule, and when.
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

    /// <summary>One thread wrote or read at the time of the stamp.</summary>
    public const uint One = 1u << 30;

    /// <summary>Several lanes of a warp read at the time of the stamp.</summary>
    public const uint Warp = 2u << 30;

    /// <summary>Several warps read, lately at the time of the stamp.</summary>
    public const uint Group = 3u << 30;

    public const uint KindMask = 3u << 30;

    /// <summary>In a reader's record of kind 0: several threads did atomic operations.</summary>
    public const uint Several = 2;

    public const int StampShift = 10;

    public const uint StampMask = (1u << 20) - 1;

    public static uint StampOf(uint record) => record >> StampShift & StampMask;

    /// <summary>A reader's record that says: the last accesses were atomic.</summary>
    public static bool IsAtomic(uint reader) => reader != 0 && (reader & KindMask) == 0;
}

/// <summary>The shared memory of one group: bytes, and two records per granule, writer and reader.</summary>
internal sealed unsafe class SharedMemory : IDisposable
{
    private readonly uint[] _template;
    private readonly int _layoutBytes;

    public SharedMemory(SharedLayout layout, int granule)
    {
        foreach (var (start, bytes, _) in layout.Variables)
        {
            while ((start | bytes) % granule != 0)
            {
                granule /= 2;
            }
        }
        GranuleShift = System.Numerics.BitOperations.TrailingZeroCount(granule);
        _layoutBytes = (layout.Bytes + 15) / 16 * 16;
        Length = _layoutBytes;
        int granules = _layoutBytes >> GranuleShift;
        _template = new uint[granules];
        for (int g = 0; g < granules; g++)
        {
            _template[g] = SharedRecord.Outside;
        }
        foreach (var (start, bytes, _) in layout.Variables)
        {
            for (int g = start >> GranuleShift; g < start + bytes >> GranuleShift; g++)
            {
                _template[g] = 0;
            }
        }
        Data = (byte*)NativeMemory.AlignedAlloc((nuint)_layoutBytes + 64, 128);
        // Room past the end, so that whole vectors may be read there.
        Writers = (uint*)NativeMemory.AlignedAlloc(((nuint)granules * 4) + 128, 128);
        Readers = (uint*)NativeMemory.AlignedAlloc(((nuint)granules * 4) + 128, 128);
    }

    public byte* Data { get; private set; }

    /// <summary>Who wrote each granule last.</summary>
    public uint* Writers { get; private set; }

    /// <summary>Who read each granule since.</summary>
    public uint* Readers { get; private set; }

    public int GranuleShift { get; }

    public int Length { get; }

    /// <summary>Forgets all: a new group starts.</summary>
    public void Reset()
    {
        _template.CopyTo(new Span<uint>(Writers, _template.Length));
        new Span<uint>(Readers, _template.Length).Clear();
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(Data);
        NativeMemory.AlignedFree(Writers);
        NativeMemory.AlignedFree(Readers);
        Data = null;
        Writers = null;
        Readers = null;
        GC.SuppressFinalize(this);
    }

    ~SharedMemory() => Dispose();
}
