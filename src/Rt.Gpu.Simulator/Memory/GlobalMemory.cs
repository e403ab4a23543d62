// The simulated device memory: allocations far apart, with a record of the bytes that were ever written.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Rt.Gpu.Simulator.Memory;

/// <summary>One allocation. Tables are made when first needed.</summary>
internal unsafe struct Allocation
{
    public byte* Data;

    public long Length;

    /// <summary>One bit per byte: written by the host or a kernel.</summary>
    public ulong* Written;

    public bool Freed;

    /// <summary>Bytes of a piece with a record of its own, as a power of two.</summary>
    public int GranuleShift;

    /// <summary>Per piece, the last writer of a launch; null as long as no kernel wrote.</summary>
    public ulong* Writers;

    /// <summary>Per piece, the last readers of a launch; null as long as no kernel read.</summary>
    public ulong* Readers;

    /// <summary>Per piece, the launch that last read it past the coherent caches (ld.global.nc); null as long as none did.</summary>
    public ushort* Cached;
}

/// <summary>Device memory. An address holds the number of its allocation in its upper bits, so that no two allocations are near.</summary>
internal sealed unsafe class GlobalMemory : IDisposable
{
    /// <summary>Bits of an address below the allocation's number.</summary>
    public const int OffsetBits = 36;

    /// <summary>Where an allocation starts within its range: addresses before and behind it are free.</summary>
    public const long Start = 1L << (OffsetBits - 1);

    private const long OffsetMask = (1L << OffsetBits) - 1;
    private Allocation* _allocations;
    private readonly Lock _lock = new();
    private int _capacity;
    private ulong _launch;

    public GlobalMemory(long capacityBytes)
    {
        CapacityBytes = capacityBytes;
        Grow(256);
    }

    public long CapacityBytes { get; }

    public long AllocatedBytes { get; private set; }

    /// <summary>Number of allocations ever made, plus one: number 0 is the null address.</summary>
    public int Count { get; private set; } = 1;

    public Allocation* Allocations => _allocations;

    public long Allocate(long bytes)
    {
        if (bytes <= 0)
        {
            throw new SimulatorException($"an allocation of {bytes} bytes");
        }
        if (bytes > CapacityBytes - AllocatedBytes || bytes > Start - (1L << 32))
        {
            throw new SimulatorException($"out of device memory: asked for {bytes} bytes, free {CapacityBytes - AllocatedBytes}");
        }
        if (Count == _capacity)
        {
            Grow(_capacity * 2);
        }
        var allocation = _allocations + Count;
        // Room past the end, so that vectors may be read there.
        allocation->Data = (byte*)NativeMemory.AlignedAlloc((nuint)bytes + 64, 256);
        allocation->Written = (ulong*)NativeMemory.AllocZeroed((nuint)((bytes + 63) / 64) + 1, 8);
        allocation->Length = bytes;
        AllocatedBytes += bytes;
        return ((long)Count++ << OffsetBits) + Start;
    }

    public void Free(long address)
    {
        long number = address >> OffsetBits;
        if (number <= 0 || number >= Count || (address & OffsetMask) != Start || _allocations[number].Freed)
        {
            throw new SimulatorException($"free of address 0x{address:x}, where no allocation starts");
        }
        AllocatedBytes -= _allocations[number].Length;
        Release(_allocations + number);
    }

    private static void Release(Allocation* allocation)
    {
        NativeMemory.AlignedFree(allocation->Data);
        NativeMemory.Free(allocation->Written);
        NativeMemory.Free(allocation->Writers);
        NativeMemory.Free(allocation->Readers);
        NativeMemory.Free(allocation->Cached);
        *allocation = new Allocation { Freed = true };
    }

    /// <summary>The bytes of an address for the host; they must lie in one allocation.</summary>
    public byte* HostRange(long address, long bytes, bool write, string what)
    {
        long number = address >> OffsetBits;
        long offset = (address & OffsetMask) - Start;
        if (number <= 0 || number >= Count || offset < 0 || bytes < 0 || offset > _allocations[number].Length - bytes)
        {
            throw new SimulatorException($"{what} of {bytes} bytes at {Describe((ulong)address)}");
        }
        var allocation = _allocations + number;
        if (write)
        {
            MarkWritten(allocation->Written, offset, bytes);
        }
        return allocation->Data + offset;
    }

    /// <summary>First byte of the range that nothing wrote, or -1.</summary>
    public long FirstUnwritten(long address, long bytes)
    {
        var allocation = _allocations + (address >> OffsetBits);
        long offset = (address & OffsetMask) - Start;
        for (long at = offset; at < offset + bytes;)
        {
            ulong word = allocation->Written[at >> 6];
            if ((at & 63) == 0 && at + 64 <= offset + bytes && word == ulong.MaxValue)
            {
                at += 64;
            }
            else if ((word >> (int)(at & 63) & 1) == 0)
            {
                return at - offset;
            }
            else
            {
                at++;
            }
        }
        return -1;
    }

