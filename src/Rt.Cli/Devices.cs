// Devices by name: which are in this build, and which are not and why.
using Rt.Core;
using Rt.Cpu;
using Rt.Cpu.Reference;

namespace Rt.Cli;

/// <summary>Opens devices.</summary>
internal static class Devices
{
    /// <summary>Names of the devices in this build, the default first.</summary>
    public static IReadOnlyList<string> Present { get; } = ["cpu", "reference"];

    /// <summary>Devices that this build does not have, and why.</summary>
    public static IReadOnlyList<(string Name, string Reason)> Absent { get; } =
        [("cuda", "not in this build"), ("simulator", "not in this build")];

    /// <summary>Opens a device.</summary>
    /// <param name="name">One of <see cref="Present"/>.</param>
    /// <param name="threads">Threads of the cpu device; null for its default.</param>
    /// <param name="batchInvariant">A row's bits do not depend on its batch.</param>
    /// <exception cref="DeviceException">There is no such device.</exception>
    /// <exception cref="UsageException">A setting that the device does not have.</exception>
    public static IDevice Open(string name, int? threads = null, bool batchInvariant = false)
    {
        switch (name)
        {
            case "cpu":
                var options = CpuOptions.FromEnvironment();
                return new CpuDevice(options with { Threads = threads ?? options.Threads, BatchInvariant = batchInvariant });
            case "reference":
                return threads is null or 1
                    ? new ReferenceDevice()
                    : throw new UsageException($"--threads {threads}: the reference device computes with one thread");
            default:
                var reason = Absent.FirstOrDefault(device => device.Name == name).Reason;
                throw new DeviceException($"device '{name}': {reason ?? "unknown"}; there are: {string.Join(", ", Present)}");
        }
    }
}
