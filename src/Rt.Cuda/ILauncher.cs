// What runs kernels: the CUDA driver or the simulator. The device above is written once over this interface.
using Rt.Core;
using Rt.Gpu;

namespace Rt.Cuda;

/// <summary>Groups of a launch along x, y and z.</summary>
/// <param name="X">Groups along x, at least 1.</param>
/// <param name="Y">Groups along y, 1 to 65535.</param>
/// <param name="Z">Groups along z, 1 to 65535.</param>
public readonly record struct GridSize(int X, int Y = 1, int Z = 1)
{
    /// <summary>Groups in all.</summary>
    public long Count => (long)X * Y * Z;
}

/// <summary>Memory, launches and one stream: everything is done in the order in which it was asked for.</summary>
/// <remarks>Calls come from one thread at a time. Every failure is a <see cref="DeviceException"/> that names the call.</remarks>
public interface ILauncher : IDisposable
{
    /// <summary>Short name: cuda or simulator.</summary>
    string Name { get; }

    /// <summary>One line for reports: the chip and what bounds it.</summary>
    string Description { get; }

    /// <summary>The best architecture that it runs: sm_80, sm_90 or sm_90a.</summary>
    string Target { get; }

    /// <summary>Multiprocessors: groups beyond a multiple of them wait.</summary>
    int Multiprocessors { get; }

    /// <summary>Most shared bytes of one group, static and dynamic together.</summary>
    int MaxSharedBytes { get; }

    /// <summary>Memory aligned to 256 bytes, its contents undefined.</summary>
    /// <exception cref="DeviceException">Out of memory: says what was asked and what is free.</exception>
    long Allocate(long bytes);

    /// <summary>Gives memory back; launches already asked for may still use it.</summary>
    void Free(long address);

    /// <summary>Writes host bytes; the source may change as soon as the call returns.</summary>
    void Upload(ReadOnlySpan<byte> source, long address);

    /// <summary>Reads device bytes, after everything asked for so far.</summary>
    void Download(long address, Span<byte> destination);

    /// <summary>Copies on the device; the ranges must not overlap.</summary>
    void Copy(long source, long destination, long bytes);

    /// <summary>Writes zeros.</summary>
    void Clear(long address, long bytes);

    /// <summary>Says that the contents are undefined from here on: a launcher that checks then refuses reads before writes.</summary>
    void Forget(long address, long bytes);

    /// <summary>Starts a kernel.</summary>
    /// <param name="entry">Its architecture must not exceed <see cref="Target"/>.</param>
    /// <param name="grid">Groups.</param>
    /// <param name="dynamicSharedBytes">Shared memory beyond the entry's own.</param>
    /// <param name="arguments">Parameters in declared order, each at its natural alignment, as in a C struct.</param>
    void Launch(KernelEntry entry, GridSize grid, int dynamicSharedBytes, ReadOnlySpan<byte> arguments);

    /// <summary>Waits for everything asked for so far.</summary>
    void Synchronize();

    /// <summary>Records launches, copies and clears without doing them. Nothing else may be asked for meanwhile.</summary>
    ILaunchGraph Capture(Action launches);

    /// <summary>Milliseconds that work takes: by the device's clock on cuda, by the host's on the simulator.</summary>
    double Measure(Action launches);
}

/// <summary>Recorded launches that start together, with the arguments they were recorded with.</summary>
public interface ILaunchGraph : IDisposable
{
    /// <summary>Starts them in their order, after everything asked for so far.</summary>
    void Launch();
}
