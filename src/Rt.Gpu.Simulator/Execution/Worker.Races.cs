// Races in global memory: between groups of a launch, and between threads of a group with no barrier between.
// Source: PTX ISA, "Memory Consistency Model"; a fence before and after an atomic operation orders two groups.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Rt.Gpu.Simulator.Memory;

namespace Rt.Gpu.Simulator.Execution;

internal sealed unsafe partial class Worker
{
    private ulong _launchAndGroup;
    private bool _fenced;
    private long _acquired;

    private ulong GroupNumber => (ulong)Group % GlobalRecord.ManyGroups;

    private void StartRaceCheck()
    {
        _launchAndGroup = (_launch.Number << GlobalRecord.LaunchShift) | (GroupNumber << GlobalRecord.GroupShift);
        _fenced = false;
        _acquired = 0;
    }

    /// <summary>The record of lane 0 reading or writing now; the others follow by adding.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong RecordOf(ulong kind) =>
        kind | _launchAndGroup | ((ulong)Time << GlobalRecord.StampShift) | (uint)(Warp.Index * 32);

    private void RequireRecords(Allocation* allocation, bool writers, bool readers, bool cached)
    {
        if (allocation->GranuleShift > _program.GlobalGranuleShift || (writers && allocation->Writers == null)
            || (readers && allocation->Readers == null) || (cached && allocation->Cached == null))
        {
            Memory.MakeRecords(allocation, _program.GlobalGranuleShift, writers, readers, cached);
        }
    }

    /// <summary>Which of the records belong to this launch.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> OfLaunch(Vector512<ulong> records, Vector512<ulong> launch) =>
        Vector512.Equals((records >> GlobalRecord.LaunchShift) & Vector512.Create(GlobalRecord.LaunchMask), launch);

    private ulong ManyReaders() => GlobalRecord.Group | (_launch.Number << GlobalRecord.LaunchShift) | (GlobalRecord.ManyGroups << GlobalRecord.GroupShift);

    /// <summary>Threads of 8 pieces from piece p on: lane by lane, each with so many pieces.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector512<ulong> ThreadsOf(int p, int perLaneShift, int firstLane) =>
        ((Vector512.Create(0UL, 1, 2, 3, 4, 5, 6, 7) + Vector512.Create((ulong)p)) >> perLaneShift) + Vector512.Create((ulong)((Warp.Index * 32) + firstLane));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint BitsOf(Vector512<ulong> condition) => (uint)condition.ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector512<ulong> IsOfGroup(Vector512<ulong> records) =>
        Vector512.Equals((records >> GlobalRecord.GroupShift) & Vector512.Create(GlobalRecord.ManyGroups), Vector512.Create(GroupNumber));

    /// <summary>Where records of this group are ordered before what this warp does now, or are of the very thread.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector512<ulong> IsOrdered(Vector512<ulong> records, Vector512<ulong> threads)
    {
        var stamp = (records >> GlobalRecord.StampShift) & Vector512.Create(GlobalRecord.StampMask);
        var thread = records & Vector512.Create(1023UL);
        var sameWarp = Vector512.Equals(thread >> 5, Vector512.Create((ulong)Warp.Index));
        return Vector512.LessThan(stamp, Vector512.Create((ulong)GroupTime))
            | (sameWarp & Vector512.LessThan(stamp, Vector512.Create((ulong)Warp.BarrierTime)))
            | Vector512.Equals(thread, threads);
    }

