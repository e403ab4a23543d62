// One launch: its sizes, arguments, and what its workers share.
using Rt.Gpu.Simulator.Decoding;
using Rt.Gpu.Simulator.Memory;

namespace Rt.Gpu.Simulator.Execution;

internal sealed class Launch(EntryProgram program, SharedLayout layout, int gridX, int gridY, int gridZ, byte[] arguments, long budget)
{
    /// <summary>Warp instructions issued so far.</summary>
    public long Issued;

    public EntryProgram Program { get; } = program;

    public SharedLayout Layout { get; } = layout;

    public int GridX { get; } = gridX;

    public int GridY { get; } = gridY;

    public int GridZ { get; } = gridZ;

    public int GroupSize { get; } = program.GroupSize;

    public byte[] Arguments { get; } = arguments;

    public long Budget { get; } = budget;

    public long Groups => (long)GridX * GridY * GridZ;
}
