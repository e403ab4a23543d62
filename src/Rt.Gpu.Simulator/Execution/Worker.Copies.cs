// Asynchronous copies from global to shared memory: seen by their thread after its wait, by others after a barrier that follows.
// Source: PTX ISA, "cp.async", "cp.async.commit_group", "cp.async.wait_group".
using System.Numerics;
using System.Runtime.CompilerServices;
using Rt.Gpu.Simulator.Memory;

namespace Rt.Gpu.Simulator.Execution;

internal sealed unsafe partial class Worker
{
    private readonly Stack<PendingCopy> _spareCopies = [];

    /// <summary>cp.async: A the shared address (C bytes a lane), Immediate its offset, B the global address, Registers[0] its offset,
    /// First the bytes, Second the register of the source size or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CopyAsync(Worker w, Instruction* i, uint mask)
    {
        ulong* addresses = stackalloc ulong[32];
        ulong* sectors = stackalloc ulong[32];
        w.SharedAddresses(i, mask, addresses);
        byte* r = w.Registers;
        ulong* source = (ulong*)(r + i->B);
        int bytes = i->First;
        var warp = w.Warp;
        var copy = w._spareCopies.Count > 0 ? w._spareCopies.Pop() : new PendingCopy();
        copy.Lanes = mask;
        copy.Bytes = bytes;
        int n = 0;
        long read = 0;
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int l = BitOperations.TrailingZeroCount(rest);
            uint size = i->Second < 0 ? (uint)bytes : ((uint*)(r + i->Second))[l];
            if (size > bytes)
            {
                w.Fault(i, l, $"cp.async of {bytes} bytes with a source size of {size}");
            }
            w.CheckSharedAddress(i, l, addresses[l], bytes, "copy");
            ulong at = source[l] + (ulong)i->Registers[0];
            w.WriteShared(i, l, (uint)addresses[l], bytes, inFlight: true);
            byte* to = w.Shared.Data + addresses[l];
            if (size > 0)
            {
                if ((at & (ulong)(bytes - 1)) != 0)
                {
                    w.Fault(i, l, $"misaligned copy: {bytes} bytes from {w.Memory.Describe(at)}, which is no multiple of {bytes}");
                }
                byte* from = w.Range(at, size, out var allocation, out long offset);
                if (from == null)
                {
                    w.Fault(i, l, $"copy of {size} bytes out of bounds: {w.Memory.Describe(at)}");
                }
                w.RequireWritten(i, l, at, allocation, offset, (int)size);
                w.ReadLane(i, l, allocation, offset, (int)size);
                Unsafe.CopyBlockUnaligned(to, from, size);
                sectors[n++] = at / SectorBytes;
                read += size;
            }
            if (size < bytes)
            {
                Unsafe.InitBlockUnaligned(to + size, 0, (uint)bytes - size);
            }
            copy.Batch[l] = warp.Batches[l];
            copy.Destinations[l] = (uint)addresses[l];
            copy.Sources[l] = at;
            copy.SourceBytes[l] = (int)size;
        }
        warp.Copies.Add(copy);
        w.Counts.AsyncBytes += read;
        if (n > 0)
        {
            w.Counts.LoadRequests++;
            w.Counts.LoadBytes += read;
            w.Counts.LoadIdealSectors += (read + SectorBytes - 1) / SectorBytes;
            w.Counts.LoadSectors += Distinct(sectors, n);
        }
    }

    /// <summary>cp.async.commit_group.</summary>
    public static void CommitCopies(Worker w, Instruction* i, uint mask)
    {
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            w.Warp.Batches[BitOperations.TrailingZeroCount(rest)]++;
        }
    }

    /// <summary>cp.async.wait_group and wait_all: First is the number of newest groups that may be under way, -1 for none and no open one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void WaitCopies(Worker w, Instruction* i, uint mask)
    {
        var warp = w.Warp;
        var copies = warp.Copies;
        int kept = 0;
        for (int n = 0; n < copies.Count; n++)
        {
            var copy = copies[n];
            for (uint rest = copy.Lanes & mask; rest != 0; rest &= rest - 1)
            {
                int l = BitOperations.TrailingZeroCount(rest);
                if (copy.Batch[l] < warp.Batches[l] - i->First)
                {
                    w.FinishCopy(i, l, copy);
                    copy.Lanes &= ~(1u << l);
                }
            }
            if (copy.Lanes == 0)
            {
                w._spareCopies.Push(copy);
            }
            else
            {
                copies[kept++] = copy;
            }
        }
        copies.RemoveRange(kept, copies.Count - kept);
    }

    private void FinishCopy(Instruction* i, int lane, PendingCopy copy)
    {
        uint destination = copy.Destinations[lane];
        uint thread = (uint)((Warp.Index * 32) + lane);
        if (copy.SourceBytes[lane] > 0)
        {
            byte* source = Range(copy.Sources[lane], copy.SourceBytes[lane], out _, out _);
            if (!new ReadOnlySpan<byte>(source, copy.SourceBytes[lane]).SequenceEqual(new ReadOnlySpan<byte>(Shared.Data + destination, copy.SourceBytes[lane])))
            {
                Fault(i, lane, $"the source of a cp.async was overwritten before its wait: {Memory.Describe(copy.Sources[lane])}");
            }
        }
        uint mine = SharedRecord.One | (Warp.Clock << SharedRecord.ClockShift) | thread;
        uint* record = Shared.Records + (destination >> Shared.GranuleShift << 1);
        uint* end = record + (Math.Max(1, copy.Bytes >> Shared.GranuleShift) << 1);
        for (; record < end; record += 2)
        {
            record[0] = mine;
        }
    }
}
