// Atomic operations on global and shared memory.
// Source: PTX ISA, "atom".
using System.Numerics;
using Rt.Gpu.Simulator.Memory;

namespace Rt.Gpu.Simulator.Execution;

internal enum AtomicOperation
{
    Add,
    Max,
    MaxSigned,
    Min,
    MinSigned,
    Or,
    And,
    Xor,
    Exchange,
    CompareExchange,
}

internal sealed unsafe partial class Worker
{
    private static uint Combine(AtomicOperation operation, uint old, uint value, uint replacement) => operation switch
    {
        AtomicOperation.Add => old + value,
        AtomicOperation.Max => Math.Max(old, value),
        AtomicOperation.MaxSigned => (uint)Math.Max((int)old, (int)value),
        AtomicOperation.Min => Math.Min(old, value),
        AtomicOperation.MinSigned => (uint)Math.Min((int)old, (int)value),
        AtomicOperation.Or => old | value,
        AtomicOperation.And => old & value,
        AtomicOperation.Xor => old ^ value,
        AtomicOperation.Exchange => value,
        _ => old == value ? replacement : old,
    };

    /// <summary>atom.global: First is the operation; B the value or comparand, C the replacement, Second 0 where there is no result.</summary>
    public static void AtomicGlobal(Worker w, Instruction* i, uint mask)
    {
        byte* r = w.Registers;
        ulong* address = (ulong*)(r + i->A);
        uint* b = (uint*)(r + i->B), c = (uint*)(r + i->C), d = (uint*)(r + i->Destination);
        w.Counts.AtomicRequests++;
        w.Publish();
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int l = BitOperations.TrailingZeroCount(rest);
            ulong at = address[l] + (ulong)i->Immediate;
            uint* data = (uint*)w.LaneBytes(i, l, at, 4, "atomic operation", out var allocation, out long offset);
            w.RequireWritten(i, l, at, allocation, offset, 4);
            w.AtomicLane(i, l, allocation, offset);
            uint old;
            uint value;
            do
            {
                old = Volatile.Read(ref *data);
                value = Combine((AtomicOperation)i->First, old, b[l], c[l]);
            }
            while (Interlocked.CompareExchange(ref *data, value, old) != old);
            d[l] = old;
        }
        w.Acquire();
    }

    /// <summary>atom.shared: as <see cref="AtomicGlobal"/>; Third is the bytes of an address lane.</summary>
    public static void AtomicShared(Worker w, Instruction* i, uint mask)
    {
        byte* r = w.Registers;
        byte* addresses = r + i->A;
        uint* b = (uint*)(r + i->B), c = (uint*)(r + i->C), d = (uint*)(r + i->Destination);
        w.Counts.SharedRequests++;
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int l = BitOperations.TrailingZeroCount(rest);
            ulong at = i->Third == 8 ? ((ulong*)addresses)[l] + (ulong)i->Immediate : (uint)(((uint*)addresses)[l] + i->Immediate);
            w.CheckSharedAddress(i, l, at, 4, "atomic operation");
            w.AtomicSharedLane(i, l, (uint)at);
            uint* data = (uint*)(w.Shared.Data + at);
            uint old = *data;
            *data = Combine((AtomicOperation)i->First, old, b[l], c[l]);
            d[l] = old;
        }
    }

    /// <summary>Atomic operations race with plain accesses of other threads, not with each other: the reader's record of a piece whose
    /// last access was atomic has kind 0, the stamp, and whether several threads took part.</summary>
    private void AtomicSharedLane(Instruction* i, int lane, uint address)
    {
        uint thread = (uint)((Warp.Index * 32) + lane);
        uint first = address >> Shared.GranuleShift;
        for (uint g = first; g < first + (4u >> Shared.GranuleShift); g++)
        {
            uint writer = Shared.Writers[g];
            uint reader = Shared.Readers[g];
            bool atomic = SharedRecord.IsAtomic(reader);
            if ((writer & SharedRecord.KindMask) != SharedRecord.One || (!atomic && (writer & 1023) != thread && IsUnordered(writer)))
            {
                FaultShared(i, lane, address, writer, "atomic operation");
            }
            if (reader != 0 && !atomic && IsReadRace(reader, thread))
            {
                Fault(i, lane, $"race in shared memory: atomic operation on {DescribeShared(address)}, which other threads read with no barrier between");
            }
            bool several = atomic && SharedRecord.StampOf(reader) >= GroupTime && ((reader & SharedRecord.Several) != 0 || (writer & 1023) != thread);
            uint now = Time << SharedRecord.StampShift;
            Shared.Writers[g] = SharedRecord.One | now | thread;
            Shared.Readers[g] = now | 1 | (several ? SharedRecord.Several : 0);
        }
    }
}
