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
        kind | _launchAndGroup | ((ulong)Warp.Clock << GlobalRecord.ClockShift) | (uint)(Warp.Index * 32);

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

    /// <summary>Checks and records that all lanes read side by side; false where the lanes have to be looked at one by one.</summary>
    private bool TryReadRun(Instruction* i, ulong address, Allocation* allocation, long offset, int bytes)
    {
        bool cached = i->First == 1;
        RequireRecords(allocation, writers: false, readers: !cached, cached: cached);
        int shift = allocation->GranuleShift;
        long first = offset >> shift;
        int perLane = bytes >> shift;
        int pieces = 32 * perLane;
        var launch = Vector512.Create(_launch.Number);
        if (allocation->Writers != null)
        {
            ulong* writers = allocation->Writers + first;
            var any = Vector512<ulong>.Zero;
            for (int p = 0; p < pieces; p += 8)
            {
                any |= OfLaunch(Vector512.Load(writers + p), launch);
            }
            if (any != Vector512<ulong>.Zero)
            {
                return false;
            }
        }
        if (cached)
        {
            new Span<ushort>(allocation->Cached + first, pieces).Fill((ushort)_launch.Number);
            return true;
        }
        ulong* readers = allocation->Readers + first;
        var many = Vector512.Create(ManyReaders());
        var current = Vector512<ulong>.Zero;
        var differs = Vector512<ulong>.Zero;
        for (int p = 0; p < pieces; p += 8)
        {
            var reader = Vector512.Load(readers + p);
            current |= OfLaunch(reader, launch);
            differs |= reader ^ many;
        }
        if (differs == Vector512<ulong>.Zero)
        {
            return true;
        }
        if (current != Vector512<ulong>.Zero)
        {
            return false;
        }
        StoreRun(readers, pieces, perLane);
        return true;
    }

    private ulong ManyReaders() => GlobalRecord.Group | (_launch.Number << GlobalRecord.LaunchShift) | (GlobalRecord.ManyGroups << GlobalRecord.GroupShift);

    /// <summary>Records of 8 pieces from piece p on: lane by lane, each with so many pieces.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> LanesOf(int p, int perLane)
    {
        int shift = System.Numerics.BitOperations.Log2((uint)perLane);
        return (Vector512.Create(0UL, 1, 2, 3, 4, 5, 6, 7) + Vector512.Create((ulong)p)) >> shift;
    }

    private void StoreRun(ulong* records, int pieces, int perLane)
    {
        var mine = Vector512.Create(RecordOf(GlobalRecord.One));
        for (int p = 0; p < pieces; p += 8)
        {
            (mine + LanesOf(p, perLane)).Store(records + p);
        }
    }

    /// <summary>As <see cref="TryReadRun"/> where all lanes read one place.</summary>
    private bool TryReadOne(Instruction* i, ulong address, Allocation* allocation, long offset, int bytes)
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
            ulong reader = allocation->Readers[first + p];
            if (reader == ManyReaders())
            {
                continue;
            }
            if (GlobalRecord.LaunchOf(reader) == _launch.Number && reader != 0)
            {
                return false;
            }
            allocation->Readers[first + p] = RecordOf(GlobalRecord.Warp);
        }
        return true;
    }

    /// <summary>Checks and records that all lanes write side by side; false where the lanes have to be looked at one by one.</summary>
    private bool TryWriteRun(Instruction* i, ulong address, Allocation* allocation, long offset, int bytes)
    {
        RequireRecords(allocation, writers: true, readers: false, cached: false);
        int shift = allocation->GranuleShift;
        long first = offset >> shift;
        int perLane = bytes >> shift;
        int pieces = 32 * perLane;
        var launch = Vector512.Create(_launch.Number);
        ulong* writers = allocation->Writers + first;
        var any = Vector512<ulong>.Zero;
        for (int p = 0; p < pieces; p += 8)
        {
            any |= OfLaunch(Vector512.Load(writers + p), launch);
        }
        if (allocation->Readers != null)
        {
            ulong* readers = allocation->Readers + first;
            var mine = Vector512.Create(RecordOf(GlobalRecord.One));
            for (int p = 0; p < pieces; p += 8)
            {
                var reader = Vector512.Load(readers + p);
                any |= OfLaunch(reader, launch) & ~Vector512.Equals(reader, mine + LanesOf(p, perLane));
            }
        }
        if (any != Vector512<ulong>.Zero
            || (allocation->Cached != null && new ReadOnlySpan<ushort>(allocation->Cached + first, pieces).Contains((ushort)_launch.Number)))
        {
            return false;
        }
        StoreRun(writers, pieces, perLane);
        return true;
    }

    /// <summary>Whether an access of another thread of this group is not ordered before one of this warp.</summary>
    private bool IsUnordered(ulong record)
    {
        int warp = GlobalRecord.ThreadOf(record) >> 5;
        uint clock = GlobalRecord.ClockOf(record);
        return warp == Warp.Index ? clock == Warp.Clock : clock >= BarrierClock[warp];
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
        ulong epoch = Epoch & GlobalRecord.ClockMask;
        if (kind == GlobalRecord.Group)
        {
            if (GlobalRecord.ClockOf(reader) != epoch)
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
            *record = GlobalRecord.Group | _launchAndGroup | (epoch << GlobalRecord.ClockShift);
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
                _ => GlobalRecord.ClockOf(reader) == (Epoch & GlobalRecord.ClockMask),
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
