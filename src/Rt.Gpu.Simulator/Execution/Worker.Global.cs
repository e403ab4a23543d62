// Global memory as a warp sees it: bounds, alignment, unwritten bytes, and the sectors a request touches.
// Source: PTX ISA, "ld", "st"; CUDA C++ Programming Guide, "Device Memory Accesses".
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Rt.Gpu.Simulator.Memory;

namespace Rt.Gpu.Simulator.Execution;

internal sealed unsafe partial class Worker
{
    private const int SectorBytes = 32;
    private const ulong OffsetMask = (1UL << GlobalMemory.OffsetBits) - 1;

    /// <summary>Whether lane l's address is the first one plus l times <paramref name="bytes"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsRun(ulong* address, int bytes)
    {
        var step = Vector512.Create(0UL, 1, 2, 3, 4, 5, 6, 7) * Vector512.Create((ulong)bytes);
        var expected = Vector512.Create(address[0]) + step;
        var next = Vector512.Create((ulong)bytes * 8);
        var wrong = Vector512.Load(address) ^ expected;
        expected += next;
        wrong |= Vector512.Load(address + 8) ^ expected;
        expected += next;
        wrong |= Vector512.Load(address + 16) ^ expected;
        expected += next;
        wrong |= Vector512.Load(address + 24) ^ expected;
        return wrong == Vector512<ulong>.Zero;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsOneAddress(ulong* address)
    {
        var first = Vector512.Create(address[0]);
        var wrong = (Vector512.Load(address) ^ first) | (Vector512.Load(address + 8) ^ first)
            | (Vector512.Load(address + 16) ^ first) | (Vector512.Load(address + 24) ^ first);
        return wrong == Vector512<ulong>.Zero;
    }

    /// <summary>The bytes of a range that lies within one allocation; null where it does not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private byte* Range(ulong address, long bytes, out Allocation* allocation, out long offset)
    {
        ulong number = address >> GlobalMemory.OffsetBits;
        offset = (long)(address & OffsetMask) - GlobalMemory.Start;
        allocation = null;
        if (number >= (ulong)Memory.Count)
        {
            return null;
        }
        allocation = Allocations + number;
        return offset >= 0 && offset <= allocation->Length - bytes ? allocation->Data + offset : null;
    }

    /// <summary>The bytes that a lane names, after the checks of alignment and bounds.</summary>
    private byte* LaneBytes(Instruction* i, int lane, ulong address, int bytes, string what, out Allocation* allocation, out long offset)
    {
        byte* data = Range(address, bytes, out allocation, out offset);
        if (data == null)
        {
            Fault(i, lane, $"{what} of {bytes} bytes out of bounds: {Memory.Describe(address)}");
        }
        if ((address & (ulong)(bytes - 1)) != 0)
        {
            Fault(i, lane, $"misaligned {what}: {bytes} bytes at {Memory.Describe(address)}, which is no multiple of {bytes}");
        }
        return data;
    }

    /// <summary>Number of different sectors among those of the lanes.</summary>
    private static int Distinct(ulong* values, int count)
    {
        int distinct = 0;
        ulong highest = 0;
        for (int n = 0; n < count; n++)
        {
            ulong value = values[n];
            bool seen = false;
            bool above = value > highest;
            highest = above ? value : highest;
            for (int d = distinct - 1; d >= 0 && !seen && !above; d--)
            {
                seen = values[d] == value;
            }
            if (!seen)
            {
                values[distinct++] = value;
            }
        }
        return distinct;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Widen<T>(byte* data, byte* slot, int lane, int laneBytes) where T : unmanaged, IBinaryInteger<T>
    {
        if (laneBytes == 8)
        {
            ((ulong*)slot)[lane] = ulong.CreateTruncating(Unsafe.ReadUnaligned<T>(data));
        }
        else
        {
            ((uint*)slot)[lane] = uint.CreateTruncating(Unsafe.ReadUnaligned<T>(data));
        }
    }

    /// <summary>ld.global: Second elements of T into registers whose lanes have Third bytes. First says that the load is .nc.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LoadGlobal<T>(Worker w, Instruction* i, uint mask) where T : unmanaged, IBinaryInteger<T>
    {
        byte* r = w.Registers;
        ulong* address = (ulong*)(r + i->A);
        int bytes = sizeof(T) * i->Second;
        ref var counts = ref w.Counts;
        counts.LoadRequests++;
        if (mask == Lanes.All)
        {
            ulong first = address[0] + (ulong)i->Immediate;
            if (IsRun(address, bytes) && (first & (ulong)(bytes - 1)) == 0)
            {
                byte* data = w.Range(first, 32 * bytes, out var allocation, out long offset);
                if (data != null && GlobalMemory.AreWritten(allocation->Written, offset, 32 * bytes)
                    && w.TryReadRun(i, allocation, offset, bytes, 0, 32))
                {
                    counts.LoadBytes += 32 * bytes;
                    counts.LoadIdealSectors += bytes;
                    counts.LoadSectors += (long)((first + (ulong)(32 * bytes) - 1) / SectorBytes) - (long)(first / SectorBytes) + 1;
                    LoadRun<T>(r, i, data);
                    return;
                }
            }
            else if (IsOneAddress(address) && (first & (ulong)(bytes - 1)) == 0)
            {
                byte* data = w.Range(first, bytes, out var allocation, out long offset);
                if (data != null && GlobalMemory.AreWritten(allocation->Written, offset, bytes)
                    && w.TryReadOne(i, allocation, offset, bytes))
                {
                    counts.LoadBytes += bytes;
                    counts.LoadIdealSectors++;
                    counts.LoadSectors++;
                    for (int j = 0; j < i->Second; j++)
                    {
                        byte* d = r + i->Registers[j];
                        if (i->Third == 8)
                        {
                            new Span<ulong>(d, 32).Fill(ulong.CreateTruncating(Unsafe.ReadUnaligned<T>(data + (j * sizeof(T)))));
                        }
                        else
                        {
                            new Span<uint>(d, 32).Fill(uint.CreateTruncating(Unsafe.ReadUnaligned<T>(data + (j * sizeof(T)))));
                        }
                    }
                    return;
                }
            }
        }
        w.LoadLanes<T>(i, mask, address, bytes);
    }

    private static void LoadRun<T>(byte* r, Instruction* i, byte* data) where T : unmanaged, IBinaryInteger<T>
    {
        int count = i->Second;
        if (count == 1 && sizeof(T) == i->Third)
        {
            Unsafe.CopyBlockUnaligned(r + i->Registers[0], data, (uint)(32 * sizeof(T)));
            return;
        }
        if (count == 4 && sizeof(T) == 4 && i->Third == 4)
        {
            uint* from4 = (uint*)data;
            uint* d0 = (uint*)(r + i->Registers[0]), d1 = (uint*)(r + i->Registers[1]);
            uint* d2 = (uint*)(r + i->Registers[2]), d3 = (uint*)(r + i->Registers[3]);
            for (int l = 0; l < 32; l += 4)
            {
                Quads.Transpose(from4 + (4 * l), from4 + (4 * l) + 4, from4 + (4 * l) + 8, from4 + (4 * l) + 12, d0 + l, d1 + l, d2 + l, d3 + l);
            }
            return;
        }
        for (int j = 0; j < count; j++)
        {
            byte* slot = r + i->Registers[j];
            byte* from = data + (j * sizeof(T));
            int step = count * sizeof(T);
            if (i->Third == 8)
            {
                for (int l = 0; l < 32; l++)
                {
                    ((ulong*)slot)[l] = ulong.CreateTruncating(Unsafe.ReadUnaligned<T>(from + (l * step)));
                }
            }
            else
            {
                for (int l = 0; l < 32; l++)
                {
                    ((uint*)slot)[l] = uint.CreateTruncating(Unsafe.ReadUnaligned<T>(from + (l * step)));
                }
            }
        }
    }

    /// <summary>Lanes from the lowest of the mask on that follow each other with addresses side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int RunLength(uint mask, ulong* addresses, int bytes)
    {
        int first = BitOperations.TrailingZeroCount(mask);
        int lane = first + 1;
        while (lane < 32 && (mask >> lane & 1) != 0 && addresses[lane] == addresses[lane - 1] + (ulong)bytes)
        {
            lane++;
        }
        return lane - first;
    }

    /// <summary>The bytes that a run of lanes reads, after all checks; null where the lanes have to be looked at one by one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private byte* ReadRun(Instruction* i, ulong address, int bytes, int lane, int lanes)
    {
        byte* data = Range(address, lanes * bytes, out var allocation, out long offset);
        return data != null && (address & (ulong)(bytes - 1)) == 0 && GlobalMemory.AreWritten(allocation->Written, offset, lanes * bytes)
            && TryReadRun(i, allocation, offset, bytes, lane, lanes) ? data : null;
    }

    private static uint LaneBits(int first, int lanes) => (lanes == 32 ? Lanes.All : (1u << lanes) - 1) << first;

    private void LoadLanes<T>(Instruction* i, uint mask, ulong* address, int bytes) where T : unmanaged, IBinaryInteger<T>
    {
        byte* r = Registers;
        ulong* sectors = stackalloc ulong[32];
        ulong* pieces = stackalloc ulong[32];
        byte** from = stackalloc byte*[32];
        int n = 0;
        for (uint rest = mask; rest != 0;)
        {
            int first = BitOperations.TrailingZeroCount(rest);
            int lanes = RunLength(rest, address, bytes);
            byte* data = ReadRun(i, address[first] + (ulong)i->Immediate, bytes, first, lanes);
            for (int l = first; l < first + lanes; l++)
            {
                ulong at = address[l] + (ulong)i->Immediate;
                from[l] = data != null ? data + ((l - first) * bytes) : ReadOneLane(i, l, at, bytes);
                pieces[n] = at;
                sectors[n++] = at / SectorBytes;
            }
            rest &= ~LaneBits(first, lanes);
        }
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int l = BitOperations.TrailingZeroCount(rest);
            for (int j = 0; j < i->Second; j++)
            {
                Widen<T>(from[l] + (j * sizeof(T)), r + i->Registers[j], l, i->Third);
            }
        }
        int distinct = Distinct(pieces, n);
        Counts.LoadBytes += (long)distinct * bytes;
        Counts.LoadIdealSectors += (((long)distinct * bytes) + SectorBytes - 1) / SectorBytes;
        Counts.LoadSectors += Distinct(sectors, n);
    }

    private byte* ReadOneLane(Instruction* i, int lane, ulong address, int bytes)
    {
        byte* data = LaneBytes(i, lane, address, bytes, "load", out var allocation, out long offset);
        RequireWritten(i, lane, address, allocation, offset, bytes);
        ReadLane(i, lane, allocation, offset, bytes);
        return data;
    }

    private void RequireWritten(Instruction* i, int lane, ulong address, Allocation* allocation, long offset, int bytes)
    {
        if (!GlobalMemory.AreWritten(allocation->Written, offset, bytes))
        {
            Fault(i, lane, $"read of memory that nothing wrote: {bytes} bytes at {Memory.Describe(address)}");
        }
    }

    /// <summary>st.global: Second elements of T from registers whose lanes have Third bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void StoreGlobal<T>(Worker w, Instruction* i, uint mask) where T : unmanaged, IBinaryInteger<T>
    {
        byte* r = w.Registers;
        ulong* address = (ulong*)(r + i->A);
        int bytes = sizeof(T) * i->Second;
        ref var counts = ref w.Counts;
        counts.StoreRequests++;
        if (mask == Lanes.All && IsRun(address, bytes))
        {
            ulong first = address[0] + (ulong)i->Immediate;
            byte* data = w.Range(first, 32 * bytes, out var allocation, out long offset);
            if (data != null && (first & (ulong)(bytes - 1)) == 0 && w.TryWriteRun(allocation, offset, bytes, 0, 32))
            {
                GlobalMemory.MarkWritten(allocation->Written, offset, 32 * bytes);
                counts.StoreBytes += 32 * bytes;
                counts.StoreIdealSectors += bytes;
                counts.StoreSectors += (long)((first + (ulong)(32 * bytes) - 1) / SectorBytes) - (long)(first / SectorBytes) + 1;
                StoreRun<T>(r, i, data);
                return;
            }
        }
        w.StoreLanes<T>(i, mask, address, bytes);
    }

    private static void StoreRun<T>(byte* r, Instruction* i, byte* data) where T : unmanaged, IBinaryInteger<T>
    {
        int count = i->Second;
        if (count == 1 && sizeof(T) == i->Third)
        {
            Unsafe.CopyBlockUnaligned(data, r + i->Registers[0], (uint)(32 * sizeof(T)));
            return;
        }
        if (count == 4 && sizeof(T) == 4 && i->Third == 4)
        {
            uint* to4 = (uint*)data;
            uint* a0 = (uint*)(r + i->Registers[0]), a1 = (uint*)(r + i->Registers[1]);
            uint* a2 = (uint*)(r + i->Registers[2]), a3 = (uint*)(r + i->Registers[3]);
            for (int l = 0; l < 32; l += 4)
            {
                Quads.Transpose(a0 + l, a1 + l, a2 + l, a3 + l, to4 + (4 * l), to4 + (4 * l) + 4, to4 + (4 * l) + 8, to4 + (4 * l) + 12);
            }
            return;
        }
        int step = count * sizeof(T);
        for (int j = 0; j < count; j++)
        {
            byte* slot = r + i->Registers[j];
            byte* to = data + (j * sizeof(T));
            for (int l = 0; l < 32; l++)
            {
                Narrow<T>(to + (l * step), slot, l, i->Third);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Narrow<T>(byte* data, byte* slot, int lane, int laneBytes) where T : unmanaged, IBinaryInteger<T> =>
        Unsafe.WriteUnaligned(data, laneBytes == 8 ? T.CreateTruncating(((ulong*)slot)[lane]) : T.CreateTruncating(((uint*)slot)[lane]));

    private void StoreLanes<T>(Instruction* i, uint mask, ulong* address, int bytes) where T : unmanaged, IBinaryInteger<T>
    {
        byte* r = Registers;
        ulong* sectors = stackalloc ulong[32];
        int n = 0;
        for (uint rest = mask; rest != 0;)
        {
            int first = BitOperations.TrailingZeroCount(rest);
            int lanes = RunLength(rest, address, bytes);
            ulong start = address[first] + (ulong)i->Immediate;
            byte* run = Range(start, lanes * bytes, out var allocation, out long offset);
            bool together = run != null && (start & (ulong)(bytes - 1)) == 0 && TryWriteRun(allocation, offset, bytes, first, lanes);
            if (together)
            {
                GlobalMemory.MarkWritten(allocation->Written, offset, lanes * bytes);
            }
            for (int l = first; l < first + lanes; l++)
            {
                ulong at = address[l] + (ulong)i->Immediate;
                byte* data = together ? run + ((l - first) * bytes) : WriteOneLane(i, l, at, bytes);
                for (int j = 0; j < i->Second; j++)
                {
                    Narrow<T>(data + (j * sizeof(T)), r + i->Registers[j], l, i->Third);
                }
                sectors[n++] = at / SectorBytes;
            }
            rest &= ~LaneBits(first, lanes);
        }
        Counts.StoreBytes += (long)n * bytes;
        Counts.StoreIdealSectors += (((long)n * bytes) + SectorBytes - 1) / SectorBytes;
        Counts.StoreSectors += Distinct(sectors, n);
    }

    private byte* WriteOneLane(Instruction* i, int lane, ulong address, int bytes)
    {
        byte* data = LaneBytes(i, lane, address, bytes, "store", out var allocation, out long offset);
        WriteLane(i, lane, allocation, offset, bytes);
        GlobalMemory.MarkWritten(allocation->Written, offset, bytes);
        return data;
    }

    /// <summary>ld.param: the value at Immediate in the argument bytes, the same for all lanes.</summary>
    public static void LoadParameter<T>(Worker w, Instruction* i, uint mask) where T : unmanaged, IBinaryInteger<T>
    {
        for (int j = 0; j < i->Second; j++)
        {
            byte* data = w.Arguments + i->Immediate + (j * sizeof(T));
            for (int l = 0; l < 32; l++)
            {
                if ((mask >> l & 1) != 0)
                {
                    Widen<T>(data, w.Registers + i->Registers[j], l, i->Third);
                }
            }
        }
    }
}
