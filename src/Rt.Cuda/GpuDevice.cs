// The device that launches kernels, over the CUDA driver or the simulator.
// This file holds what ops start from; GpuDevice.Memory.cs memory; the ops are under Ops/, one per file.
using Rt.Core;
using Rt.Gpu;

namespace Rt.Cuda;

/// <summary>Computes by kernels. Calls come from one thread at a time.</summary>
/// <remarks>The same call gives the same bits on every run. Work is asked for in order and done later; downloads wait for it.</remarks>
public sealed partial class GpuDevice : IDevice
{
    private readonly ILauncher _launcher;
    private readonly bool _ownsLauncher;
    private readonly KernelLaunch _launch;
    private readonly ScratchSpace _scratch;
    private readonly LaunchRecorder _recorder;

    /// <param name="launcher">Runs the kernels.</param>
    /// <param name="activationType">F32, BF16 or F16: dtype of activations, keys and values.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="ownsLauncher">Disposes the launcher with the device; else several devices may share it.</param>
    /// <exception cref="UsageException">Another dtype.</exception>
    public GpuDevice(ILauncher launcher, DType activationType, GpuOptions? options = null, bool ownsLauncher = true)
    {
        if (activationType is not (DType.F32 or DType.BF16 or DType.F16))
        {
            throw new UsageException($"{launcher.Name}: expected activations in F32, BF16 or F16, found {activationType}");
        }

        _launcher = launcher;
        _ownsLauncher = ownsLauncher;
        ActivationType = activationType;
        Options = options ?? new GpuOptions();
        _launch = new KernelLaunch(this);
        _scratch = new ScratchSpace(this);
        _recorder = new LaunchRecorder(launcher) { Flushed = () => _indicesUsed = 0 };
    }

    /// <summary>What the device was made with.</summary>
    public GpuOptions Options { get; }

    /// <inheritdoc/>
    public string Name => _launcher.Name;

    /// <inheritdoc/>
    public string Description =>
        $"{_launcher.Description}, {ActivationType} activations{(Options.Tf32 ? ", tf32 products" : "")}{(Options.BatchInvariant ? ", batch-invariant" : "")}";

    /// <inheritdoc/>
    public DType ActivationType { get; }

    /// <inheritdoc/>
    public DType MasterType => DType.F32;

    /// <summary>What runs the kernels.</summary>
    internal ILauncher Launcher => _launcher;

    /// <summary>Type argument of kernels for activations.</summary>
    internal Type ActivationElement => ElementOf(ActivationType);

    /// <summary>Type argument of kernels for a dtype.</summary>
    /// <exception cref="ShapeException">Kernels do not compute with it.</exception>
    internal static Type ElementOf(DType type) => type switch
    {
        DType.F32 => typeof(float),
        DType.F16 => typeof(Half),
        DType.BF16 => typeof(BFloat16),
        DType.F64 => typeof(double),
        _ => throw new ShapeException($"kernels do not compute with {type}"),
    };

    /// <summary>Begins a launch: add the arguments in order, then run it.</summary>
    internal KernelLaunch Start(KernelEntry entry) => _launch.Begin(entry);

    /// <summary>Memory for the op that asks, until disposed.</summary>
    internal Scratch Scratch() => new(_scratch);

    /// <summary>Starts a kernel.</summary>
    internal void Launch(KernelEntry entry, GridSize grid, int sharedBytes, ReadOnlySpan<byte> arguments)
    {
        if (_recorder.IsRecording)
        {
            _recorder.Launch(entry, grid, sharedBytes, arguments);
        }
        else
        {
            _launcher.Launch(entry, grid, sharedBytes, arguments);
        }
    }

    /// <summary>Groups of <paramref name="size"/> that cover <paramref name="count"/> elements.</summary>
    internal static int Groups(long count, int size) => checked((int)((count + size - 1) / size));

    /// <summary>Stretches of launches started one by one, and as graphs, in <see cref="Repeat"/>.</summary>
    internal (long Launched, long Replayed) Sections => (_recorder.SectionsLaunched, _recorder.SectionsReplayed);

    /// <inheritdoc/>
    /// <remarks>Launches are deferred to the end of the work, or to the next value that is read or written in between. Where they equal
    /// launches that were seen before, arguments included, a recorded graph of them is started.</remarks>
    public void Repeat<TState>(TState state, Action<TState> work)
    {
        if (!Options.Graphs)
        {
            work(state);
            return;
        }

        _recorder.Enter();
        try
        {
            work(state);
        }
        catch
        {
            _recorder.Abandon();
            throw;
        }

        _recorder.Leave();
    }

    /// <summary>Makes a graph of work without starting it; null where the work reads values back or writes them in between, and is then done.</summary>
    internal ILaunchGraph? Record(Action work)
    {
        var launched = _recorder.SectionsLaunched + _recorder.SectionsReplayed;
        _recorder.Enter();
        try
        {
            work();
        }
        catch
        {
            _recorder.Abandon();
            throw;
        }

        if (_recorder.SectionsLaunched + _recorder.SectionsReplayed > launched)
        {
            _recorder.Leave();
            return null;
        }

        return _recorder.LeaveWithGraph();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _recorder.Dispose();
        _scratch.Release();
        ReleaseMemory();
        if (_ownsLauncher)
        {
            _launcher.Dispose();
        }
    }
}
