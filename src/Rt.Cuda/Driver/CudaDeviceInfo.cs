// Facts about the GPUs that the driver shows.
// Source: NVIDIA, CUDA Driver API reference, device management.
using System.Globalization;
using System.Text;
using Rt.Core;

namespace Rt.Cuda.Driver;

/// <summary>A GPU.</summary>
/// <param name="Ordinal">As the driver counts them, after CUDA_VISIBLE_DEVICES.</param>
/// <param name="Name">Product name.</param>
/// <param name="Major">Compute capability, major.</param>
/// <param name="Minor">Compute capability, minor.</param>
/// <param name="Multiprocessors">Multiprocessors.</param>
/// <param name="MaxSharedBytes">Most shared bytes of a group.</param>
/// <param name="CacheBytes">Bytes of the second-level cache.</param>
/// <param name="MemoryBytes">Bytes of memory.</param>
public sealed record CudaDeviceInfo(
    int Ordinal, string Name, int Major, int Minor, int Multiprocessors, int MaxSharedBytes, int CacheBytes, long MemoryBytes)
{
    /// <summary>The best architecture it runs, or null where it is too old.</summary>
    public string? Target => Targets.Best(Major, Minor);

    /// <summary>All GPUs that the driver shows.</summary>
    /// <exception cref="DeviceException">There is no driver or no GPU.</exception>
    public static IReadOnlyList<CudaDeviceInfo> List()
    {
        var driver = CudaDriver.Open();
        return [.. Enumerable.Range(0, Count(driver)).Select(ordinal => Read(driver, ordinal))];
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Name}, compute capability {Major}.{Minor}, {Multiprocessors} multiprocessors, {MemoryBytes / 1e9:F1} GB");

    internal static CudaDeviceInfo Read(ICudaDriver driver, int ordinal)
    {
        var count = Count(driver);
        if (ordinal < 0 || ordinal >= count)
        {
            var visible = Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES");
            var limit = visible is null ? "" : $" (CUDA_VISIBLE_DEVICES={visible})";
            throw new DeviceException($"cuda:{ordinal}: the driver shows {count} {(count == 1 ? "GPU" : "GPUs")}{limit}");
        }

        var errors = new CudaErrors(driver, $"cuda:{ordinal}");
        errors.Check(driver.DeviceGet(out var device, ordinal), "cuDeviceGet");
        var name = new byte[256];
        errors.Check(driver.DeviceGetName(name, device), "cuDeviceGetName");
        errors.Check(driver.DeviceTotalMem(out var memory, device), "cuDeviceTotalMem");
        var length = Array.IndexOf(name, (byte)0);
        return new CudaDeviceInfo(
            ordinal,
            Encoding.UTF8.GetString(name, 0, length < 0 ? name.Length : length),
            Attribute(DeviceAttribute.ComputeCapabilityMajor),
            Attribute(DeviceAttribute.ComputeCapabilityMinor),
            Attribute(DeviceAttribute.MultiprocessorCount),
            Attribute(DeviceAttribute.MaxSharedBytesPerBlockOptIn),
            Attribute(DeviceAttribute.L2CacheBytes),
            (long)memory);

        int Attribute(DeviceAttribute attribute)
        {
            errors.Check(driver.DeviceGetAttribute(out var value, attribute, device), "cuDeviceGetAttribute", attribute.ToString());
            return value;
        }
    }

    private static int Count(ICudaDriver driver)
    {
        var errors = new CudaErrors(driver, "cuda");
        var result = driver.Init();
        if (result == CudaErrors.NoDevice)
        {
            throw new DeviceException("cuda: the NVIDIA driver finds no GPU");
        }

        errors.Check(result, "cuInit");
        errors.Check(driver.DeviceGetCount(out var count), "cuDeviceGetCount");
        return count > 0 ? count : throw new DeviceException("cuda: the NVIDIA driver shows no GPU");
    }
}
