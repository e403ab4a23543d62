// One op at one shape, ready to be run again and again: what benches time and what the simulator counts.
using Rt.Core;
using Rt.Kernels;

namespace Rt.Cuda.Workloads;

/// <summary>An op with named sizes.</summary>
/// <param name="Op">Name of the op, as in <see cref="IDevice"/>.</param>
/// <param name="Sizes">Its sizes, with the defaults that the simulator runs in a moment.</param>
/// <param name="Body">Allocates operands and says what runs.</param>
public sealed record OpWorkload(string Op, WorkloadSizes Sizes, Func<WorkloadBench, WorkloadRun> Body)
{
    /// <summary>Prepares operands on a device.</summary>
    /// <param name="device">Where it runs.</param>
    /// <param name="sizes">As <see cref="Sizes"/>, with other numbers.</param>
    /// <param name="sets">Sets of operands, so that a cache does not hold what the next run reads.</param>
    public PreparedWorkload Prepare(GpuDevice device, WorkloadSizes sizes, int sets = 1)
    {
        var bench = new WorkloadBench(device, sizes);
        try
        {
            var runs = Enumerable.Range(0, sets).Select(_ => Body(bench)).ToArray();
            return new PreparedWorkload(bench, runs);
        }
        catch
        {
            bench.Dispose();
            throw;
        }
    }
}

/// <summary>One set of operands.</summary>
/// <param name="Run">Calls the op.</param>
/// <param name="Cost">What the op must move and compute.</param>
/// <param name="IsProduct">Bound by matrix products where there are many rows.</param>
/// <param name="ReadsBack">The op returns values to the host.</param>
public sealed record WorkloadRun(Action Run, KernelCost Cost, bool IsProduct = false, bool ReadsBack = false);

/// <summary>Operands of a workload on a device.</summary>
public sealed class PreparedWorkload(WorkloadBench bench, IReadOnlyList<WorkloadRun> runs) : IDisposable
{
    /// <summary>One per set.</summary>
    public IReadOnlyList<WorkloadRun> Runs { get; } = runs;

    /// <summary>What one run must move and compute.</summary>
    public KernelCost Cost => Runs[0].Cost;

    /// <inheritdoc/>
    public void Dispose() => bench.Dispose();
}

/// <summary>Makes operands; everything is released with it.</summary>
public sealed class WorkloadBench : IDisposable
{
    // Random numbers made once per bench; longer tensors repeat them.
    private const int Block = 1 << 14;

    private readonly List<IDisposable> _owned = [];
    private readonly double[] _normals = new double[Block];
    private readonly Random _random = new(1234);

    internal WorkloadBench(GpuDevice device, WorkloadSizes sizes)
    {
        Device = device;
        Sizes = sizes;
        for (var i = 0; i < Block; i++)
        {
            // Sum of uniform numbers: mean 0, deviation 1.
            _normals[i] = (_random.NextDouble() + _random.NextDouble() + _random.NextDouble() - 1.5) * 2;
        }
    }

    /// <summary>Where operands live.</summary>
    public GpuDevice Device { get; }

    /// <summary>The sizes asked for.</summary>
    public WorkloadSizes Sizes { get; }

    /// <summary>Bytes of an activation.</summary>
    public int ActivationBytes => Device.ActivationType.Bytes();

    /// <summary>Activations of normal numbers.</summary>
    public Tensor Activations(int dim0, int dim1, int dim2, double scale = 1) => Fill(Device.Allocate(Device.ActivationType, dim0, dim1, dim2), scale);

    /// <summary>Weights in the dtype of activations.</summary>
    public Tensor Weight(int rows, int columns) => Activations(1, rows, columns, 1 / Math.Sqrt(columns));

    /// <summary>Numbers in the master dtype.</summary>
    public Tensor Masters(int dim0, int dim1, int dim2) => Fill(Device.Allocate(Device.MasterType, dim0, dim1, dim2), 1);

    /// <summary>A cache full of numbers.</summary>
    public KvCache Cache(int slots, int kvHeads, int capacity, int headDim)
    {
        var cache = Own(new KvCache(Device, 1, slots, kvHeads, capacity, headDim));
        Fill(cache[0].Key, 1);
        Fill(cache[0].Value, 1);
        return cache;
    }

    /// <summary>Random indices below a bound.</summary>
    public int[] Indices(int count, int bound) => [.. Enumerable.Range(0, count).Select(_ => _random.Next(bound))];

    /// <summary>Releases something with the bench.</summary>
    public T Own<T>(T value) where T : IDisposable
    {
        _owned.Add(value);
        return value;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _owned.ForEach(owned => owned.Dispose());
        _owned.Clear();
    }

    private Tensor Fill(Tensor tensor, double scale)
    {
        Own(tensor.Storage);
        var count = (int)Math.Min(Block, tensor.Count);
        var elementBytes = tensor.DType.Bytes();
        var address = Device.Memory(tensor).Address;
        Device.Upload(_normals.AsSpan(0, count).ToArray().Select(value => scale * value).ToArray(), new Tensor(tensor.Storage, tensor.DType, 0, 1, 1, count));
        for (long filled = count; filled < tensor.Count; filled *= 2)
        {
            Device.CopyBytes(address, address + filled * elementBytes, Math.Min(filled, tensor.Count - filled) * elementBytes);
        }

        return tensor;
    }
}
