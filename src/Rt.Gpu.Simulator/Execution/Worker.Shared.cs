// Shared memory as a warp sees it: bounds, alignment, unwritten bytes, races, and copies in flight.
// Source: PTX ISA, "Memory Consistency Model" and "ld", "st"; CUDA C++ Programming Guide, "Shared Memory".
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Rt.Gpu.Simulator.Memory;

namespace Rt.Gpu.Simulator.Execution;

internal sealed unsafe partial class Worker
{
    /// <summary>Addresses of the lanes: 32-bit or 64-bit registers (C bytes a lane) plus the offset. Lanes that take no part get that of one that does.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void SharedAddresses(Instruction* i, uint mask, uint* addresses)
    {
        byte* slot = Registers + i->A;
        if (i->C == 8)
        {
            for (int l = 0; l < 32; l++)
            {
                // An address past 32 bits is past all shared memory.
                ulong address = ((ulong*)slot)[l] + (ulong)i->Immediate;
                addresses[l] = address > uint.MaxValue ? uint.MaxValue : (uint)address;
            }
        }
        else
        {
            // A 32-bit address wraps as the hardware's does.
            var offset = Vector512.Create((uint)i->Immediate);
            (Vector512.Load((uint*)slot) + offset).Store(addresses);
            (Vector512.Load((uint*)slot + 16) + offset).Store(addresses + 16);
        }
        if (mask != Lanes.All)
        {
            uint one = addresses[BitOperations.TrailingZeroCount(mask)];
            for (uint rest = ~mask; rest != 0; rest &= rest - 1)
            {
                addresses[BitOperations.TrailingZeroCount(rest)] = one;
            }
        }
    }

