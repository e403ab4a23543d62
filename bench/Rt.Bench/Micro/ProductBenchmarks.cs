// Products with weights in every dtype and layout: many rows (arithmetic) and one row (memory).
using BenchmarkDotNet.Attributes;
using Rt.Core;
using Rt.Cpu;

namespace Rt.Bench.Micro;

/// <summary>512 rows by 2048 x 2048: 4.29 GFLOP.</summary>
[MemoryDiagnoser]
public class MatMulBenchmarks
{
    private const int Rows = 512;
    private const int Width = 2048;

    private CpuDevice _device = null!;
    private Tensor _x;
    private Tensor _y;
    private Tensor _weight;
    private Linear _linear = null!;

    [Params(DType.F32, DType.BF16, DType.F16)]
    public DType Weights { get; set; }

    /// <summary>Stored [in, out] instead of [out, in].</summary>
    [Params(false, true)]
    public bool InputMajor { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = new CpuDevice(CpuOptions.FromEnvironment());
        _x = Probe.Random(DType.F32, 1, Rows, Width);
        _y = _device.Allocate(DType.F32, 1, Rows, Width);
        _weight = Probe.Random(Weights, 1, Width, Width);
        _linear = new Linear(new LinearPart(_weight, null, InputMajor));
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _x.Storage.Dispose();
        _y.Storage.Dispose();
        _weight.Storage.Dispose();
        _device.Dispose();
    }

    [Benchmark]
    public void MatMul() => _device.MatMul(_x, _linear, false, _y);
}

/// <summary>One row by 2048 x 5632, 24 matrices in turn (1.1 GB in F32) so that none is in a cache; times are of one matrix.</summary>
[MemoryDiagnoser]
public class MatVecBenchmarks
{
    private const int Matrices = 24;
    private const int In = 2048;
    private const int Out = 5632;

    private CpuDevice _device = null!;
    private Tensor _x;
    private Tensor _y;
    private Tensor _weights;
    private Linear[] _linears = [];

    [Params(DType.F32, DType.BF16, DType.F16)]
    public DType Weights { get; set; }

    /// <summary>Stored [in, out] instead of [out, in].</summary>
    [Params(false, true)]
    public bool InputMajor { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = new CpuDevice(CpuOptions.FromEnvironment());
        _x = Probe.Random(DType.F32, 1, 1, In);
        _y = _device.Allocate(DType.F32, 1, 1, Out);
        _weights = Probe.Random(Weights, Matrices, InputMajor ? In : Out, InputMajor ? Out : In);
        _linears = [.. Enumerable.Range(0, Matrices).Select(i => new Linear(new LinearPart(_weights.Slice(i, 1), null, InputMajor)))];
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _x.Storage.Dispose();
        _y.Storage.Dispose();
        _weights.Storage.Dispose();
        _device.Dispose();
    }

    [Benchmark(OperationsPerInvoke = Matrices)]
    public void MatVec()
    {
        foreach (var linear in _linears)
        {
            _device.MatMul(_x, linear, false, _y);
        }
    }
}
