// Checks of op arguments that only this device makes: dtypes and host memory, before any kernel reads through a pointer.
using System.Diagnostics;
using Rt.Core;

namespace Rt.Cpu;

[StackTraceHidden]
internal static class HostGuard
{
    /// <summary>Activations are F32 in host memory.</summary>
    public static void Activations(string op, Tensor tensor)
    {
        if (tensor.DType != DType.F32 || tensor.Storage is not HostStorage)
        {
            throw new ShapeException($"{op}: {tensor} is not an F32 tensor in host memory, as activations of the cpu device are");
        }
    }

    /// <summary>Weights are F32, F16 or BF16 in host memory.</summary>
    public static void Weights(string op, Tensor tensor)
    {
        if (tensor.DType is not (DType.F32 or DType.F16 or DType.BF16) || tensor.Storage is not HostStorage)
        {
            throw new ShapeException($"{op}: {tensor} is not an F32, F16 or BF16 tensor in host memory, as weights of the cpu device are");
        }
    }
}