    /// <summary>The pattern of an instruction's addresses, and the count of its passes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private AccessPattern* CountPattern(Instruction* i, uint mask, uint* addresses, int bytes, bool counts = true)
    {
        var pattern = _patterns + i->Pattern;
        if (!pattern->Matches(addresses, mask, bytes))
        {
            pattern->Learn(addresses, mask, bytes);
        }
        if (!counts)
        {
            return pattern;
        }
        Counts.SharedRequests++;
        Counts.SharedWavefronts += pattern->Wavefronts;
        Counts.SharedConflicts += pattern->Wavefronts - pattern->LeastWavefronts;
        return pattern;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsInside(AccessPattern* pattern, uint* addresses, int bytes) =>
        pattern->Aligned && (addresses[0] & (uint)(bytes - 1)) == 0
        && addresses[0] + (long)pattern->Lowest >= 0 && addresses[0] + (long)pattern->Highest + bytes <= Shared.Length;

    /// <summary>Granules of a vector that one instruction's lanes use in turn: the lane's number for each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> LaneOfGranule(int granule, int perLaneShift) =>
        (Vector512.Create(0u, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) + Vector512.Create((uint)granule)) >> perLaneShift;

    /// <summary>Where records are ordered before what this warp does now, or are of the very thread.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector512<uint> IsOrdered(Vector512<uint> records, Vector512<uint> threads)
    {
        var stamp = (records >> SharedRecord.StampShift) & Vector512.Create(SharedRecord.StampMask);
        var thread = records & Vector512.Create(1023u);
        var sameWarp = Vector512.Equals(thread >> 5, Vector512.Create((uint)Warp.Index));
        return Vector512.LessThan(stamp, Vector512.Create(GroupTime))
            | (sameWarp & Vector512.LessThan(stamp, Vector512.Create(Warp.BarrierTime)))
            | Vector512.Equals(thread, threads);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> IsKind(Vector512<uint> records, uint kind) =>
        Vector512.Equals(records & Vector512.Create(SharedRecord.KindMask), Vector512.Create(kind));

    /// <summary>Checks and records a read of all lanes of the mask.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ReadShared(Instruction* i, uint mask, uint* addresses, int bytes)
    {
        var pattern = CountPattern(i, mask, addresses, bytes);
        if (!IsInside(pattern, addresses, bytes))
        {
            ReadSharedByLanes(i, mask, addresses, bytes);
            return;
        }
        int shift = Shared.GranuleShift;
        int perLaneShift = BitOperations.Log2((uint)bytes) - shift;
        uint now = Time << SharedRecord.StampShift;
        uint warp = (uint)Warp.Index * 32;
        var one = Vector512.Create(SharedRecord.One);
        var before = Vector512.Create(GroupTime << SharedRecord.StampShift);
        // A group-wide read of this interval between barriers needs no change.
        var settled = Vector512.Create(SharedRecord.Group | (GroupTime << SharedRecord.StampShift));
        for (int n = 0; n < pattern->RunCount; n++)
        {
            ref var run = ref pattern->Run(n);
            int first = (int)(addresses[0] + (uint)run.Offset) >> shift;
            int count = run.Bytes >> shift;
            for (int g = 0; g < count; g += 16)
            {
                uint part = count - g >= 16 ? 0xFFFF : (1u << (count - g)) - 1;
                var writer = Vector512.Load(Shared.Writers + first + g);
                var reader = Vector512.Load(Shared.Readers + first + g);
                if (((uint)Vector512.LessThan(writer - one, before).ExtractMostSignificantBits() & part) == part
                    && ((uint)Vector512.GreaterThanOrEqual(reader, settled).ExtractMostSignificantBits() & part) == part)
                {
                    continue;
                }
                var threads = Vector512.Create(warp + (uint)run.Lane) + LaneOfGranule(g, perLaneShift);
                var owners = run.Several ? Vector512.Create(uint.MaxValue) : threads;
                var mine = run.Several ? Vector512.Create(SharedRecord.Warp | now | warp) : Vector512.Create(SharedRecord.One | now) | threads;
                if (((uint)(Vector512.LessThan(writer - one, before) & Vector512.Equals(reader, mine)).ExtractMostSignificantBits() & part) == part)
                {
                    continue;
                }
                var fine = IsKind(writer, SharedRecord.One) & IsOrdered(writer, owners);
                var atomic = IsKind(reader, 0) & ~Vector512.Equals(reader, Vector512<uint>.Zero);
                if (((uint)fine.ExtractMostSignificantBits() & part) != part || ((uint)atomic.ExtractMostSignificantBits() & part) != 0)
                {
                    ReadSharedByLanes(i, mask, addresses, bytes);
                    return;
                }
                var stamp = (reader >> SharedRecord.StampShift) & Vector512.Create(SharedRecord.StampMask);
                var stale = Vector512.LessThan(stamp, Vector512.Create(GroupTime));
                var group = IsKind(reader, SharedRecord.Group);
                var sameWarp = Vector512.Equals((reader & Vector512.Create(1023u)) >> 5, Vector512.Create((uint)Warp.Index));
                var next = Vector512.Create(SharedRecord.Group | now);
                var within = Vector512.ConditionalSelect(
                    Vector512.LessThan(stamp, Vector512.Create(Warp.BarrierTime))
                        | (IsKind(reader, SharedRecord.One) & Vector512.Equals(reader & Vector512.Create(1023u), owners)),
                    mine, Vector512.Create(SharedRecord.Warp | now | warp));
                next = Vector512.ConditionalSelect(sameWarp, within, next);
                next = Vector512.ConditionalSelect(group, reader, next);
                next = Vector512.ConditionalSelect(stale, mine, next);
                Lanes.Blend(next, Shared.Readers + first + g, part);
            }
        }
    }

    /// <summary>Checks and records a write of all lanes of the mask: as one done, or as one under way.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void WriteShared(Instruction* i, uint mask, uint* addresses, int bytes, bool inFlight = false)
    {
        var pattern = CountPattern(i, mask, addresses, bytes, counts: !inFlight);
        int shift = Shared.GranuleShift;
        int perLaneShift = BitOperations.Log2((uint)bytes) - shift;
        if (!IsInside(pattern, addresses, bytes) || pattern->AnySeveral || !MayWrite(pattern, addresses, perLaneShift))
        {
            WriteSharedByLanes(i, mask, addresses, bytes, inFlight);
            return;
        }
        var kind = Vector512.Create(inFlight ? SharedRecord.InFlight : SharedRecord.One | (Time << SharedRecord.StampShift));
        for (int n = 0; n < pattern->RunCount; n++)
        {
            ref var run = ref pattern->Run(n);
            int first = (int)(addresses[0] + (uint)run.Offset) >> shift;
            int count = run.Bytes >> shift;
            var threads = Vector512.Create((uint)(Warp.Index * 32) + (uint)run.Lane);
            for (int g = 0; g < count; g += 16)
            {
                uint part = count - g >= 16 ? 0xFFFF : (1u << (count - g)) - 1;
                Lanes.Blend(kind | (threads + LaneOfGranule(g, perLaneShift)), Shared.Writers + first + g, part);
                Lanes.Blend(Vector512<uint>.Zero, Shared.Readers + first + g, part);
            }
        }
    }

    private bool MayWrite(AccessPattern* pattern, uint* addresses, int perLaneShift)
    {
        int shift = Shared.GranuleShift;
        var one = Vector512.Create(SharedRecord.One);
        var before = Vector512.Create(GroupTime << SharedRecord.StampShift);
        for (int n = 0; n < pattern->RunCount; n++)
        {
            ref var run = ref pattern->Run(n);
            int first = (int)(addresses[0] + (uint)run.Offset) >> shift;
            int count = run.Bytes >> shift;
            for (int g = 0; g < count; g += 16)
            {
                uint part = count - g >= 16 ? 0xFFFF : (1u << (count - g)) - 1;
                var writer = Vector512.Load(Shared.Writers + first + g);
                var reader = Vector512.Load(Shared.Readers + first + g);
                var old = Vector512.LessThan(reader & Vector512.Create(~SharedRecord.KindMask), before)
                    & (Vector512.Equals(writer, Vector512<uint>.Zero) | Vector512.LessThan(writer - one, before));
                if (((uint)old.ExtractMostSignificantBits() & part) == part)
                {
                    continue;
                }
                var threads = Vector512.Create((uint)(Warp.Index * 32) + (uint)run.Lane) + LaneOfGranule(g, perLaneShift);
                var fine = Vector512.Equals(writer, Vector512<uint>.Zero) | (IsKind(writer, SharedRecord.One) & IsOrdered(writer, threads));
                // Only a single reader is told apart by its thread: the field of the others holds no lane.
                var owners = Vector512.ConditionalSelect(IsKind(reader, SharedRecord.One), threads, Vector512.Create(uint.MaxValue));
                fine &= Vector512.Equals(reader, Vector512<uint>.Zero)
                    | (IsOrdered(reader, owners) & ~IsKind(reader, SharedRecord.Group) & ~IsKind(reader, 0))
                    | Vector512.LessThan(reader & Vector512.Create(~SharedRecord.KindMask), before);
                if (((uint)fine.ExtractMostSignificantBits() & part) != part)
                {
                    return false;
                }
            }
        }
        return true;
    }

    /// <summary>ld.shared: as ld.global.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LoadShared<T>(Worker w, Instruction* i, uint mask) where T : unmanaged, IBinaryInteger<T>
    {
        uint* addresses = stackalloc uint[32];
        w.SharedAddresses(i, mask, addresses);
        w.ReadShared(i, mask, addresses, sizeof(T) * i->Second);
        byte* r = w.Registers;
        byte* memory = w.Shared.Data;
        if (mask == Lanes.All && sizeof(T) == 4 && i->Third == 4)
        {
            if (i->Second == 1)
            {
                uint* d = (uint*)(r + i->Registers[0]);
                for (int l = 0; l < 32; l += 4)
                {
                    d[l] = *(uint*)(memory + addresses[l]);
                    d[l + 1] = *(uint*)(memory + addresses[l + 1]);
                    d[l + 2] = *(uint*)(memory + addresses[l + 2]);
                    d[l + 3] = *(uint*)(memory + addresses[l + 3]);
                }
                return;
            }
            if (i->Second == 4)
            {
                uint* d0 = (uint*)(r + i->Registers[0]), d1 = (uint*)(r + i->Registers[1]);
                uint* d2 = (uint*)(r + i->Registers[2]), d3 = (uint*)(r + i->Registers[3]);
                for (int l = 0; l < 32; l += 4)
                {
                    Quads.Transpose(
                        (uint*)(memory + addresses[l]), (uint*)(memory + addresses[l + 1]), (uint*)(memory + addresses[l + 2]),
                        (uint*)(memory + addresses[l + 3]), d0 + l, d1 + l, d2 + l, d3 + l);
                }
                return;
            }
        }
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int l = BitOperations.TrailingZeroCount(rest);
            for (int j = 0; j < i->Second; j++)
            {
                Widen<T>(memory + addresses[l] + (j * sizeof(T)), r + i->Registers[j], l, i->Third);
            }
        }
    }

    /// <summary>st.shared: as st.global.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void StoreShared<T>(Worker w, Instruction* i, uint mask) where T : unmanaged, IBinaryInteger<T>
    {
        uint* addresses = stackalloc uint[32];
        w.SharedAddresses(i, mask, addresses);
        w.WriteShared(i, mask, addresses, sizeof(T) * i->Second);
        byte* r = w.Registers;
        byte* memory = w.Shared.Data;
        if (mask == Lanes.All && sizeof(T) == 4 && i->Third == 4 && i->Second == 4)
        {
            uint* a0 = (uint*)(r + i->Registers[0]), a1 = (uint*)(r + i->Registers[1]);
            uint* a2 = (uint*)(r + i->Registers[2]), a3 = (uint*)(r + i->Registers[3]);
            for (int l = 0; l < 32; l += 4)
            {
                Quads.Transpose(
                    a0 + l, a1 + l, a2 + l, a3 + l, (uint*)(memory + addresses[l]), (uint*)(memory + addresses[l + 1]),
                    (uint*)(memory + addresses[l + 2]), (uint*)(memory + addresses[l + 3]));
            }
            return;
        }
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int l = BitOperations.TrailingZeroCount(rest);
            for (int j = 0; j < i->Second; j++)
            {
                Narrow<T>(memory + addresses[l] + (j * sizeof(T)), r + i->Registers[j], l, i->Third);
            }
        }
    }
}
