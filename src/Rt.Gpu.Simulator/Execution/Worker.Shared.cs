// Shared memory as a warp sees it: bounds, alignment, unwritten bytes, races, copies in flight, and bank conflicts.
// Source: PTX ISA, "Memory Consistency Model" and "ldmatrix"; CUDA C++ Programming Guide, "Shared Memory".
using System.Numerics;
using System.Runtime.CompilerServices;
using Rt.Gpu.Simulator.Memory;

namespace Rt.Gpu.Simulator.Execution;

internal sealed unsafe partial class Worker
{
    /// <summary>Addresses of the lanes: 32-bit or 64-bit registers (C bytes a lane) plus the offset.</summary>
    private void SharedAddresses(Instruction* i, uint mask, ulong* addresses)
    {
        byte* slot = Registers + i->A;
        for (int l = 0; l < 32; l++)
        {
            // A 32-bit address wraps as the hardware's does.
            addresses[l] = i->C == 8 ? ((ulong*)slot)[l] + (ulong)i->Immediate : (uint)(((uint*)slot)[l] + i->Immediate);
        }
    }

    private void CheckSharedAddress(Instruction* i, int lane, ulong address, int bytes, string what)
    {
        if (address > (ulong)(Shared.Length - bytes) || Shared.Length < bytes)
        {
            Fault(i, lane, $"shared {what} of {bytes} bytes out of bounds: {DescribeShared(address)}");
        }
        if ((address & (ulong)(bytes - 1)) != 0)
        {
            Fault(i, lane, $"misaligned shared {what}: {bytes} bytes at {DescribeShared(address)}, which is no multiple of {bytes}");
        }
    }

    private string DescribeShared(ulong address)
    {
        (int Start, int Bytes, string Name)? nearest = null;
        foreach (var variable in _launch.Layout.Variables)
        {
            if ((ulong)variable.Start <= address + 64 && (nearest is null || variable.Start > nearest.Value.Start))
            {
                nearest = variable;
            }
        }
        if (nearest is not { } found)
        {
            return $"shared address 0x{address:x}; the entry has no shared memory there";
        }
        return $"byte {(long)address - found.Start} of shared variable {found.Name} of {found.Bytes} bytes";
    }

    private void FaultShared(Instruction* i, int lane, uint address, uint writer, string what)
    {
        if (writer == SharedRecord.Outside)
        {
            Fault(i, lane, $"shared {what} out of bounds: {DescribeShared(address)}");
        }
        if (writer == 0)
        {
            Fault(i, lane, $"read of memory that nothing wrote: {DescribeShared(address)}");
        }
        uint thread = writer & 1023;
        if ((writer & SharedRecord.InFlight) != 0)
        {
            bool own = thread == (uint)((Warp.Index * 32) + lane);
            string whose = own ? "of this thread, which has not waited for it" : $"of thread {thread}, which has not waited for it";
            Fault(i, lane, $"shared {what} at {DescribeShared(address)}, the destination of a cp.async {whose}");
        }
        Fault(i, lane, $"race in shared memory: {what} of {DescribeShared(address)}, which thread {thread} wrote with no barrier between");
    }

    /// <summary>Whether an access of another thread, by its record, is not ordered before one of this warp.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsUnordered(uint record)
    {
        int warp = (int)(record & 1023) >> 5;
        uint clock = record >> SharedRecord.ClockShift & SharedRecord.ClockMask;
        return warp == Warp.Index ? clock == Warp.Clock : clock >= BarrierClock[warp];
    }

    /// <summary>Checks and records that a lane reads.</summary>
    private void ReadShared(Instruction* i, int lane, uint address, int bytes)
    {
        uint thread = (uint)((Warp.Index * 32) + lane);
        uint mine = SharedRecord.One | (Warp.Clock << SharedRecord.ClockShift) | thread;
        uint* record = Shared.Records + (address >> Shared.GranuleShift << 1);
        uint* end = record + (Math.Max(1, bytes >> Shared.GranuleShift) << 1);
        for (; record < end; record += 2)
        {
            uint writer = record[0];
            if ((writer & SharedRecord.KindMask) != SharedRecord.One || ((writer & 1023) != thread && IsUnordered(writer)))
            {
                FaultShared(i, lane, address, writer, "read");
            }
            uint reader = record[1];
            if (reader == mine)
            {
                continue;
            }
            uint kind = reader & SharedRecord.KindMask;
            if (kind == SharedRecord.Group)
            {
                if (!IsThisEpoch(reader))
                {
                    record[1] = mine;
                }
            }
            else if (kind == 0)
            {
                RequireNoAtomics(i, lane, address, reader, "read");
                record[1] = mine;
            }
            else if (!IsUnordered(reader))
            {
                record[1] = mine;
            }
            else if ((reader & 1023) >> 5 == (uint)Warp.Index)
            {
                if (kind == SharedRecord.One && (reader & 1023) != thread)
                {
                    record[1] = SharedRecord.Warp | (Warp.Clock << SharedRecord.ClockShift) | (thread & ~31u);
                }
            }
            else
            {
                record[1] = SharedRecord.Group | ((Epoch & SharedRecord.ClockMask) << SharedRecord.ClockShift);
            }
        }
    }

