// Tests that need an NVIDIA GPU, skipped with a reason where there is none.
using Rt.Cuda.Driver;

namespace Rt.Cuda.Tests;

/// <summary>Whether there is a GPU that kernels run on.</summary>
internal static class CudaPresence
{
    /// <summary>Why there is none; null where there is one.</summary>
    public static string? Absence { get; } = Find();

    private static string? Find()
    {
        try
        {
            return CudaDeviceInfo.List()[0] is { Target: null } old ? $"{old}: older than compute capability 8.0" : null;
        }
        catch (DeviceException e)
        {
            return e.Message;
        }
    }
}

/// <summary>A fact about the cuda device.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class CudaFactAttribute : FactAttribute
{
    public CudaFactAttribute() => Skip = CudaPresence.Absence;
}

/// <summary>A theory about the cuda device.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class CudaTheoryAttribute : TheoryAttribute
{
    public CudaTheoryAttribute() => Skip = CudaPresence.Absence;
}
