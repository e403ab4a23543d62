// The state of a warp: registers of 32 lanes, where each lane stands, and its clock.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Rt.Gpu.Simulator.Execution;

/// <summary>A path of a diverged warp: its lanes go on at <see cref="Pc"/> until <see cref="Reconvergence"/>.</summary>
internal record struct WarpPath(int Pc, int Reconvergence, uint Lanes);

/// <summary>An asynchronous copy that its lanes have not waited for.</summary>
internal sealed unsafe class PendingCopy
{
    /// <summary>Lanes that have not waited.</summary>
    public uint Lanes;

    /// <summary>Bytes written per lane.</summary>
    public int Bytes;

    /// <summary>Number of the lane's batch.</summary>
    public readonly long[] Batch = new long[32];

    /// <summary>Bytes read per lane; the rest are zeros.</summary>
    public readonly int[] SourceBytes = new int[32];

    private readonly uint[] _destinations = GC.AllocateArray<uint>(32, pinned: true);
    private readonly ulong[] _sources = GC.AllocateArray<ulong>(32, pinned: true);

    /// <summary>Shared addresses.</summary>
    public uint* Destinations => (uint*)Unsafe.AsPointer(ref _destinations[0]);

    /// <summary>Where the bytes come from.</summary>
    public byte** Sources => (byte**)Unsafe.AsPointer(ref _sources[0]);
}

/// <summary>A warp of the group that a worker runs.</summary>
internal sealed unsafe class Warp : IDisposable
{
    public Warp(int index, int registerBytes, int predicates, int tracked)
    {
        Index = index;
        RegisterBytes = registerBytes;
        Registers = (byte*)NativeMemory.AlignedAlloc((nuint)registerBytes + 64, 128);
        Predicates = (uint*)NativeMemory.AllocZeroed((nuint)predicates, 4);
        Written = (uint*)NativeMemory.AllocZeroed((nuint)tracked + 1, 4);
        TrackedCount = tracked;
        // Registers start with a pattern that is no sensible number.
        new Span<byte>(Registers, registerBytes).Fill(0xB5);
    }

    public int Index { get; }

    public int RegisterBytes { get; }

    public byte* Registers { get; private set; }

    public uint* Predicates { get; private set; }

    /// <summary>Lanes that wrote a register, for registers that some path reads unwritten.</summary>
    public uint* Written { get; private set; }

    public int TrackedCount { get; }

    public WarpPath[] Paths { get; private set; } = new WarpPath[16];

    public int Depth;

    /// <summary>Lanes that exist.</summary>
    public uint Lanes;

    /// <summary>Lanes that returned.</summary>
    public uint Returned;

    public bool Waits;

    /// <summary>Time of the last barrier of the warp: what its lanes did before is ordered before what they do after.</summary>
    public uint BarrierTime;

    /// <summary>Predicate values of a barrier with a reduction.</summary>
    public uint BarrierVotes;

    public readonly List<PendingCopy> Copies = [];

    /// <summary>Batches of asynchronous copies that each lane has closed.</summary>
    public readonly long[] Batches = new long[32];

    public void Reset(uint lanes)
    {
        Depth = 1;
        Paths[0] = new WarpPath(0, -1, lanes);
        Lanes = lanes;
        Returned = 0;
        Waits = false;
        BarrierTime = 1;
        Copies.Clear();
        Array.Clear(Batches);
        NativeMemory.Clear(Written, (nuint)TrackedCount * 4);
    }

    public void Push(WarpPath path)
    {
        if (Depth == Paths.Length)
        {
            var paths = Paths;
            Array.Resize(ref paths, Depth * 2);
            Paths = paths;
        }
        Paths[Depth++] = path;
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(Registers);
        NativeMemory.Free(Predicates);
        NativeMemory.Free(Written);
        Registers = null;
        Predicates = null;
        Written = null;
        GC.SuppressFinalize(this);
    }

    ~Warp() => Dispose();
}
