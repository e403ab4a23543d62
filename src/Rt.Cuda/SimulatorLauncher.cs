// The launcher over the simulator: the PTX that a GPU would run, executed on the CPU with every access checked.
using System.Diagnostics;
using Rt.Core;
using Rt.Gpu;
using Rt.Gpu.Simulator;

namespace Rt.Cuda;

/// <summary>Runs kernels in the simulator; a fault of a kernel is a <see cref="DeviceException"/> that names instruction, source line and thread.</summary>
/// <remarks>Launches are done when they return. What they did is counted per entry.</remarks>
public sealed class SimulatorLauncher : ILauncher
{
    private readonly SimulatedGpu _gpu;
    private readonly Dictionary<KernelEntry, PtxModule> _modules = [];
    private readonly Dictionary<KernelEntry, LaunchCounters> _counters = [];
    private Graph? _capture;

    /// <param name="options">Memory, threads, seed; null for the defaults.</param>
    /// <param name="multiprocessors">Multiprocessors that launches are shaped for; 132 as an H100 has.</param>
    /// <param name="target">Best architecture whose kernels are chosen.</param>
    public SimulatorLauncher(SimulatorOptions? options = null, int multiprocessors = 132, string target = "sm_90a")
    {
        _gpu = new SimulatedGpu(options);
        Multiprocessors = multiprocessors;
        Target = target;
    }

    /// <inheritdoc/>
    public string Name => "simulator";

    /// <inheritdoc/>
    public string Description => $"simulator of {Target}, {Threads} {(Threads == 1 ? "thread" : "threads")}, every access checked";

    /// <inheritdoc/>
    public string Target { get; }

    /// <inheritdoc/>
    public int Multiprocessors { get; }

    /// <inheritdoc/>
    public int MaxSharedBytes => _gpu.Options.MaxSharedBytes;

    /// <summary>What launches did so far, per entry.</summary>
    public IReadOnlyDictionary<KernelEntry, LaunchCounters> Counters => _counters;

    private int Threads => _gpu.Options.Threads > 0 ? _gpu.Options.Threads : Environment.ProcessorCount;

    /// <summary>Counts from zero again.</summary>
    public void ResetCounters() => _counters.Clear();

    /// <inheritdoc/>
    public long Allocate(long bytes) => Checked(bytes, (gpu, count) => gpu.Allocate(count));

    /// <inheritdoc/>
    public void Free(long address) => Checked(address, (gpu, start) => gpu.Free(start));

    /// <inheritdoc/>
    public void Upload(ReadOnlySpan<byte> source, long address)
    {
        try
        {
            _gpu.Upload(source, address);
        }
        catch (SimulatorException e)
        {
            throw Fault(e);
        }
    }

    /// <inheritdoc/>
    public void Download(long address, Span<byte> destination)
    {
        try
        {
            _gpu.Download(address, destination);
        }
        catch (SimulatorException e)
        {
            throw Fault(e);
        }
    }

    /// <inheritdoc/>
    public void Copy(long source, long destination, long bytes) =>
        Do((source, destination, bytes), (gpu, copy) => gpu.Copy(copy.source, copy.destination, copy.bytes));

    /// <inheritdoc/>
    public void Clear(long address, long bytes) => Do((address, bytes), (gpu, range) => gpu.Clear(range.address, range.bytes));

    /// <inheritdoc/>
    public void Forget(long address, long bytes) => Do((address, bytes), (gpu, range) => gpu.MarkUnwritten(range.address, range.bytes));

    /// <inheritdoc/>
    public void Launch(KernelEntry entry, GridSize grid, int dynamicSharedBytes, ReadOnlySpan<byte> arguments)
    {
        if (_capture is { } graph)
        {
            var copy = arguments.ToArray();
            graph.Add(() => Run(entry, grid, dynamicSharedBytes, copy));
            return;
        }

        Run(entry, grid, dynamicSharedBytes, arguments);
    }

    /// <inheritdoc/>
    public void Synchronize()
    {
    }

    /// <inheritdoc/>
    public ILaunchGraph Capture(Action launches)
    {
        var graph = new Graph();
        _capture = graph;
        try
        {
            launches();
        }
        finally
        {
            _capture = null;
        }

        return graph;
    }

    /// <inheritdoc/>
    public double Measure(Action launches)
    {
        var clock = Stopwatch.StartNew();
        launches();
        return clock.Elapsed.TotalMilliseconds;
    }

    /// <inheritdoc/>
    public void Dispose() => _gpu.Dispose();

    private void Run(KernelEntry entry, GridSize grid, int dynamicSharedBytes, ReadOnlySpan<byte> arguments)
    {
        if (!Targets.Runs(entry.Target, Target))
        {
            throw new DeviceException($"simulator: {entry.Name} is compiled for {entry.Target}, the simulator stands for {Target}");
        }

        try
        {
            if (!_modules.TryGetValue(entry, out var module))
            {
                _modules.Add(entry, module = PtxModule.Parse(entry.PtxText));
            }

            var counters = _gpu.Launch(module, entry.Name, grid.X, grid.Y, grid.Z, dynamicSharedBytes, arguments);
            if (!_counters.TryGetValue(entry, out var sum))
            {
                _counters.Add(entry, sum = new LaunchCounters());
            }

            sum.Add(counters);
        }
        catch (SimulatorException e)
        {
            throw new DeviceException($"simulator: {entry.Name}: {e.Message}", e);
        }
    }

    private void Do<T>(T arguments, Action<SimulatedGpu, T> action)
    {
        if (_capture is { } graph)
        {
            graph.Add(() => Checked(arguments, action));
            return;
        }

        Checked(arguments, action);
    }

    private void Checked<T>(T arguments, Action<SimulatedGpu, T> action)
    {
        try
        {
            action(_gpu, arguments);
        }
        catch (SimulatorException e)
        {
            throw Fault(e);
        }
    }

    private long Checked(long argument, Func<SimulatedGpu, long, long> function)
    {
        try
        {
            return function(_gpu, argument);
        }
        catch (SimulatorException e)
        {
            throw Fault(e);
        }
    }

    private static DeviceException Fault(SimulatorException e) => new($"simulator: {e.Message}", e);

    /// <summary>Recorded work, done again with the arguments it was recorded with.</summary>
    private sealed class Graph : ILaunchGraph
    {
        private readonly List<Action> _work = [];

        public void Add(Action work) => _work.Add(work);

        public void Launch() => _work.ForEach(work => work());

        public void Dispose() => _work.Clear();
    }
}