    /// <summary>Checks and records that lanes which follow each other read side by side; false where they have to be looked at one by one.</summary>
    private bool TryReadRun(Instruction* i, Allocation* allocation, long offset, int bytes, int firstLane, int lanes)
    {
        bool cached = i->First == 1;
        RequireRecords(allocation, writers: false, readers: !cached, cached: cached);
        int shift = allocation->GranuleShift;
        int perLaneShift = System.Numerics.BitOperations.Log2((uint)bytes) - shift;
        long first = offset >> shift;
        int pieces = lanes << perLaneShift;
        var launch = Vector512.Create(_launch.Number);
        if (allocation->Writers != null)
        {
            ulong* writers = allocation->Writers + first;
            for (int p = 0; p < pieces; p += 8)
            {
                uint part = pieces - p >= 8 ? 0xFF : (1u << (pieces - p)) - 1;
                var writer = Vector512.Load(writers + p);
                var current = OfLaunch(writer, launch);
                if ((BitsOf(current) & part) != 0
                    && (cached || (BitsOf(current & ~(IsOfGroup(writer) & IsOrdered(writer, ThreadsOf(p, perLaneShift, firstLane)))) & part) != 0))
                {
                    return false;
                }
            }
        }
        if (cached)
        {
            new Span<ushort>(allocation->Cached + first, pieces).Fill((ushort)_launch.Number);
            return true;
        }
        ulong* readers = allocation->Readers + first;
        var many = Vector512.Create(ManyReaders());
        for (int p = 0; p < pieces; p += 8)
        {
            uint part = pieces - p >= 8 ? 0xFF : (1u << (pieces - p)) - 1;
            var reader = Vector512.Load(readers + p);
            if ((BitsOf(Vector512.Equals(reader, many)) & part) == part)
            {
                continue;
            }
            var threads = ThreadsOf(p, perLaneShift, firstLane);
            var mine = Vector512.Create(RecordOf(GlobalRecord.One) & ~1023UL) | threads;
            var current = OfLaunch(reader, launch);
            var next = (BitsOf(current) & part) == 0 ? mine : Merge(reader, current, mine, threads, many);
            Lanes.Blend(next, readers + p, part);
        }
        return true;
    }

    /// <summary>Readers' records after a read by these threads: the vector form of <see cref="MarkReader"/>.</summary>
    private Vector512<ulong> Merge(
        Vector512<ulong> reader, Vector512<ulong> current, Vector512<ulong> mine, Vector512<ulong> threads, Vector512<ulong> many)
    {
        var kind = reader & Vector512.Create(GlobalRecord.KindMask);
        var stamp = (reader >> GlobalRecord.StampShift) & Vector512.Create(GlobalRecord.StampMask);
        var thread = reader & Vector512.Create(1023UL);
        var own = Vector512.LessThan(stamp, Vector512.Create((ulong)Warp.BarrierTime))
            | (Vector512.Equals(kind, Vector512.Create(GlobalRecord.One)) & Vector512.Equals(thread, threads));
        var next = Vector512.ConditionalSelect(own, mine, Vector512.Create(RecordOf(GlobalRecord.Warp)));
        var sameWarp = Vector512.Equals(thread >> 5, Vector512.Create((ulong)Warp.Index));
        next = Vector512.ConditionalSelect(sameWarp, next, Vector512.Create(RecordOf(GlobalRecord.Group) & ~1023UL));
        next = Vector512.ConditionalSelect(Vector512.Equals(kind, Vector512.Create(GlobalRecord.Group)), reader, next);
        next = Vector512.ConditionalSelect(Vector512.LessThan(stamp, Vector512.Create((ulong)GroupTime)), mine, next);
        next = Vector512.ConditionalSelect(IsOfGroup(reader), next, many);
        return Vector512.ConditionalSelect(current, next, mine);
    }

    /// <summary>As <see cref="TryReadRun"/> where all lanes read one place.</summary>
    private bool TryReadOne(Instruction* i, Allocation* allocation, long offset, int bytes)
    {
        bool cached = i->First == 1;
        RequireRecords(allocation, writers: false, readers: !cached, cached: cached);
        int shift = allocation->GranuleShift;
        long first = offset >> shift;
        int pieces = bytes >> shift;
        for (int p = 0; p < pieces; p++)
        {
            if (allocation->Writers != null && GlobalRecord.LaunchOf(allocation->Writers[first + p]) == _launch.Number)
            {
                return false;
            }
            if (cached)
            {
                allocation->Cached[first + p] = (ushort)_launch.Number;
                continue;
            }
            // Two lanes stand for all of them.
            MarkReader(allocation->Readers + first + p, 0);
            MarkReader(allocation->Readers + first + p, 1);
        }
        return true;
    }

