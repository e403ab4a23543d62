// Devices by name, and how each is opened: some only once the model's dtype is known.
using System.Globalization;
using Rt.Core;
using Rt.Cpu;
using Rt.Cpu.Reference;
using Rt.Cuda;
using Rt.Cuda.Driver;

namespace Rt.Cli;

/// <summary>What the options say about the device.</summary>
/// <param name="Threads">Threads of the cpu device and of the simulator; null for all processors.</param>
/// <param name="BatchInvariant">A row's bits do not depend on its batch.</param>
/// <param name="Activations">Dtype of activations on simulator and cuda; null for the model's.</param>
/// <param name="Tf32">Products of F32 activations on tensor cores.</param>
internal sealed record DeviceSettings(int? Threads = null, bool BatchInvariant = false, DType? Activations = null, bool Tf32 = false);

/// <summary>A device that was found; it is opened for a model's dtype.</summary>
internal interface IDeviceSource : IDisposable
{
    /// <summary>The device for weights of a dtype; owned by the source, which makes one per dtype of activations.</summary>
    IDevice For(DType weightType);
}

/// <summary>Finds devices.</summary>
internal static class Devices
{
    private const string Cuda = "cuda";
    private const string Simulator = "simulator";

    /// <summary>Names of the devices, the default first. cuda may carry a number: cuda:1.</summary>
    public static IReadOnlyList<string> Names { get; } = ["cpu", "reference", Simulator, Cuda];

    /// <summary>Finds a device.</summary>
    /// <param name="name">One of <see cref="Names"/>, or cuda:N.</param>
    /// <param name="settings">What the options say.</param>
    /// <exception cref="DeviceException">There is no such device, or it is absent from this machine.</exception>
    /// <exception cref="UsageException">A setting that the device does not have.</exception>
    public static IDeviceSource Find(string name, DeviceSettings? settings = null)
    {
        settings ??= new DeviceSettings();
        switch (name)
        {
            case "cpu":
                RefuseGpuSettings(name, "F32", settings);
                var options = CpuOptions.FromEnvironment();
                return new Ready(new CpuDevice(
                    options with { Threads = settings.Threads ?? options.Threads, BatchInvariant = settings.BatchInvariant }));
            case "reference":
                RefuseGpuSettings(name, "F64", settings);
                return settings.Threads is null or 1
                    ? new Ready(new ReferenceDevice())
                    : throw new UsageException($"--threads {settings.Threads}: the reference device computes with one thread");
            case Simulator:
                return new Launching(
                    new SimulatorLauncher(new Gpu.Simulator.SimulatorOptions { Threads = settings.Threads ?? 0 }), settings);
            default:
                if (Ordinal(name) is not { } ordinal)
                {
                    throw new DeviceException($"device '{name}': unknown; there are: {string.Join(", ", Names)} (cuda:1 is the second GPU)");
                }

                return settings.Threads is null
                    ? new Launching(CudaLauncher.Open(ordinal), settings)
                    : throw new UsageException($"--threads {settings.Threads}: the {name} device does not compute with threads of the processor");
        }
    }

    /// <summary>Opens a device for weights of a dtype; disposing it closes everything.</summary>
    public static IDevice Open(string name, DeviceSettings settings, DType weightType) => Find(name, settings) switch
    {
        Launching found => found.Only(weightType),
        var found => found.For(weightType),
    };

    /// <summary>The launcher behind a device, where kernels run on it.</summary>
    /// <exception cref="DeviceException">It is absent.</exception>
    /// <exception cref="UsageException">It runs no kernels.</exception>
    public static ILauncher Launcher(string name, DeviceSettings? settings = null) => name switch
    {
        Simulator => new SimulatorLauncher(new Gpu.Simulator.SimulatorOptions { Threads = settings?.Threads ?? 0 }),
        _ => Ordinal(name) is { } ordinal
            ? CudaLauncher.Open(ordinal)
            : throw new UsageException($"--device {name}: expected a device that runs kernels: simulator, cuda or cuda:N"),
    };

    /// <summary>The GPUs of this machine, or why there are none.</summary>
    public static (IReadOnlyList<CudaDeviceInfo> Gpus, string? Absent) Gpus()
    {
        try
        {
            return (CudaDeviceInfo.List(), null);
        }
        catch (DeviceException e)
        {
            return ([], e.Message);
        }
    }

    /// <summary>Dtype of activations for weights of a dtype: half-precision models compute in theirs, all others in F32.</summary>
    public static DType Activations(DeviceSettings settings, DType weightType) =>
        settings.Activations ?? (weightType is DType.BF16 or DType.F16 ? weightType : DType.F32);

    private static int? Ordinal(string name) =>
        name == Cuda ? 0
        : name.StartsWith($"{Cuda}:", StringComparison.Ordinal)
            && int.TryParse(name[(Cuda.Length + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var ordinal) ? ordinal
        : null;

    private static void RefuseGpuSettings(string name, string type, DeviceSettings settings)
    {
        if (settings.Activations is { } asked)
        {
            throw new UsageException($"--activations {asked.ToString().ToLowerInvariant()}: the {name} device computes in {type}");
        }

        if (settings.Tf32)
        {
            throw new UsageException($"--tf32: the {name} device has no tensor cores");
        }
    }

    /// <summary>A device that does not depend on the model.</summary>
    private sealed class Ready(IDevice device) : IDeviceSource
    {
        public IDevice For(DType weightType) => device;

        public void Dispose() => device.Dispose();
    }

    /// <summary>A launcher, and the devices over it, one per dtype of activations.</summary>
    private sealed class Launching(ILauncher launcher, DeviceSettings settings) : IDeviceSource
    {
        private readonly Dictionary<DType, GpuDevice> _devices = [];

        private GpuOptions Options => new(settings.BatchInvariant, settings.Tf32);

        public IDevice For(DType weightType)
        {
            var type = Activations(settings, weightType);
            if (!_devices.TryGetValue(type, out var device))
            {
                device = new GpuDevice(launcher, type, Options, ownsLauncher: false);
                _devices.Add(type, device);
            }

            return device;
        }

        /// <summary>A device that closes the launcher when disposed.</summary>
        public GpuDevice Only(DType weightType) => new(launcher, Activations(settings, weightType), Options);

        public void Dispose()
        {
            foreach (var device in _devices.Values)
            {
                device.Dispose();
            }

            launcher.Dispose();
        }
    }
}
