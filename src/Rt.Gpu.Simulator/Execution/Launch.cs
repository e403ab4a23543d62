// One launch: its sizes, arguments, and what its workers share.
using Rt.Gpu.Simulator.Decoding;
using Rt.Gpu.Simulator.Memory;

namespace Rt.Gpu.Simulator.Execution;

internal sealed class Launch(
    EntryProgram program, SharedLayout layout, int gridX, int gridY, int gridZ, byte[] arguments, long budget, ulong number, TraceRequest? trace)
{
    /// <summary>Warp instructions issued so far.</summary>
    public long Issued;

    /// <summary>Goes up at each publication.</summary>
    public long Time;

    private long[]? _published;

    /// <summary>Number that tells the records of this launch from others.</summary>
    public ulong Number { get; } = number;

    /// <summary>When each group last went through a fence and an atomic operation; null as long as none did.</summary>
    public long[]? Published => Volatile.Read(ref _published);

    /// <summary>As <see cref="Published"/>, made when first asked for.</summary>
    public long[] Publications()
    {
        if (Published is null)
        {
            Interlocked.CompareExchange(ref _published, new long[Math.Min(Groups, (long)Memory.GlobalRecord.ManyGroups)], null);
        }
        return _published!;
    }

    public EntryProgram Program { get; } = program;

    public SharedLayout Layout { get; } = layout;

    public int GridX { get; } = gridX;

    public int GridY { get; } = gridY;

    public int GridZ { get; } = gridZ;

    public int GroupSize { get; } = program.GroupSize;

    public byte[] Arguments { get; } = arguments;

    public long Budget { get; } = budget;

    /// <summary>The thread to follow, or null.</summary>
    public TraceRequest? Trace { get; } = trace;

    public long Groups => (long)GridX * GridY * GridZ;
}