    /// <summary>Checks and records that lanes which follow each other write side by side; false where they have to be looked at one by one.</summary>
    private bool TryWriteRun(Allocation* allocation, long offset, int bytes, int firstLane, int lanes)
    {
        RequireRecords(allocation, writers: true, readers: false, cached: false);
        int shift = allocation->GranuleShift;
        int perLaneShift = System.Numerics.BitOperations.Log2((uint)bytes) - shift;
        long first = offset >> shift;
        int pieces = lanes << perLaneShift;
        var launch = Vector512.Create(_launch.Number);
        if (allocation->Cached != null && new ReadOnlySpan<ushort>(allocation->Cached + first, pieces).Contains((ushort)_launch.Number))
        {
            return false;
        }
        ulong* writers = allocation->Writers + first;
        ulong* readers = allocation->Readers == null ? null : allocation->Readers + first;
        for (int p = 0; p < pieces; p += 8)
        {
            uint part = pieces - p >= 8 ? 0xFF : (1u << (pieces - p)) - 1;
            var writer = Vector512.Load(writers + p);
            var threads = ThreadsOf(p, perLaneShift, firstLane);
            var current = OfLaunch(writer, launch);
            if ((BitsOf(current) & part) != 0 && (BitsOf(current & ~(IsOfGroup(writer) & IsOrdered(writer, threads))) & part) != 0)
            {
                return false;
            }
            if (readers != null)
            {
                var reader = Vector512.Load(readers + p);
                current = OfLaunch(reader, launch);
                if ((BitsOf(current) & part) != 0)
                {
                    var kind = reader & Vector512.Create(GlobalRecord.KindMask);
                    // Only a single reader is told apart by its thread, and a whole group's record has none.
                    var owners = Vector512.ConditionalSelect(
                        Vector512.Equals(kind, Vector512.Create(GlobalRecord.One)), threads, Vector512.Create(ulong.MaxValue));
                    var stamp = (reader >> GlobalRecord.StampShift) & Vector512.Create(GlobalRecord.StampMask);
                    var fine = (IsOrdered(reader, owners) & ~Vector512.Equals(kind, Vector512.Create(GlobalRecord.Group)))
                        | Vector512.LessThan(stamp, Vector512.Create((ulong)GroupTime));
                    if ((BitsOf(current & ~(IsOfGroup(reader) & fine)) & part) != 0)
                    {
                        return false;
                    }
                    Lanes.Blend(Vector512<ulong>.Zero, readers + p, part);
                }
            }
            Lanes.Blend(Vector512.Create(RecordOf(GlobalRecord.One) & ~1023UL) | threads, writers + p, part);
        }
        return true;
    }

    /// <summary>Whether an access of another thread of this group is not ordered before one of this warp.</summary>
    private bool IsUnordered(ulong record)
    {
        uint stamp = GlobalRecord.StampOf(record);
        return stamp >= GroupTime && (GlobalRecord.ThreadOf(record) >> 5 != Warp.Index || stamp >= Warp.BarrierTime);
    }

    /// <summary>Whether the other group went through a fence and an atomic operation before this one went through an atomic operation.</summary>
    private bool IsPublished(ulong group) =>
        _launch.Published is { } published && published[group] is > 0 and var time && time <= _acquired;

    private void CheckWriter(Instruction* i, int lane, Allocation* allocation, long piece, string what, bool atomic)
    {
        ulong writer = allocation->Writers[piece];
        if (writer == 0 || GlobalRecord.LaunchOf(writer) != _launch.Number || (atomic && (writer & GlobalRecord.KindMask) == GlobalRecord.Atomic))
        {
            return;
        }
        int thread = (Warp.Index * 32) + lane;
        ulong group = GlobalRecord.GroupOf(writer);
        if (group == GroupNumber ? GlobalRecord.ThreadOf(writer) != thread && IsUnordered(writer) : !IsPublished(group))
        {
            string whose = group == GroupNumber ? $"thread {GlobalRecord.ThreadOf(writer)} of the group" : $"group {group} of the launch";
            Fault(i, lane, $"race in global memory: {what} of {DescribePiece(allocation, piece)}, which {whose} wrote with no barrier between");
        }
    }

    private string DescribePiece(Allocation* allocation, long piece) =>
        $"byte {piece << allocation->GranuleShift} of allocation {allocation - Allocations}";

    /// <summary>Checks and records that a lane reads.</summary>
    private void ReadLane(Instruction* i, int lane, Allocation* allocation, long offset, int bytes)
    {
        bool cached = i->First == 1;
        RequireRecords(allocation, writers: false, readers: !cached, cached: cached);
        int shift = allocation->GranuleShift;
        long end = (offset + bytes - 1) >> shift;
        for (long piece = offset >> shift; piece <= end; piece++)
        {
            if (cached)
            {
                if (allocation->Writers != null && GlobalRecord.LaunchOf(allocation->Writers[piece]) == _launch.Number)
                {
                    Fault(i, lane, $"ld.global.nc of memory that this launch writes: {DescribePiece(allocation, piece)}");
                }
                allocation->Cached[piece] = (ushort)_launch.Number;
                continue;
            }
            if (allocation->Writers != null)
            {
                CheckWriter(i, lane, allocation, piece, "read", atomic: false);
            }
            MarkReader(allocation->Readers + piece, lane);
        }
    }

