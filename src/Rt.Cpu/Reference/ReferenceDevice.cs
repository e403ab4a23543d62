// The reference device: every op as its formula, scalar, in float64. It judges all the others.
using Rt.Core;

namespace Rt.Cpu.Reference;

/// <summary>Scalar device in float64 throughout; slow on purpose and simple enough to be checked by eye.</summary>
public sealed unsafe partial class ReferenceDevice : IDevice
{
    /// <inheritdoc/>
    public string Name => "reference";

    /// <inheritdoc/>
    public string Description => "reference: scalar, float64, 1 thread";

    /// <inheritdoc/>
    public DType ActivationType => DType.F64;

    /// <inheritdoc/>
    public Tensor Allocate(DType type, int dim0, int dim1, int dim2) => HostTensors.Allocate(type, dim0, dim1, dim2);

    /// <inheritdoc/>
    public Tensor Import(Tensor host)
    {
        host.HostPointer();
        return host;
    }

    /// <inheritdoc/>
    public void Upload(ReadOnlySpan<double> source, Tensor destination)
    {
        var to = new View(destination);
        RequireCount(destination, source.Length);
        for (var i = 0; i < source.Length; i++)
        {
            to.SetLinear(i, source[i]);
        }
    }

    /// <inheritdoc/>
    public void Download(Tensor source, Span<float> destination)
    {
        var from = new View(source);
        RequireCount(source, destination.Length);
        for (var i = 0; i < destination.Length; i++)
        {
            destination[i] = (float)from.GetLinear(i);
        }
    }

    /// <inheritdoc/>
    public void Download(Tensor source, Span<double> destination)
    {
        var from = new View(source);
        RequireCount(source, destination.Length);
        for (var i = 0; i < destination.Length; i++)
        {
            destination[i] = from.GetLinear(i);
        }
    }

    /// <inheritdoc/>
    public void Begin(RowBatch rows)
    {
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    private static void RequireCount(Tensor tensor, int count)
    {
        if (tensor.Count != count)
        {
            throw new ShapeException($"{tensor} has {tensor.Count} elements, the span {count}");
        }
    }

    private static void RequireSame(Tensor a, Tensor b)
    {
        if (a.Dim0 != b.Dim0 || a.Dim1 != b.Dim1 || a.Dim2 != b.Dim2)
        {
            throw new ShapeException($"{a} and {b} differ in shape");
        }
    }

    /// <summary>Element access to a host tensor of any numeric dtype, in float64.</summary>
    private readonly struct View(Tensor tensor)
    {
        private readonly byte* _pointer = tensor.HostPointer();
        private readonly DType _type = tensor.DType;
        private readonly long _stride0 = tensor.Stride0;
        private readonly long _stride1 = tensor.Stride1;
        private readonly int _dim1 = tensor.Dim1;
        private readonly int _dim2 = tensor.Dim2;

        public double this[int a, int b, int c]
        {
            get => HostTensors.Load(_pointer, a * _stride0 + b * _stride1 + c, _type);
            set => HostTensors.Store(_pointer, a * _stride0 + b * _stride1 + c, _type, value);
        }

        /// <summary>Element of a matrix whose rows are axes 0 and 1 taken together.</summary>
        public double this[int row, int column]
        {
            get => this[row / _dim1, row % _dim1, column];
            set => this[row / _dim1, row % _dim1, column] = value;
        }

        public double GetLinear(int index) => this[index / _dim2, index % _dim2];

        public void SetLinear(int index, double value) => this[index / _dim2, index % _dim2] = value;
    }
}
