// What a case's body works with: a device, numbers that are the same on every device, and a place for results.
using Rt.Core;

namespace Rt.Conformance.Ops;

/// <summary>One run of a case on one device. Everything it allocates is released with it.</summary>
public sealed class ConformanceBench : IDisposable
{
    private readonly List<IDisposable> _owned = [];
    private readonly DType _numbers;
    private ulong _state;

    /// <param name="device">Where ops run.</param>
    /// <param name="activations">Dtype that activations are rounded to before upload: the tested device's, on the reference too.</param>
    /// <param name="seed">Text that the numbers follow from.</param>
    public ConformanceBench(IDevice device, DType activations, string seed)
    {
        Device = device;
        _numbers = activations == DType.F64 ? DType.F32 : activations;
        _state = 14695981039346656037;
        foreach (var c in seed)
        {
            _state = (_state ^ c) * 1099511628211;
        }
    }

    /// <summary>Where ops run.</summary>
    public IDevice Device { get; }

    /// <summary>What the body reported.</summary>
    public List<Quantity> Quantities { get; } = [];

    /// <summary>The next of a fixed sequence of integers below <paramref name="count"/>. Generator: SplitMix64, Steele et al. 2014.</summary>
    public int Next(int count) => (int)(NextBits() % (ulong)count);

    /// <summary>The next normally distributed number, by the Box-Muller transform.</summary>
    public double NextNormal()
    {
        var radius = Math.Sqrt(-2 * Math.Log(((NextBits() >> 11) + 1.0) / (1UL << 53)));
        return radius * Math.Cos(2 * Math.PI * ((NextBits() >> 11) / (double)(1UL << 53)));
    }

    /// <summary>Normal numbers with standard deviation <paramref name="scale"/>.</summary>
    public double[] Normals(long count, double scale = 1)
    {
        var values = new double[count];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = scale * NextNormal();
        }

        return values;
    }

    /// <summary>Activations [dim0, dim1, dim2] of normal numbers.</summary>
    public Tensor Activations(int dim0, int dim1, int dim2, double scale = 1)
    {
        var tensor = Zeros(dim0, dim1, dim2);
        Fill(tensor, scale);
        return tensor;
    }

    /// <summary>Normal numbers [dim0, dim1, dim2] in the device's master dtype, rounded to F32 on every device.</summary>
    public Tensor Masters(int dim0, int dim1, int dim2, double scale = 1)
    {
        var tensor = Own(Device.Allocate(Device.MasterType, dim0, dim1, dim2));
        var values = Normals(tensor.Count, scale);
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (float)values[i];
        }

        Device.Upload(values, tensor);
        return tensor;
    }

    /// <summary>Activations of zeros.</summary>
    public Tensor Zeros(int dim0, int dim1, int dim2) => Own(Device.Allocate(Device.ActivationType, dim0, dim1, dim2));

    /// <summary>Activations [1, rows, width] whose rows lie <paramref name="gap"/> elements apart.</summary>
    public Tensor StridedRows(int rows, int width, int gap, double scale = 1)
    {
        var tensor = Zeros(1, rows, width + gap).SliceColumns(gap / 2, width);
        Fill(tensor, scale);
        return tensor;
    }

    /// <summary>Writes normal numbers, rounded to the tested device's activations.</summary>
    public void Fill(Tensor tensor, double scale = 1) => Fill(tensor, Normals(tensor.Count, scale));

    /// <summary>Writes values, rounded to the tested device's activations.</summary>
    public void Fill(Tensor tensor, double[] values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = Rounding.To(_numbers, values[i]);
        }

        Device.Upload(values, tensor);
    }

    /// <summary>A weight [1, rows, columns] as a model file would hold it: in host memory, then imported.</summary>
    /// <param name="type">F32, F16 or BF16.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="scale">Standard deviation.</param>
    /// <param name="offset">Elements before it, so that it is aligned to its elements only.</param>
    public unsafe Tensor Weight(DType type, int rows, int columns, double scale, int offset = 0)
    {
        // Exactly as long as the elements: a read past the last one is a read past the storage.
        var storage = new HostMemory(((long)rows * columns + offset) * type.Bytes());
        _owned.Add(storage);
        var host = new Tensor(storage, type, offset, 1, rows, columns);
        var pointer = host.HostPointer();
        for (var i = 0; i < host.Count; i++)
        {
            HostTensors.Store(pointer, i, type, scale * NextNormal());
        }

        return Device.Import(host);
    }

    /// <summary>Reports a tensor.</summary>
    public void Report(string name, string op, Tensor tensor)
    {
        var values = new double[tensor.Count];
        Device.Download(tensor, values);
        Quantities.Add(new Quantity(name, op, Math.Max(1, tensor.Columns), values));
    }

    /// <summary>Reports host values.</summary>
    public void Report(string name, string op, double[] values) => Quantities.Add(new Quantity(name, op, values.Length, values));

    /// <summary>Releases something with the bench.</summary>
    public T Own<T>(T owned) where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }

    /// <summary>Releases a tensor's storage with the bench.</summary>
    public Tensor Own(Tensor tensor)
    {
        _owned.Add(tensor.Storage);
        return tensor;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in _owned)
        {
            owned.Dispose();
        }

        _owned.Clear();
    }

    private ulong NextBits()
    {
        _state += 0x9E3779B97F4A7C15;
        var z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
