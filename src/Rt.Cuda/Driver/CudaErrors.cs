// Every result of the driver is checked; a failure names the call, the result and what was last started.
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Rt.Core;

namespace Rt.Cuda.Driver;

/// <summary>Turns results into errors.</summary>
/// <param name="driver">Knows the results' names.</param>
/// <param name="device">Name for messages: cuda, cuda:1.</param>
internal sealed class CudaErrors(ICudaDriver driver, string device)
{
    /// <summary>CUDA_ERROR_OUT_OF_MEMORY.</summary>
    public const int OutOfMemory = 2;

    /// <summary>CUDA_ERROR_NO_DEVICE.</summary>
    public const int NoDevice = 100;

    /// <summary>Name for messages.</summary>
    public string Device => device;

    /// <summary>The kernel started last: a fault is reported by a later call.</summary>
    public string? LastKernel { get; set; }

    /// <summary>Whether a call has failed: the context may be beyond use.</summary>
    public bool Failed { get; private set; }

    /// <summary>Throws unless the result is success.</summary>
    /// <exception cref="DeviceException">Names the call and the result.</exception>
    [StackTraceHidden]
    public void Check(int result, string call, string? about = null)
    {
        if (result != 0)
        {
            Throw(result, call, about);
        }
    }

    [DoesNotReturn]
    [StackTraceHidden]
    private void Throw(int result, string call, string? about)
    {
        Failed = true;
        var what = about is null ? "" : $" ({about})";
        var after = LastKernel is null ? "" : $"; the last kernel started was {LastKernel}";
        throw new DeviceException($"{device}: {call}{what}: {driver.ErrorName(result)}: {driver.ErrorString(result)}{after}");
    }
}
