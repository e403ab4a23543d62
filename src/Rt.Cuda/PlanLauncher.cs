// A launcher that runs nothing and writes down which kernels an op would start: what a GPU of an architecture gets, without one.
using Rt.Gpu;

namespace Rt.Cuda;

/// <summary>A launch that was asked for.</summary>
/// <param name="Entry">The kernel.</param>
/// <param name="Grid">Its groups.</param>
/// <param name="DynamicSharedBytes">Its dynamic shared memory.</param>
public readonly record struct PlannedLaunch(KernelEntry Entry, GridSize Grid, int DynamicSharedBytes);

/// <summary>Notes launches. Memory is addresses alone: what is read is zero.</summary>
/// <param name="target">Architecture that it stands for.</param>
/// <param name="multiprocessors">Multiprocessors that it stands for.</param>
public sealed class PlanLauncher(string target, int multiprocessors = 132) : ILauncher
{
    private const long Alignment = 256;

    private readonly List<PlannedLaunch> _launches = [];
    private long _next = Alignment;

    /// <summary>The launches so far.</summary>
    public IReadOnlyList<PlannedLaunch> Launches => _launches;

    /// <inheritdoc/>
    public string Name => "plan";

    /// <inheritdoc/>
    public string Description => $"plan for {Target}";

    /// <inheritdoc/>
    public string Target => target;

    /// <inheritdoc/>
    public int Multiprocessors => multiprocessors;

    /// <inheritdoc/>
    public int MaxSharedBytes => target == "sm_80" ? 163 << 10 : 227 << 10;

    /// <summary>Forgets the launches so far.</summary>
    public void Reset() => _launches.Clear();

    /// <inheritdoc/>
    public long Allocate(long bytes)
    {
        var address = _next;
        _next += (bytes + Alignment - 1) / Alignment * Alignment;
        return address;
    }

    /// <inheritdoc/>
    public void Free(long address)
    {
    }

    /// <inheritdoc/>
    public void Upload(ReadOnlySpan<byte> source, long address)
    {
    }

    /// <inheritdoc/>
    public void Download(long address, Span<byte> destination) => destination.Clear();

    /// <inheritdoc/>
    public void Copy(long source, long destination, long bytes)
    {
    }

    /// <inheritdoc/>
    public void Clear(long address, long bytes)
    {
    }

    /// <inheritdoc/>
    public void Forget(long address, long bytes)
    {
    }

    /// <inheritdoc/>
    public void Launch(KernelEntry entry, GridSize grid, int dynamicSharedBytes, ReadOnlySpan<byte> arguments) =>
        _launches.Add(new PlannedLaunch(entry, grid, dynamicSharedBytes));

    /// <inheritdoc/>
    public void Synchronize()
    {
    }

    /// <inheritdoc/>
    public ILaunchGraph Capture(Action launches)
    {
        launches();
        return new Nothing();
    }

    /// <inheritdoc/>
    public double Measure(Action launches)
    {
        launches();
        return 0;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    private sealed class Nothing : ILaunchGraph
    {
        public void Launch()
        {
        }

        public void Dispose()
        {
        }
    }
}
