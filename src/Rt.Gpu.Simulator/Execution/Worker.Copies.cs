// Asynchronous copies from global to shared memory: seen by their thread after its wait, by others after a barrier that follows.
// Source: PTX ISA, "cp.async", "cp.async.commit_group", "cp.async.wait_group".
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
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
        uint* addresses = stackalloc uint[32];
        ulong* sectors = stackalloc ulong[32];
        w.SharedAddresses(i, mask, addresses);
        byte* r = w.Registers;
        ulong* source = (ulong*)(r + i->B);
        int bytes = i->First;
        var warp = w.Warp;
        var copy = w._spareCopies.Count > 0 ? w._spareCopies.Pop() : new PendingCopy();
        copy.Lanes = mask;
        copy.Bytes = bytes;
        w.WriteShared(i, mask, addresses, bytes, inFlight: true);
        ulong from = (ulong)i->Registers[0];
        uint whole = mask;
        if (i->Second >= 0)
        {
            uint* sizes = (uint*)(r + i->Second);
            for (uint rest = mask; rest != 0; rest &= rest - 1)
            {
                int l = BitOperations.TrailingZeroCount(rest);
                copy.SourceBytes[l] = (int)sizes[l];
                whole &= sizes[l] == (uint)bytes ? Lanes.All : ~(1u << l);
            }
        }
        int n = 0;
        long read = 0;
        for (uint rest = whole; rest != 0;)
        {
            int first = BitOperations.TrailingZeroCount(rest);
            int lanes = RunLength(rest, source, bytes);
            byte* data = w.ReadRun(i, source[first] + from, bytes, first, lanes);
            for (int l = first; l < first + lanes; l++)
            {
                copy.SourceBytes[l] = bytes;
                copy.Sources[l] = data != null ? data + ((l - first) * bytes) : w.CopySource(i, l, source[l] + from, bytes, bytes);
                sectors[n++] = (source[l] + from) / SectorBytes;
                Unsafe.CopyBlockUnaligned(w.Shared.Data + addresses[l], copy.Sources[l], (uint)bytes);
            }
            read += lanes * bytes;
            rest &= ~LaneBits(first, lanes);
        }
        for (uint rest = mask & ~whole; rest != 0; rest &= rest - 1)
        {
            int l = BitOperations.TrailingZeroCount(rest);
            int size = copy.SourceBytes[l];
            if (size < 0 || size > bytes)
            {
                w.Fault(i, l, $"cp.async of {bytes} bytes with a source size of {(uint)size}");
            }
            byte* to = w.Shared.Data + addresses[l];
            if (size > 0)
            {
                copy.Sources[l] = w.CopySource(i, l, source[l] + from, size, bytes);
                Unsafe.CopyBlockUnaligned(to, copy.Sources[l], (uint)size);
                sectors[n++] = (source[l] + from) / SectorBytes;
                read += size;
            }
            Unsafe.InitBlockUnaligned(to + size, 0, (uint)(bytes - size));
        }
        Unsafe.CopyBlockUnaligned(copy.Destinations, addresses, 128);
        warp.Batches.CopyTo(copy.Batch, 0);
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

    private byte* CopySource(Instruction* i, int lane, ulong address, int size, int alignment)
    {
        if ((address & (ulong)(alignment - 1)) != 0)
        {
            Fault(i, lane, $"misaligned copy: {alignment} bytes from {Memory.Describe(address)}, which is no multiple of {alignment}");
        }
        byte* data = Range(address, size, out var allocation, out long offset);
        if (data == null)
        {
            Fault(i, lane, $"copy of {size} bytes out of bounds: {Memory.Describe(address)}");
        }
        RequireWritten(i, lane, address, allocation, offset, size);
        ReadLane(i, lane, allocation, offset, size);
        return data;
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
        int size = copy.SourceBytes[lane];
        byte* data = Shared.Data + destination;
        bool same = size == 16
            ? Vector128.Load(copy.Sources[lane]) == Vector128.Load(data)
            : new ReadOnlySpan<byte>(copy.Sources[lane], size).SequenceEqual(new ReadOnlySpan<byte>(data, size));
        if (!same)
        {
            Fault(i, lane, "the source of a cp.async was overwritten before its wait");
        }
        uint mine = SharedRecord.One | (Time << SharedRecord.StampShift) | (uint)((Warp.Index * 32) + lane);
        uint* writers = Shared.Writers + (destination >> Shared.GranuleShift);
        int granules = copy.Bytes >> Shared.GranuleShift;
        if (granules == 4)
        {
            Vector128.Create(mine).Store(writers);
        }
        else
        {
            new Span<uint>(writers, granules).Fill(mine);
        }
    }
}
