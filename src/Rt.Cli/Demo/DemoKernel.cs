// The demo's look at a GPU kernel: the fused meta-gradient update as PTX on the simulator, beside the cpu device.
using Rt.Core;
using Rt.Cpu;
using Rt.Cuda;
using Rt.Eval;
using Rt.Gpu;
using Rt.Gpu.Simulator;
using Rt.Kernels;

namespace Rt.Cli.Demo;

/// <summary>What the update did on the simulator.</summary>
/// <param name="Kernel">The kernel.</param>
/// <param name="Counters">What it did.</param>
/// <param name="Cost">What it must do.</param>
/// <param name="Elements">Keys and values updated.</param>
/// <param name="DifferentElements">Kept and velocity elements whose bits differ from the cpu device's.</param>
internal sealed record DemoKernelResult(KernelEntry Kernel, LaunchCounters Counters, KernelCost Cost, long Elements, int DifferentElements);

/// <summary>Runs one update on two devices.</summary>
internal static class DemoKernel
{
    private const int KeyValueHeads = 2;
    private const int Length = 96;
    private const int HeadDim = 32;
    private const ulong Seed = 20230516;

    /// <summary>Runs it.</summary>
    public static DemoKernelResult Run()
    {
        using var cpu = new CpuDevice(CpuOptions.FromEnvironment());
        var launcher = new SimulatorLauncher();
        using var simulator = new GpuDevice(launcher, DType.F32);
        var expected = Update(cpu, () => { });
        var found = Update(simulator, launcher.ResetCounters);
        // The norms' second kernel is not part of the update.
        var (kernel, counters) = launcher.Counters.MaxBy(pair => pair.Value.GlobalBytesWritten);
        var elements = 2L * KeyValueHeads * Length * HeadDim;
        return new DemoKernelResult(
            kernel, counters, Kernels.AccumulateMetaGradient.Cost(elements, sizeof(float), 0, norms: false), elements,
            expected.Zip(found).Count(pair => !pair.First.Equals(pair.Second)));
    }

    private static float[] Update(IDevice device, Action beforeUpdate)
    {
        var random = new SeededRandom(Seed);
        var (current, kept, velocity) = (Layer(), Layer(), Layer());
        beforeUpdate();
        device.AccumulateMetaGradient(current, kept, velocity, new MetaGradientStep(0.01, 0.9, DType.F32), null);
        Tensor[] results = [kept.Key, kept.Value, velocity.Key, velocity.Value];
        return [.. results.SelectMany(tensor =>
        {
            var values = new float[tensor.Count];
            device.Download(tensor, values);
            return values;
        })];

        KvLayer Layer() => new(Numbers(), Numbers());

        Tensor Numbers()
        {
            var tensor = device.Allocate(DType.F32, KeyValueHeads, Length, HeadDim);
            var values = new double[tensor.Count];
            for (var i = 0; i < values.Length; i++)
            {
                values[i] = random.NextDouble() - 0.5;
            }

            device.Upload(values, tensor);
            return tensor;
        }
    }
}
