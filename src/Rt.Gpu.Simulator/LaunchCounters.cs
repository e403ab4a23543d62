// What a launch did, counted.
using System.Globalization;
using System.Text;
using Rt.Gpu.Simulator.Execution;

namespace Rt.Gpu.Simulator;

/// <summary>Counts of one launch, or of several added up. The same for any number of threads and any seed.</summary>
public sealed class LaunchCounters
{
    private readonly long[] _byKind = new long[Enum.GetValues<InstructionKind>().Length];
    private MemoryCounts _memory;

    /// <summary>Launches added up.</summary>
    public int Launches { get; private set; }

    /// <summary>Groups run.</summary>
    public long Groups { get; private set; }

    /// <summary>Instructions issued to warps.</summary>
    public long WarpInstructions { get; private set; }

    /// <summary>Instructions times the threads that took part.</summary>
    public long ThreadInstructions { get; private set; }

    /// <summary>Floating-point operations: a fused multiply-add counts 2, a matrix product its shape; special functions do not count.</summary>
    public long Flops { get; private set; }

    /// <summary>Of these, on tensor cores.</summary>
    public long MatrixFlops { get; private set; }

    /// <summary>Threads times approximate functions.</summary>
    public long SpecialFunctions { get; private set; }

    /// <summary>Barriers of groups, counted once per warp; warp barriers and fences do not count.</summary>
    public long Barriers { get; private set; }

    /// <summary>Load instructions to global memory, asynchronous copies among them.</summary>
    public long GlobalLoadRequests => _memory.LoadRequests;

    /// <summary>32-byte sectors that the loads touched.</summary>
    public long GlobalLoadSectors => _memory.LoadSectors;

    /// <summary>Sectors that the same bytes would take side by side.</summary>
    public long GlobalLoadIdealSectors => _memory.LoadIdealSectors;

    /// <summary>Different bytes of each load request, summed.</summary>
    public long GlobalBytesRead => _memory.LoadBytes;

    /// <summary>Store instructions to global memory.</summary>
    public long GlobalStoreRequests => _memory.StoreRequests;

    /// <summary>32-byte sectors that the stores touched.</summary>
    public long GlobalStoreSectors => _memory.StoreSectors;

    /// <summary>Sectors that the same bytes would take side by side.</summary>
    public long GlobalStoreIdealSectors => _memory.StoreIdealSectors;

    /// <summary>Bytes stored to global memory.</summary>
    public long GlobalBytesWritten => _memory.StoreBytes;

    /// <summary>Atomic instructions on global memory.</summary>
    public long GlobalAtomicRequests => _memory.AtomicRequests;

    /// <summary>Instructions that reach shared memory; asynchronous copies do not count.</summary>
    public long SharedRequests => _memory.SharedRequests;

    /// <summary>Passes that these took.</summary>
    public long SharedWavefronts => _memory.SharedWavefronts;

    /// <summary>Of these, passes because of bank conflicts.</summary>
    public long SharedBankConflicts => _memory.SharedConflicts;

    /// <summary>Bytes that asynchronous copies read.</summary>
    public long AsyncCopyBytes => _memory.AsyncBytes;

    /// <summary>Warp instructions of a kind.</summary>
    public long OfKind(InstructionKind kind) => _byKind[(int)kind];

    /// <summary>Adds other counts to these.</summary>
    public void Add(LaunchCounters other)
    {
        Launches += other.Launches;
        Groups += other.Groups;
        WarpInstructions += other.WarpInstructions;
        ThreadInstructions += other.ThreadInstructions;
        Flops += other.Flops;
        MatrixFlops += other.MatrixFlops;
        SpecialFunctions += other.SpecialFunctions;
        Barriers += other.Barriers;
        for (int k = 0; k < _byKind.Length; k++)
        {
            _byKind[k] += other._byKind[k];
        }
        _memory.Add(other._memory);
    }

    internal static unsafe LaunchCounters Of(Launch launch, IEnumerable<Worker> workers)
    {
        var counters = new LaunchCounters { Launches = 1, Groups = launch.Groups };
        var lines = launch.Program.Lines;
        foreach (var worker in workers)
        {
            counters._memory.Add(worker.Counts);
            for (int i = 0; i < lines.Length; i++)
            {
                if (lines[i].Kind == InstructionKind.None)
                {
                    continue;
                }
                long warps = worker.Executed[2 * i];
                long threads = worker.Executed[(2 * i) + 1];
                counters._byKind[(int)lines[i].Kind] += warps;
                counters.WarpInstructions += warps;
                counters.ThreadInstructions += threads;
                counters.Barriers += launch.Program.Code[i].Control == Control.Barrier ? warps : 0;
                counters.Flops += threads * lines[i].Flops;
                counters.MatrixFlops += lines[i].Kind == InstructionKind.Matrix ? threads * lines[i].Flops : 0;
                counters.SpecialFunctions += lines[i].Kind == InstructionKind.SpecialFunction ? threads : 0;
            }
        }
        return counters;
    }

    /// <summary>A table of the counts, one per line; kinds that did not occur are left out.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        void Line(string name, string value) => text.Append(CultureInfo.InvariantCulture, $"{name,-28}{value,20}\n");
        void Count(string name, long value) => Line(name, value.ToString("N0", CultureInfo.InvariantCulture));
        void Sectors(string name, long requests, long sectors, long ideal, long bytes)
        {
            if (requests > 0)
            {
                Count($"{name} requests", requests);
                Count($"{name} bytes", bytes);
                Line($"{name} sectors", string.Create(CultureInfo.InvariantCulture, $"{sectors:N0} (ideal {ideal:N0})"));
            }
        }
        Count("launches", Launches);
        Count("groups", Groups);
        Count("warp instructions", WarpInstructions);
        Line("threads per instruction", string.Create(CultureInfo.InvariantCulture, $"{(double)ThreadInstructions / Math.Max(1, WarpInstructions):F1}"));
        foreach (var kind in Enum.GetValues<InstructionKind>())
        {
            if (OfKind(kind) > 0)
            {
                Count($"  {kind}", OfKind(kind));
            }
        }
        Count("FLOP", Flops);
        Count("  on tensor cores", MatrixFlops);
        Count("special functions", SpecialFunctions);
        Sectors("global load", GlobalLoadRequests, GlobalLoadSectors, GlobalLoadIdealSectors, GlobalBytesRead);
        Sectors("global store", GlobalStoreRequests, GlobalStoreSectors, GlobalStoreIdealSectors, GlobalBytesWritten);
        Count("global atomic requests", GlobalAtomicRequests);
        Count("shared requests", SharedRequests);
        Line("shared wavefronts", string.Create(CultureInfo.InvariantCulture, $"{SharedWavefronts:N0} (conflicts {SharedBankConflicts:N0})"));
        Count("async copy bytes", AsyncCopyBytes);
        Count("barriers", Barriers);
        return text.ToString();
    }
}
