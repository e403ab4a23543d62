// Runs groups one after the other on one core: the interpreter's loop, divergence, and barriers.
// Source: PTX ISA, "PTX Machine Model" and "Parallel Synchronization and Communication Instructions".
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rt.Gpu.Simulator.Decoding;
using Rt.Gpu.Simulator.Memory;

namespace Rt.Gpu.Simulator.Execution;

/// <summary>State of the group that is being run; handlers read it.</summary>
internal sealed unsafe partial class Worker : IDisposable
{
    private readonly Warp[] _warps;
    private readonly EntryProgram _program;
    private readonly Launch _launch;
    private readonly byte* _arguments;
    private AccessPattern* _patterns;
    private long _unreported;

    public Worker(Launch launch, GlobalMemory memory)
    {
        _launch = launch;
        _program = launch.Program;
        Memory = memory;
        Allocations = memory.Allocations;
        int threads = launch.GroupSize;
        _warps = new Warp[(threads + 31) / 32];
        for (int w = 0; w < _warps.Length; w++)
        {
            _warps[w] = new Warp(w, _program.RegisterBytes, _program.PredicateCount, _program.TrackedCount);
            FillConstants(_warps[w]);
        }
        Shared = new SharedMemory(launch.Layout, _program.SharedGranule);
        Executed = (long*)NativeMemory.AllocZeroed((nuint)_program.Code.Length * 2, 8);
        _patterns = (AccessPattern*)NativeMemory.AllocZeroed((nuint)_program.PatternCount + 1, (nuint)sizeof(AccessPattern));
        _arguments = (byte*)NativeMemory.AllocZeroed((nuint)Math.Max(8, launch.Arguments.Length));
        launch.Arguments.CopyTo(new Span<byte>(_arguments, launch.Arguments.Length));
    }

    public byte* Registers;
    public uint* Predicates;
    public Warp Warp = null!;
    public Allocation* Allocations;
    public GlobalMemory Memory { get; }
    public SharedMemory Shared { get; }

    /// <summary>Goes up at each barrier of the group and of its warps; accesses are stamped with it.</summary>
    public uint Time;

    /// <summary>Time of the last barrier of the group: what is stamped before is ordered before all that follows.</summary>
    public uint GroupTime;

    public int Group;

    /// <summary>For each instruction: times issued to a warp, and threads that took part.</summary>
    public long* Executed { get; private set; }

    public MemoryCounts Counts;

    public byte* Arguments => _arguments;

    private void FillConstants(Warp warp)
    {
        foreach (var constant in _program.Constants)
        {
            byte* slot = warp.Registers + constant.Offset;
            for (int l = 0; l < 32; l++)
            {
                ulong value = constant.Kind switch
                {
                    ConstantKind.Value => constant.Value,
                    ConstantKind.Variable => (ulong)_launch.Layout.Variables[(int)constant.Value].Start + (ulong)constant.Extra,
                    ConstantKind.ThreadIndex => (ulong)((warp.Index * 32) + l),
                    ConstantKind.GroupSize => (ulong)_launch.GroupSize,
                    ConstantKind.Lane => (ulong)l,
                    ConstantKind.WarpIndex => (ulong)warp.Index,
                    ConstantKind.GridSizeX => (ulong)_launch.GridX,
                    ConstantKind.GridSizeY => (ulong)_launch.GridY,
                    ConstantKind.GridSizeZ => (ulong)_launch.GridZ,
                    _ => 0,
                };
                if (constant.Bits == 64)
                {
                    ((ulong*)slot)[l] = value;
                }
                else
                {
                    ((uint*)slot)[l] = (uint)value;
                }
            }
        }
    }

    private void FillGroupIndex(Warp warp, int x, int y, int z)
    {
        foreach (var constant in _program.Constants)
        {
            if (constant.Kind is ConstantKind.GroupX or ConstantKind.GroupY or ConstantKind.GroupZ)
            {
                int value = constant.Kind == ConstantKind.GroupX ? x : constant.Kind == ConstantKind.GroupY ? y : z;
                new Span<int>(warp.Registers + constant.Offset, 32).Fill(value);
            }
        }
    }

