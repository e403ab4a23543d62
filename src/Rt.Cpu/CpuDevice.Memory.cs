// Memory of the CPU device: tensors in host memory, weights used where they lie, values in and out.
// Conversions round to nearest even.
using Rt.Core;

namespace Rt.Cpu;

public sealed unsafe partial class CpuDevice
{
    /// <inheritdoc/>
    public Tensor Allocate(DType type, int dim0, int dim1, int dim2) => HostTensors.Allocate(type, dim0, dim1, dim2);

    /// <inheritdoc/>
    /// <remarks>F32, F16 and BF16 are used where they lie; F64 is rounded to an F32 copy that the device owns.</remarks>
    public Tensor Import(Tensor host)
    {
        if (host.DType is DType.F32 or DType.F16 or DType.BF16)
        {
            HostGuard.Weights(nameof(Import), host);
            return host;
        }

        if (host.DType != DType.F64 || host.Storage is not HostStorage)
        {
            throw new ShapeException($"Import: the cpu device does not compute with {host}");
        }

        var copy = HostTensors.Allocate(DType.F32, host.Dim0, host.Dim1, host.Dim2);
        _imported.Add(copy.Storage);
        _ops.Copy(host, copy);
        return copy;
    }

    /// <inheritdoc/>
    public void Upload(ReadOnlySpan<double> source, Tensor destination)
    {
        Guard.Length(source.Length, destination);
        var next = 0;
        for (var i = 0; i < destination.Dim0; i++)
        {
            for (var j = 0; j < destination.Dim1; j++)
            {
                for (var k = 0; k < destination.Dim2; k++)
                {
                    HostTensors.Store(
                        destination.HostPointer(), i * destination.Stride0 + j * destination.Stride1 + k, destination.DType, source[next++]);
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Download(Tensor source, Span<float> destination)
    {
        Guard.Length(destination.Length, source);
        var next = 0;
        for (var i = 0; i < source.Dim0; i++)
        {
            for (var j = 0; j < source.Dim1; j++)
            {
                var row = i * source.Stride0 + j * source.Stride1;
                if (source.DType == DType.F32)
                {
                    new ReadOnlySpan<float>((float*)source.HostPointer() + row, source.Dim2).CopyTo(destination[next..]);
                    next += source.Dim2;
                    continue;
                }

                for (var k = 0; k < source.Dim2; k++)
                {
                    destination[next++] = (float)HostTensors.Load(source.HostPointer(), row + k, source.DType);
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Download(Tensor source, Span<double> destination)
    {
        Guard.Length(destination.Length, source);
        var next = 0;
        for (var i = 0; i < source.Dim0; i++)
        {
            for (var j = 0; j < source.Dim1; j++)
            {
                for (var k = 0; k < source.Dim2; k++)
                {
                    destination[next++] = HostTensors.Load(source.HostPointer(), i * source.Stride0 + j * source.Stride1 + k, source.DType);
                }
            }
        }
    }
}
