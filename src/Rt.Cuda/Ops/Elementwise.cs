// Activate, Gate, Add, SoftCap and Copy on the GPU device: one thread per 16 bytes of a row.
// Rows without gaps between them are taken as one long row.
using Rt.Core;
using Rt.Kernels;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void Activate(Tensor x, Activation activation, Tensor destination)
    {
        GpuGuard.Activations(nameof(Activate), this, x);
        GpuGuard.Activations(nameof(Activate), this, destination);
        Guard.SameShape(nameof(Activate), x, destination);
        var unused = x;
        MergeRows(ref x, ref destination, ref unused);
        var count = Chunk(ActivationType, ActivationType);
        Start(Kernel(nameof(Kernels.Activate.ActivateKernel), ActivationElement, ElementOf(activation)))
            .AddRows(x).AddRows(destination).Add(x.Dim1).Add(x.Rows).Add(x.Columns).Add(IsAligned(x, count) && IsAligned(destination, count))
            .Run(Groups(x.Columns, Elementwise.GroupSize * count), Math.Min(x.Rows, MostRowGroups));
    }

    /// <inheritdoc/>
    public void Gate(Tensor gate, Tensor up, Activation activation, Tensor destination)
    {
        GpuGuard.Activations(nameof(Gate), this, gate);
        GpuGuard.Activations(nameof(Gate), this, up);
        GpuGuard.Activations(nameof(Gate), this, destination);
        Guard.SameShape(nameof(Gate), gate, up);
        Guard.SameShape(nameof(Gate), gate, destination);
        MergeRows(ref gate, ref up, ref destination);
        var count = Chunk(ActivationType, ActivationType);
        Start(Kernel(nameof(Kernels.Gate.GateKernel), ActivationElement, ElementOf(activation)))
            .AddRows(gate).AddRows(up).AddRows(destination).Add(gate.Dim1).Add(gate.Rows).Add(gate.Columns)
            .Add(IsAligned(gate, count) && IsAligned(up, count) && IsAligned(destination, count))
            .Run(Groups(gate.Columns, Elementwise.GroupSize * count), Math.Min(gate.Rows, MostRowGroups));
    }

    /// <inheritdoc/>
    public void Add(Tensor x, Tensor y, Tensor destination)
    {
        GpuGuard.Activations(nameof(Add), this, x);
        GpuGuard.Activations(nameof(Add), this, y);
        GpuGuard.Activations(nameof(Add), this, destination);
        Guard.SameShape(nameof(Add), x, y);
        Guard.SameShape(nameof(Add), x, destination);
        MergeRows(ref x, ref y, ref destination);
        var count = Chunk(ActivationType, ActivationType);
        Start(Kernel(nameof(Kernels.Add.AddKernel), ActivationElement))
            .AddRows(x).AddRows(y).AddRows(destination).Add(x.Dim1).Add(x.Rows).Add(x.Columns)
            .Add(IsAligned(x, count) && IsAligned(y, count) && IsAligned(destination, count))
            .Run(Groups(x.Columns, Elementwise.GroupSize * count), Math.Min(x.Rows, MostRowGroups));
    }

    /// <inheritdoc/>
    public void SoftCap(Tensor x, double cap)
    {
        GpuGuard.Activations(nameof(SoftCap), this, x);
        var unused = x;
        var unusedToo = x;
        MergeRows(ref x, ref unused, ref unusedToo);
        var count = Chunk(ActivationType, ActivationType);
        Start(Kernel(nameof(Kernels.SoftCap.SoftCapKernel), ActivationElement))
            .AddRows(x).Add((float)cap).Add(x.Dim1).Add(x.Rows).Add(x.Columns).Add(IsAligned(x, count))
            .Run(Groups(x.Columns, Elementwise.GroupSize * count), Math.Min(x.Rows, MostRowGroups));
    }

    /// <inheritdoc/>
    public void Copy(Tensor source, Tensor destination)
    {
        GpuGuard.Weights(nameof(Copy), this, source);
        GpuGuard.Weights(nameof(Copy), this, destination);
        Guard.SameShape(nameof(Copy), source, destination);
        var unused = source;
        MergeRows(ref source, ref destination, ref unused);
        var count = Chunk(source.DType, destination.DType);
        Start(Kernel(nameof(Kernels.Copy.CopyKernel), ElementOf(source.DType), ElementOf(destination.DType)))
            .AddRows(source).AddRows(destination).Add(source.Dim1).Add(source.Rows).Add(source.Columns)
            .Add(IsAligned(source, count) && IsAligned(destination, count))
            .Run(Groups(source.Columns, Elementwise.GroupSize * count), Math.Min(source.Rows, MostRowGroups));
    }

    /// <summary>Type argument of kernels for an activation function.</summary>
    private static Type ElementOf(Activation activation) => activation switch
    {
        Activation.Relu => typeof(Relu),
        Activation.Silu => typeof(Silu),
        Activation.Gelu => typeof(Gelu),
        Activation.GeluTanh => typeof(GeluTanh),
        _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "unknown activation"),
    };
}
