// Shared memory lane by lane: the plain form of the checks, which finds the fault and says what it is.
// Source: PTX ISA, "Memory Consistency Model".
using System.Numerics;
using Rt.Gpu.Simulator.Memory;

namespace Rt.Gpu.Simulator.Execution;

internal sealed unsafe partial class Worker
{
    private void ReadSharedByLanes(Instruction* i, uint mask, uint* addresses, int bytes)
    {
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int l = BitOperations.TrailingZeroCount(rest);
            CheckSharedAddress(i, l, addresses[l], bytes, "load");
            ReadShared(i, l, addresses[l], bytes);
        }
    }

    private void WriteSharedByLanes(Instruction* i, uint mask, uint* addresses, int bytes, bool inFlight)
    {
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int l = BitOperations.TrailingZeroCount(rest);
            CheckSharedAddress(i, l, addresses[l], bytes, inFlight ? "copy" : "store");
            WriteShared(i, l, addresses[l], bytes, inFlight);
        }
    }

    private void CheckSharedAddress(Instruction* i, int lane, ulong address, int bytes, string what)
    {
        if (Shared.Length < bytes || address > (ulong)(Shared.Length - bytes))
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
        return nearest is { } found
            ? $"byte {(long)address - found.Start} of shared variable {found.Name} of {found.Bytes} bytes"
            : $"shared address 0x{address:x}; the entry has no shared memory there";
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
    private bool IsUnordered(uint record)
    {
        uint stamp = SharedRecord.StampOf(record);
        return stamp >= GroupTime && ((record & 1023) >> 5 != (uint)Warp.Index || stamp >= Warp.BarrierTime);
    }

    /// <summary>Checks and records that a lane reads.</summary>
    private void ReadShared(Instruction* i, int lane, uint address, int bytes)
    {
        uint thread = (uint)((Warp.Index * 32) + lane);
        uint now = Time << SharedRecord.StampShift;
        uint mine = SharedRecord.One | now | thread;
        uint first = address >> Shared.GranuleShift;
        for (uint g = first; g < first + (uint)(bytes >> Shared.GranuleShift); g++)
        {
            uint writer = Shared.Writers[g];
            if ((writer & SharedRecord.KindMask) != SharedRecord.One || ((writer & 1023) != thread && IsUnordered(writer)))
            {
                FaultShared(i, lane, address, writer, "read");
            }
            uint reader = Shared.Readers[g];
            uint kind = reader & SharedRecord.KindMask;
            if (SharedRecord.IsAtomic(reader))
            {
                RequireNoAtomics(i, lane, address, reader);
            }
            if (kind == 0 || SharedRecord.StampOf(reader) < GroupTime)
            {
                Shared.Readers[g] = mine;
            }
            else if (kind == SharedRecord.Group)
            {
                continue;
            }
            else if ((reader & 1023) >> 5 != (uint)Warp.Index)
            {
                Shared.Readers[g] = SharedRecord.Group | now;
            }
            else if (!IsUnordered(reader) || (kind == SharedRecord.One && (reader & 1023) == thread))
            {
                Shared.Readers[g] = mine;
            }
            else
            {
                Shared.Readers[g] = SharedRecord.Warp | now | (thread & ~31u);
            }
        }
    }

    /// <summary>Checks that a lane may write, and records it: as a write done, or as an asynchronous one.</summary>
    private void WriteShared(Instruction* i, int lane, uint address, int bytes, bool inFlight)
    {
        uint thread = (uint)((Warp.Index * 32) + lane);
        uint mine = inFlight ? SharedRecord.InFlight | thread : SharedRecord.One | (Time << SharedRecord.StampShift) | thread;
        uint first = address >> Shared.GranuleShift;
        for (uint g = first; g < first + (uint)(bytes >> Shared.GranuleShift); g++)
        {
            uint writer = Shared.Writers[g];
            if (writer != 0 && ((writer & SharedRecord.KindMask) != SharedRecord.One || ((writer & 1023) != thread && IsUnordered(writer))))
            {
                FaultShared(i, lane, address, writer, "write");
            }
            uint reader = Shared.Readers[g];
            if (reader != 0 && IsReadRace(reader, thread))
            {
                string who = (reader & SharedRecord.KindMask) == SharedRecord.One ? $"thread {reader & 1023}"
                    : (reader & SharedRecord.KindMask) == SharedRecord.Warp ? $"several lanes of warp {(reader & 1023) >> 5}" : "several threads";
                string did = SharedRecord.IsAtomic(reader) ? "used in atomic operations" : "read";
                Fault(i, lane, $"race in shared memory: write of {DescribeShared(address)}, which {who} {did} with no barrier between");
            }
            Shared.Writers[g] = mine;
            Shared.Readers[g] = 0;
        }
    }

    private bool IsReadRace(uint reader, uint thread) => (reader & SharedRecord.KindMask) switch
    {
        0 => (reader & SharedRecord.Several) != 0 && SharedRecord.StampOf(reader) >= GroupTime,
        SharedRecord.One => (reader & 1023) != thread && IsUnordered(reader),
        SharedRecord.Warp => IsUnordered(reader),
        _ => SharedRecord.StampOf(reader) >= GroupTime,
    };

    private void RequireNoAtomics(Instruction* i, int lane, uint address, uint reader)
    {
        if ((reader & SharedRecord.Several) != 0 && SharedRecord.StampOf(reader) >= GroupTime)
        {
            Fault(i, lane, $"race in shared memory: read of {DescribeShared(address)}, on which other threads did atomic operations with no barrier between");
        }
    }
}
