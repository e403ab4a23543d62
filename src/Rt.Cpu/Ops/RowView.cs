// The rows of an F32 tensor [a, b, width] by one index.
using System.Runtime.CompilerServices;
using Rt.Core;

namespace Rt.Cpu;

/// <summary>Address and strides of an F32 tensor in host memory.</summary>
internal readonly unsafe struct RowView
{
    private readonly float* _first;
    private readonly long _stride0, _stride1;
    private readonly int _dim1;

    public RowView(Tensor tensor)
    {
        _first = (float*)tensor.HostPointer();
        _stride0 = tensor.Stride0;
        _stride1 = tensor.Stride1;
        _dim1 = tensor.Dim1;
    }

    /// <summary>The row at [index / b, index % b].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float* Row(int index)
    {
        var (slow, fast) = Math.DivRem(index, _dim1);
        return _first + slow * _stride0 + fast * _stride1;
    }

    /// <summary>The row at [slow, fast].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float* Row(int slow, int fast) => _first + slow * _stride0 + fast * _stride1;
}