    /// <summary>Runs one group to its end.</summary>
    /// <param name="group">Linear index.</param>
    /// <param name="seed">Order of the warps.</param>
    public void RunGroup(int group, uint seed)
    {
        Group = group;
        Time = 1;
        GroupTime = 1;
        Shared.Reset();
        StartRaceCheck();
        int x = group % _launch.GridX;
        int y = group / _launch.GridX % _launch.GridY;
        int z = group / _launch.GridX / _launch.GridY;
        for (int w = 0; w < _warps.Length; w++)
        {
            int threads = Math.Min(32, _launch.GroupSize - (32 * w));
            _warps[w].Reset(threads == 32 ? Lanes.All : (1u << threads) - 1);
            FillGroupIndex(_warps[w], x, y, z);
        }
        while (true)
        {
            int first = (int)(seed % (uint)_warps.Length);
            seed = (seed * 1664525) + 1013904223;
            bool all = true;
            for (int n = 0; n < _warps.Length; n++)
            {
                var warp = _warps[(first + n) % _warps.Length];
                if (warp.Depth > 0)
                {
                    all = false;
                    Run(warp);
                }
            }
            if (all)
            {
                Report();
                return;
            }
            Barrier();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Run(Warp warp)
    {
        Warp = warp;
        Registers = warp.Registers;
        uint* predicates = warp.Predicates;
        predicates[0] = Lanes.All;
        Predicates = predicates;
        ref var path = ref warp.Paths[warp.Depth - 1];
        int pc = path.Pc;
        int meet = path.Reconvergence;
        uint lanes = path.Lanes;
        fixed (Instruction* code = _program.Code)
        {
            long* executed = Executed;
            long issued = 0;
            uint followed = FollowedLane(warp);
            while (true)
            {
                if (pc == meet)
                {
                    warp.Depth--;
                    ref var outer = ref warp.Paths[warp.Depth - 1];
                    pc = outer.Pc;
                    meet = outer.Reconvergence;
                    lanes = outer.Lanes;
                    if (lanes == 0)
                    {
                        pc = meet;
                        if (warp.Depth == 1)
                        {
                            warp.Depth = 0;
                            break;
                        }
                    }
                    continue;
                }
                var i = code + pc;
                uint mask = lanes & (predicates[i->Guard] ^ i->GuardFlip);
                executed[2 * pc]++;
                executed[(2 * pc) + 1] += BitOperations.PopCount(mask);
                issued++;
                if (i->Control == Control.None)
                {
                    if (mask != 0)
                    {
                        if (followed != 0 && (mask & followed) != 0)
                        {
                            Follow(i, mask);
                        }
                        else
                        {
                            i->Handler(this, i, mask);
                        }
                    }
                    pc++;
                }
                else if (i->Control == Control.Branch)
                {
                    if (mask == 0)
                    {
                        pc++;
                    }
                    else if (mask == lanes)
                    {
                        pc = i->Target;
                    }
                    else
                    {
                        warp.Paths[warp.Depth - 1].Pc = i->Reconvergence;
                        if (i->Reconvergence < 0)
                        {
                            // The paths only meet where the lanes return.
                            warp.Paths[warp.Depth - 1].Lanes = 0;
                            warp.Paths[warp.Depth - 1].Pc = meet;
                        }
                        warp.Push(new WarpPath(pc + 1, i->Reconvergence, lanes & ~mask));
                        warp.Push(new WarpPath(i->Target, i->Reconvergence, mask));
                        pc = i->Target;
                        meet = i->Reconvergence;
                        lanes = mask;
                    }
                    if (issued > 20_000)
                    {
                        _unreported += issued;
                        issued = 0;
                        Spend(i, lanes);
                    }
                }
                else if (i->Control == Control.Return)
                {
                    warp.Returned |= mask;
                    for (int d = 0; d < warp.Depth; d++)
                    {
                        warp.Paths[d].Lanes &= ~mask;
                    }
                    lanes &= ~mask;
                    if (lanes != 0)
                    {
                        pc++;
                        continue;
                    }
                    warp.Depth--;
                    while (warp.Depth > 0 && warp.Paths[warp.Depth - 1].Lanes == 0)
                    {
                        warp.Depth--;
                    }
                    if (warp.Depth == 0)
                    {
                        break;
                    }
                    ref var outer = ref warp.Paths[warp.Depth - 1];
                    pc = outer.Pc;
                    meet = outer.Reconvergence;
                    lanes = outer.Lanes;
                }
                else if (mask == 0)
                {
                    pc++;
                }
                else
                {
                    Arrive(warp, i, mask);
                    warp.Paths[warp.Depth - 1].Pc = pc;
                    break;
                }
            }
            _unreported += issued;
        }
    }

    /// <summary>Adds to the launch's count of instructions and stops a launch that passes its budget.</summary>
    private void Spend(Instruction* i, uint lanes)
    {
        long total = Interlocked.Add(ref _launch.Issued, _unreported);
        _unreported = 0;
        if (total > _launch.Budget)
        {
            Fault(i, BitOperations.TrailingZeroCount(lanes),
                $"the launch passed its budget of {_launch.Budget} warp instructions; a loop may not end");
        }
    }

    private void Report()
    {
        Interlocked.Add(ref _launch.Issued, _unreported);
        _unreported = 0;
    }

    private void Arrive(Warp warp, Instruction* i, uint mask)
    {
        if (mask != warp.Lanes)
        {
            uint missing = warp.Lanes & ~mask;
            int lane = BitOperations.TrailingZeroCount(missing);
            string why = (warp.Returned >> lane & 1) != 0 ? "has returned" : "is on another path";
            Fault(i, BitOperations.TrailingZeroCount(mask),
                $"barrier not reached by all threads of the group: thread {(warp.Index * 32) + lane} of the same warp {why}");
        }
        warp.Waits = true;
        uint votes = i->A < 0 ? 0 : Predicates[i->A] ^ (uint)i->Second;
        warp.BarrierVotes = votes & warp.Lanes;
    }

    /// <summary>All warps wait or have returned: lets them go on where all wait at the same barrier.</summary>
    private void Barrier()
    {
        Warp? waiting = null;
        foreach (var warp in _warps)
        {
            waiting ??= warp.Waits ? warp : null;
        }
        if (waiting is null)
        {
            return;
        }
        int pc = waiting.Paths[waiting.Depth - 1].Pc;
        fixed (Instruction* code = _program.Code)
        {
            int votes = 0;
            foreach (var warp in _warps)
            {
                if (!warp.Waits)
                {
                    Warp = waiting;
                    Fault(code + pc, 0, $"barrier not reached by all threads of the group: warp {warp.Index} has returned");
                }
                int other = warp.Paths[warp.Depth - 1].Pc;
                if (other != pc)
                {
                    Warp = waiting;
                    Fault(code + pc, 0,
                        $"barrier not reached by all threads of the group: warp {warp.Index} waits at the one of PTX line {_program.Lines[other].Line}");
                }
                votes += BitOperations.PopCount(warp.BarrierVotes);
            }
            var i = code + pc;
            foreach (var warp in _warps)
            {
                warp.Waits = false;
                warp.Paths[warp.Depth - 1].Pc = pc + 1;
                if (i->First == 1)
                {
                    new Span<int>(warp.Registers + i->Destination, 32).Fill(votes);
                }
                else if (i->First > 1)
                {
                    bool result = i->First == 2 ? votes == _launch.GroupSize : votes > 0;
                    warp.Predicates[i->Destination] = result ? Lanes.All : 0;
                }
            }
            Advance(i);
            GroupTime = Time;
        }
    }

    /// <summary>Accesses from now on have a later stamp.</summary>
    public void Advance(Instruction* i)
    {
        if (++Time >= SharedRecord.StampMask)
        {
            Fault(i, 0, $"more than {SharedRecord.StampMask} barriers in one group, which the race check cannot count");
        }
    }

    [DoesNotReturn]
    public void Fault(Instruction* i, int lane, string problem)
    {
        var line = _program.Lines[i->Index];
        int x = Group % _launch.GridX;
        int y = Group / _launch.GridX % _launch.GridY;
        int z = Group / _launch.GridX / _launch.GridY;
        int thread = (Warp.Index * 32) + lane;
        throw new SimulatorException(problem, line.Line, line.Text, line.Source, Group, thread,
            $"kernel {_program.Name}, group ({x}, {y}, {z}), thread {thread} (lane {lane} of warp {Warp.Index})");
    }

    public void Dispose()
    {
        foreach (var warp in _warps)
        {
            warp.Dispose();
        }
        Shared.Dispose();
        NativeMemory.Free(Executed);
        NativeMemory.Free(_arguments);
        NativeMemory.Free(_patterns);
        _patterns = null;
        Executed = null;
    }
}
