// Times of ops on a device that launches kernels: by the device's clock, warmed up, over several sets of operands, medians.
using Rt.Core;
using Rt.Kernels;

namespace Rt.Cuda.Workloads;

/// <summary>What a GPU reaches at best, measured on it.</summary>
/// <param name="CopyBytesPerSecond">Bytes read and written per second by a copy on the device.</param>
/// <param name="MatrixFlopsPerSecond">Operations per second of matrix instructions in the half-precision types, operands in registers.</param>
/// <param name="FloatFlopsPerSecond">Operations per second of fused multiply-adds in F32.</param>
public sealed record GpuLimits(double CopyBytesPerSecond, double MatrixFlopsPerSecond, double FloatFlopsPerSecond);

/// <summary>Times of one op at one shape.</summary>
/// <param name="Op">The op.</param>
/// <param name="Sizes">Its sizes.</param>
/// <param name="Activations">Dtype of activations and weights.</param>
/// <param name="Run">What one run must move and compute.</param>
/// <param name="Kernels">The kernels of one run.</param>
/// <param name="Microseconds">One per sample: the mean of the sample's runs.</param>
/// <param name="Sets">Sets of operands that the runs went through.</param>
public sealed record KernelTiming(
    string Op, WorkloadSizes Sizes, DType Activations, WorkloadRun Run, IReadOnlyList<string> Kernels, double[] Microseconds, int Sets)
{
    /// <summary>The median sample.</summary>
    public double MedianMicroseconds
    {
        get
        {
            var sorted = Microseconds.Order().ToArray();
            return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[sorted.Length / 2 - 1] + sorted[sorted.Length / 2]) / 2;
        }
    }

    /// <summary>Bytes that the run must move, per second.</summary>
    public double BytesPerSecond => Run.Cost.Bytes / (MedianMicroseconds * 1e-6);

    /// <summary>Operations that the run must do, per second.</summary>
    public double FlopsPerSecond => Run.Cost.Flops / (MedianMicroseconds * 1e-6);
}

/// <summary>Times ops on one device.</summary>
/// <param name="device">The device.</param>
public sealed class KernelBench(GpuDevice device)
{
    // More than the second-level caches hold, so that operands come from memory.
    private const long CacheBytes = 256 << 20;
    private const int MostSets = 16;
    private const double SampleMs = 3;
    private const int MostRuns = 2000;

    private ILauncher Launcher => device.Launcher;

    /// <summary>Times an op.</summary>
    /// <param name="workload">The op.</param>
    /// <param name="sizes">Its sizes.</param>
    /// <param name="samples">Samples taken.</param>
    /// <param name="cancellation">Noticed between samples.</param>
    public KernelTiming Measure(OpWorkload workload, WorkloadSizes sizes, int samples, CancellationToken cancellation = default)
    {
        var simulated = Launcher is SimulatorLauncher;
        var planned = Plan(workload, sizes, device.ActivationType, device.Options, Launcher.Target, Launcher.Multiprocessors);
        var cost = planned.Run.Cost;
        var sets = simulated ? 1 : (int)Math.Clamp(CacheBytes / Math.Max(1, cost.Bytes) + 1, 1, MostSets);
        using var prepared = workload.Prepare(device, sizes, sets);
        using var graph = device.Record(RunAll);
        Action pass = graph is null ? RunAll : graph.Launch;
        pass();
        Launcher.Synchronize();
        var passMs = Launcher.Measure(pass);
        var passes = simulated ? 1 : (int)Math.Clamp(SampleMs / Math.Max(passMs, 1e-3), 1, MostRuns);
        var times = new double[simulated ? Math.Min(samples, 3) : samples];
        for (var i = 0; i < times.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            times[i] = 1e3 / (passes * sets) * Launcher.Measure(() =>
            {
                for (var run = 0; run < passes; run++)
                {
                    pass();
                }
            });
        }

        return new KernelTiming(workload.Op, sizes, device.ActivationType, prepared.Runs[0], planned.Kernels, times, sets);

        void RunAll()
        {
            foreach (var run in prepared.Runs)
            {
                run.Run();
            }
        }
    }

    /// <summary>The kernels that an op takes on an architecture, without a GPU.</summary>
    /// <param name="workload">The op.</param>
    /// <param name="sizes">Its sizes.</param>
    /// <param name="activations">Dtype of activations and weights.</param>
    /// <param name="options">Options of the device.</param>
    /// <param name="target">Architecture.</param>
    /// <param name="multiprocessors">Multiprocessors.</param>
    public static (WorkloadRun Run, IReadOnlyList<string> Kernels) Plan(
        OpWorkload workload, WorkloadSizes sizes, DType activations, GpuOptions options, string target, int multiprocessors)
    {
        var launcher = new PlanLauncher(target, multiprocessors);
        using var planned = new GpuDevice(launcher, activations, options);
        using var prepared = workload.Prepare(planned, sizes);
        launcher.Reset();
        prepared.Runs[0].Run();
        return (prepared.Runs[0], [.. launcher.Launches.Select(launch => launch.Entry.Name)]);
    }

    /// <summary>Measures what the GPU reaches at best; null on the simulator, whose time is the host's.</summary>
    public GpuLimits? Limits()
    {
        if (Launcher is SimulatorLauncher)
        {
            return null;
        }

        const long Bytes = 1L << 29;
        using var scratch = device.NewStorage(2 * Bytes);
        var copy = Best(() => Launcher.Copy(scratch.Address, scratch.Address + Bytes, Bytes));
        var groups = 8 * Launcher.Multiprocessors;
        var destination = new Tensor(scratch, DType.F32, 0, 1, groups, PeakRate.GroupSize);
        var matrix = Best(() => device.Start(PeakRateEntries.Matrix).Add(destination).Add(Turns).Run(groups));
        var fma = Best(() => device.Start(PeakRateEntries.Float).Add(destination).Add(Turns).Run(groups));
        return new GpuLimits(
            2 * Bytes / copy, PeakRate.MatrixFlops(groups, Turns) / matrix, PeakRate.FloatFlops(groups, Turns) / fma);

        double Best(Action work)
        {
            var seconds = double.PositiveInfinity;
            for (var i = 0; i < 10; i++)
            {
                seconds = Math.Min(seconds, 1e-3 * Launcher.Measure(work));
            }

            return seconds;
        }
    }

    private const int Turns = 4096;

    /// <summary>The probes' entries, found when first needed.</summary>
    private static class PeakRateEntries
    {
        public static readonly Gpu.KernelEntry Matrix = KernelCatalog.Find("MatrixPeakKernel", typeof(Gpu.BFloat16));

        public static readonly Gpu.KernelEntry Float = KernelCatalog.Find("FloatPeakKernel");
    }
}