    /// <summary>Checks that a lane may write, and records it: as a write now, or as an asynchronous one.</summary>
    private void WriteShared(Instruction* i, int lane, uint address, int bytes, bool inFlight = false)
    {
        uint thread = (uint)((Warp.Index * 32) + lane);
        uint mine = inFlight ? SharedRecord.InFlight | thread : SharedRecord.One | (Warp.Clock << SharedRecord.ClockShift) | thread;
        uint* record = Shared.Records + (address >> Shared.GranuleShift << 1);
        uint* end = record + (Math.Max(1, bytes >> Shared.GranuleShift) << 1);
        for (; record < end; record += 2)
        {
            uint writer = record[0];
            if (writer != 0)
            {
                if ((writer & SharedRecord.KindMask) != SharedRecord.One || ((writer & 1023) != thread && IsUnordered(writer)))
                {
                    FaultShared(i, lane, address, writer, "write");
                }
            }
            uint reader = record[1];
            if (reader != 0 && IsReadRace(reader, thread))
            {
                string who = (reader & SharedRecord.KindMask) == SharedRecord.One ? $"thread {reader & 1023}"
                    : (reader & SharedRecord.KindMask) == SharedRecord.Warp ? $"several lanes of warp {(reader & 1023) >> 5}" : "several threads";
                string did = SharedRecord.IsAtomic(reader) ? "used in atomic operations" : "read";
                Fault(i, lane, $"race in shared memory: write of {DescribeShared(address)}, which {who} {did} with no barrier between");
            }
            record[0] = mine;
            record[1] = 0;
        }
    }

    private bool IsReadRace(uint reader, uint thread)
    {
        uint kind = reader & SharedRecord.KindMask;
        return kind switch
        {
            0 => (reader & SharedRecord.Several) != 0 && IsThisEpoch(reader),
            SharedRecord.One => (reader & 1023) != thread && IsUnordered(reader),
            SharedRecord.Warp => IsUnordered(reader),
            _ => IsThisEpoch(reader),
        };
    }

    private bool IsThisEpoch(uint reader) => (reader >> SharedRecord.ClockShift & SharedRecord.ClockMask) == (Epoch & SharedRecord.ClockMask);

    private void RequireNoAtomics(Instruction* i, int lane, uint address, uint reader, string what)
    {
        if ((reader & SharedRecord.Several) != 0 && IsThisEpoch(reader))
        {
            Fault(i, lane, $"race in shared memory: {what} of {DescribeShared(address)}, on which other threads did atomic operations with no barrier between");
        }
    }

    /// <summary>Wavefronts of a request beyond the least that its size needs: 4-byte banks, 32 of them; 8-byte accesses go by
    /// half warps, 16-byte accesses by quarters.</summary>
    private void CountBanks(ulong* addresses, uint mask, int bytes)
    {
        int lanesPerPhase = bytes <= 4 ? 32 : bytes == 8 ? 16 : 8;
        Counts.SharedRequests++;
        for (int start = 0; start < 32; start += lanesPerPhase)
        {
            uint phase = mask & (lanesPerPhase == 32 ? Lanes.All : ((1u << lanesPerPhase) - 1) << start);
            if (phase != 0)
            {
                int wavefronts = Wavefronts(addresses, phase, bytes);
                Counts.SharedWavefronts += wavefronts;
                Counts.SharedConflicts += wavefronts - 1;
            }
        }
    }

    /// <summary>The most different words that one bank is asked for.</summary>
    private static int Wavefronts(ulong* addresses, uint lanes, int bytes)
    {
        uint* words = stackalloc uint[32];
        byte* inBank = stackalloc byte[32];
        new Span<byte>(inBank, 32).Clear();
        int distinct = 0;
        int most = 1;
        for (uint rest = lanes; rest != 0; rest &= rest - 1)
        {
            int l = BitOperations.TrailingZeroCount(rest);
            for (int b = 0; b < bytes; b += 4)
            {
                uint word = (uint)(addresses[l] >> 2) + (uint)(b >> 2);
                int bank = (int)(word & 31);
                bool seen = false;
                if (inBank[bank] != 0)
                {
                    for (int d = distinct - 1; d >= 0 && !seen; d--)
                    {
                        seen = words[d] == word;
                    }
                }
                if (!seen)
                {
                    words[distinct++] = word;
                    most = Math.Max(most, ++inBank[bank]);
                }
            }
        }
        return most;
    }

    /// <summary>ld.shared: as ld.global.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LoadShared<T>(Worker w, Instruction* i, uint mask) where T : unmanaged, IBinaryInteger<T>
    {
        ulong* addresses = stackalloc ulong[32];
        w.SharedAddresses(i, mask, addresses);
        int bytes = sizeof(T) * i->Second;
        byte* r = w.Registers;
        byte* memory = w.Shared.Data;
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int l = BitOperations.TrailingZeroCount(rest);
            w.CheckSharedAddress(i, l, addresses[l], bytes, "load");
            w.ReadShared(i, l, (uint)addresses[l], bytes);
            for (int j = 0; j < i->Second; j++)
            {
                Widen<T>(memory + addresses[l] + (j * sizeof(T)), r + i->Registers[j], l, i->Third);
            }
        }
        w.CountBanks(addresses, mask, bytes);
    }

    /// <summary>st.shared: as st.global.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void StoreShared<T>(Worker w, Instruction* i, uint mask) where T : unmanaged, IBinaryInteger<T>
    {
        ulong* addresses = stackalloc ulong[32];
        w.SharedAddresses(i, mask, addresses);
        int bytes = sizeof(T) * i->Second;
        byte* r = w.Registers;
        byte* memory = w.Shared.Data;
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int l = BitOperations.TrailingZeroCount(rest);
            w.CheckSharedAddress(i, l, addresses[l], bytes, "store");
            w.WriteShared(i, l, (uint)addresses[l], bytes);
            for (int j = 0; j < i->Second; j++)
            {
                Narrow<T>(memory + addresses[l] + (j * sizeof(T)), r + i->Registers[j], l, i->Third);
            }
        }
        w.CountBanks(addresses, mask, bytes);
    }
}
