// Checks of op arguments: shapes, dtypes and indices, before any kernel reads through an address.
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Rt.Core;

namespace Rt.Cuda;

[StackTraceHidden]
internal static class Guard
{
    /// <summary>Both have the same three sizes.</summary>
    public static void SameShape(string op, in Tensor a, in Tensor b)
    {
        if (a.Dim0 != b.Dim0 || a.Dim1 != b.Dim1 || a.Dim2 != b.Dim2)
        {
            Throw(op, a, b);
        }
    }

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

    /// <summary>A condition on two tensors holds.</summary>
    public static void Fits(string op, bool fits, in Tensor a, in Tensor b)
    {
        if (!fits)
        {
            Throw(op, a, b);
        }
    }

    /// <summary>Every index lies in [0, count).</summary>
    public static void Indices(string op, ReadOnlySpan<int> indices, int count, in Tensor tensor)
    {
        foreach (var index in indices)
        {
            if ((uint)index >= (uint)count)
            {
                throw new ShapeException($"{op}: index {index} is outside {tensor}");
            }
        }
    }

    /// <summary>[1, rows, columns].</summary>
    public static bool IsMatrix(in Tensor tensor, int rows, int columns) =>
        tensor.Dim0 == 1 && tensor.Dim1 == rows && tensor.Columns == columns;

    private static bool IsOf(GpuDevice device, in Tensor tensor) => tensor.Storage is GpuStorage storage && storage.IsOf(device);

    [DoesNotReturn]
    private static void Throw(string op, in Tensor a, in Tensor b) => throw new ShapeException($"{op}: {a} does not fit {b}");
}