    private void MarkReader(ulong* record, int lane)
    {
        ulong reader = *record;
        ulong mine = RecordOf(GlobalRecord.One) + (uint)lane;
        if (reader == mine || reader == ManyReaders())
        {
            return;
        }
        if (reader == 0 || GlobalRecord.LaunchOf(reader) != _launch.Number)
        {
            *record = mine;
            return;
        }
        if (GlobalRecord.GroupOf(reader) != GroupNumber)
        {
            *record = ManyReaders();
            return;
        }
        ulong kind = reader & GlobalRecord.KindMask;
        if (kind == GlobalRecord.Group)
        {
            if (GlobalRecord.StampOf(reader) < GroupTime)
            {
                *record = mine;
            }
        }
        else if (!IsUnordered(reader))
        {
            *record = mine;
        }
        else if (GlobalRecord.ThreadOf(reader) >> 5 == Warp.Index)
        {
            if (kind == GlobalRecord.One && GlobalRecord.ThreadOf(reader) != (Warp.Index * 32) + lane)
            {
                *record = RecordOf(GlobalRecord.Warp);
            }
        }
        else
        {
            *record = GlobalRecord.Group | _launchAndGroup | ((ulong)Time << GlobalRecord.StampShift);
        }
    }

    /// <summary>Checks and records that a lane writes.</summary>
    private void WriteLane(Instruction* i, int lane, Allocation* allocation, long offset, int bytes, bool atomic = false)
    {
        RequireRecords(allocation, writers: true, readers: false, cached: false);
        int shift = allocation->GranuleShift;
        long end = (offset + bytes - 1) >> shift;
        string what = atomic ? "atomic operation" : "write";
        for (long piece = offset >> shift; piece <= end; piece++)
        {
            CheckWriter(i, lane, allocation, piece, what, atomic);
            if (allocation->Cached != null && allocation->Cached[piece] == _launch.Number)
            {
                Fault(i, lane, $"{what} of memory that this launch reads with ld.global.nc: {DescribePiece(allocation, piece)}");
            }
            if (allocation->Readers != null)
            {
                CheckReader(i, lane, allocation, piece, what);
                allocation->Readers[piece] = 0;
            }
            allocation->Writers[piece] = RecordOf(atomic ? GlobalRecord.Atomic : GlobalRecord.One) + (uint)lane;
        }
    }

    private void CheckReader(Instruction* i, int lane, Allocation* allocation, long piece, string what)
    {
        ulong reader = allocation->Readers[piece];
        if (reader == 0 || GlobalRecord.LaunchOf(reader) != _launch.Number)
        {
            return;
        }
        ulong group = GlobalRecord.GroupOf(reader);
        string? who = null;
        if (group == GlobalRecord.ManyGroups)
        {
            who = "several groups of the launch";
        }
        else if (group != GroupNumber)
        {
            who = IsPublished(group) ? null : $"group {group} of the launch";
        }
        else
        {
            bool race = (reader & GlobalRecord.KindMask) switch
            {
                GlobalRecord.One => GlobalRecord.ThreadOf(reader) != (Warp.Index * 32) + lane && IsUnordered(reader),
                GlobalRecord.Warp => IsUnordered(reader),
                _ => GlobalRecord.StampOf(reader) >= GroupTime,
            };
            who = race ? "other threads of the group" : null;
        }
        if (who is not null)
        {
            Fault(i, lane, $"race in global memory: {what} of {DescribePiece(allocation, piece)}, which {who} read with no barrier between");
        }
    }

    private void AtomicLane(Instruction* i, int lane, Allocation* allocation, long offset) => WriteLane(i, lane, allocation, offset, 4, atomic: true);

    /// <summary>A fence of the device before an atomic operation: what the group wrote is there for groups whose atomic operation comes later.</summary>
    private void Publish()
    {
        if (_fenced)
        {
            Volatile.Write(ref _launch.Publications()[GroupNumber], Interlocked.Increment(ref _launch.Time));
        }
    }

    private void Acquire() => _acquired = Volatile.Read(ref _launch.Time);
}
