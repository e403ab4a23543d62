// Checks of op arguments: shapes, dtypes and indices, before any kernel reads through a pointer.
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Rt.Core;

namespace Rt.Cpu;

[StackTraceHidden]
internal static class Guard
{
    /// <summary>Both have the same three sizes.</summary>
    public static void SameShape(string op, Tensor a, Tensor b)
    {
        if (a.Dim0 != b.Dim0 || a.Dim1 != b.Dim1 || a.Dim2 != b.Dim2)
        {
            Throw(op, a, b);
        }
    }

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

    /// <summary>A condition on two tensors holds.</summary>
    public static void Fits(string op, bool fits, Tensor a, Tensor b)
    {
        if (!fits)
        {
            Throw(op, a, b);
        }
    }

    /// <summary>Every index lies in [0, count).</summary>
    public static void Indices(string op, ReadOnlySpan<int> indices, int count, Tensor tensor)
    {
        foreach (var index in indices)
        {
            if ((uint)index >= (uint)count)
            {
                throw new ShapeException($"{op}: index {index} is outside {tensor}");
            }
        }
    }

    [DoesNotReturn]
    private static void Throw(string op, Tensor a, Tensor b) => throw new ShapeException($"{op}: {a} does not fit {b}");
}