    /// <summary>Copies which bytes were written along with the bytes.</summary>
    public void CopyWritten(long source, long destination, long bytes)
    {
        var from = _allocations + (source >> OffsetBits);
        var to = _allocations + (destination >> OffsetBits);
        long fromOffset = (source & OffsetMask) - Start;
        long toOffset = (destination & OffsetMask) - Start;
        if (FirstUnwritten(source, bytes) < 0)
        {
            MarkWritten(to->Written, toOffset, bytes);
            return;
        }
        var bits = new bool[bytes];
        for (long i = 0; i < bytes; i++)
        {
            bits[i] = (from->Written[(fromOffset + i) >> 6] >> (int)((fromOffset + i) & 63) & 1) != 0;
        }
        for (long i = 0; i < bytes; i++)
        {
            ulong one = 1UL << (int)((toOffset + i) & 63);
            ref ulong word = ref to->Written[(toOffset + i) >> 6];
            word = bits[i] ? word | one : word & ~one;
        }
    }

    /// <summary>Forgets that bytes were written.</summary>
    public void MarkUnwritten(long address, long bytes)
    {
        HostRange(address, bytes, write: false, "forgetting");
        var allocation = _allocations + (address >> OffsetBits);
        long offset = (address & OffsetMask) - Start;
        for (long at = offset; at < offset + bytes;)
        {
            if ((at & 63) == 0 && at + 64 <= offset + bytes)
            {
                allocation->Written[at >> 6] = 0;
                at += 64;
            }
            else
            {
                allocation->Written[at >> 6] &= ~(1UL << (int)(at & 63));
                at++;
            }
        }
    }

    /// <summary>Number of the next launch, from 1 to 4095; when it starts again all records are forgotten.</summary>
    public ulong NextLaunch()
    {
        if (++_launch > GlobalRecord.LaunchMask)
        {
            _launch = 1;
            for (int i = 1; i < Count; i++)
            {
                DropRecords(_allocations + i);
            }
        }
        return _launch;
    }

    private static void DropRecords(Allocation* allocation)
    {
        NativeMemory.Free(allocation->Writers);
        NativeMemory.Free(allocation->Readers);
        NativeMemory.Free(allocation->Cached);
        allocation->Writers = null;
        allocation->Readers = null;
        allocation->Cached = null;
    }

    /// <summary>Makes the records of an allocation that a launch with accesses of this size needs; several workers may ask at once.</summary>
    public void MakeRecords(Allocation* allocation, int granuleShift, bool writers, bool readers, bool cached)
    {
        lock (_lock)
        {
            bool none = allocation->Writers == null && allocation->Readers == null && allocation->Cached == null;
            if (none || allocation->GranuleShift > granuleShift)
            {
                // Records of the launches before do not matter any more.
                DropRecords(allocation);
                allocation->GranuleShift = granuleShift;
            }
            // Rounded up to whole vectors.
            nuint pieces = (nuint)(allocation->Length >> allocation->GranuleShift) + 64;
            if (writers && allocation->Writers == null)
            {
                allocation->Writers = (ulong*)NativeMemory.AllocZeroed(pieces, 8);
            }
            if (readers && allocation->Readers == null)
            {
                allocation->Readers = (ulong*)NativeMemory.AllocZeroed(pieces, 8);
            }
            if (cached && allocation->Cached == null)
            {
                allocation->Cached = (ushort*)NativeMemory.AllocZeroed(pieces, 2);
            }
        }
    }

    /// <summary>Marks bytes as written; several groups may do so at once.</summary>
    public static void MarkWritten(ulong* written, long offset, long bytes)
    {
        long end = offset + bytes;
        while (offset < end)
        {
            int shift = (int)(offset & 63);
            long count = Math.Min(64 - shift, end - offset);
            ulong bits = (count == 64 ? ulong.MaxValue : (1UL << (int)count) - 1) << shift;
            ulong* word = written + (offset >> 6);
            if ((*word & bits) != bits)
            {
                Interlocked.Or(ref *word, bits);
            }
            offset += count;
        }
    }

    /// <summary>Whether all bytes were written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool AreWritten(ulong* written, long offset, long bytes)
    {
        long end = offset + bytes;
        while (offset < end)
        {
            int shift = (int)(offset & 63);
            long count = Math.Min(64 - shift, end - offset);
            ulong bits = (count == 64 ? ulong.MaxValue : (1UL << (int)count) - 1) << shift;
            if ((written[offset >> 6] & bits) != bits)
            {
                return false;
            }
            offset += count;
        }
        return true;
    }

    /// <summary>An address in words, for messages.</summary>
    public string Describe(ulong address)
    {
        ulong number = address >> OffsetBits;
        if (number == 0 || number >= (ulong)Count)
        {
            return $"0x{address:x}, which is in no allocation";
        }
        var allocation = _allocations + number;
        long offset = (long)(address & OffsetMask) - Start;
        if (allocation->Freed)
        {
            return $"byte {offset} of allocation {number}, which was freed";
        }
        return offset < 0 ? $"{-offset} bytes before allocation {number} of {allocation->Length} bytes"
            : $"byte {offset} of allocation {number} of {allocation->Length} bytes";
    }

    private void Grow(int capacity)
    {
        _allocations = (Allocation*)NativeMemory.Realloc(_allocations, (nuint)capacity * (nuint)sizeof(Allocation));
        NativeMemory.Clear(_allocations + _capacity, (nuint)(capacity - _capacity) * (nuint)sizeof(Allocation));
        _capacity = capacity;
    }

    public void Dispose()
    {
        for (int i = 1; i < Count && _allocations is not null; i++)
        {
            if (!_allocations[i].Freed)
            {
                Release(_allocations + i);
            }
        }
        NativeMemory.Free(_allocations);
        _allocations = null;
        GC.SuppressFinalize(this);
    }

    ~GlobalMemory() => Dispose();
}
