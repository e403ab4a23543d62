// Checks of op arguments that only this device makes: dtypes and its own memory, before any kernel reads through an address.
using System.Diagnostics;
using Rt.Core;

namespace Rt.Cuda;

[StackTraceHidden]
internal static class GpuGuard
{
    /// <summary>Activations have the device's dtype and lie in its memory.</summary>
    public static void Activations(string op, GpuDevice device, in Tensor tensor)
    {
        if (tensor.DType != device.ActivationType || !IsOf(device, tensor))
        {
            throw new ShapeException(
                $"{op}: {tensor} is not {device.ActivationType} in the memory of this device, as its activations are");
        }
    }

    /// <summary>Weights are F32, F16 or BF16 in the device's memory.</summary>
    public static void Weights(string op, GpuDevice device, in Tensor tensor)
    {
        if (tensor.DType is not (DType.F32 or DType.F16 or DType.BF16) || !IsOf(device, tensor))
        {
            throw new ShapeException($"{op}: {tensor} is not F32, F16 or BF16 in the memory of this device, as its weights are");
        }
    }

    private static bool IsOf(GpuDevice device, in Tensor tensor) => tensor.Storage is GpuStorage storage && storage.IsOf(device);
}
