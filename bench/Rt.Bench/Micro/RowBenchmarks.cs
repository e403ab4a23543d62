// Ops that pass over rows once: norms, and the widening of half-precision numbers.
using BenchmarkDotNet.Attributes;
using Rt.Core;
using Rt.Cpu;

namespace Rt.Bench.Micro;

/// <summary>512 rows of 2048.</summary>
[MemoryDiagnoser]
public class NormBenchmarks
{
    private const int Rows = 512;
    private const int Width = 2048;

    private CpuDevice _device = null!;
    private Tensor _x;
    private Tensor _y;
    private Tensor _weight;
    private Norm _layer = null!;
    private Norm _rootMeanSquare = null!;

    [GlobalSetup]
    public void Setup()
    {
        _device = new CpuDevice(CpuOptions.FromEnvironment());
        _x = Probe.Random(DType.F32, 1, Rows, Width);
        _y = _device.Allocate(DType.F32, 1, Rows, Width);
        _weight = Probe.Random(DType.F32, 1, 1, Width);
        _layer = new Norm(NormKind.Layer, _weight, _weight, 1e-5);
        _rootMeanSquare = new Norm(NormKind.RootMeanSquare, _weight, null, 1e-5);
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
    public void LayerNorm() => _device.Normalize(_x, _layer, _y);

    [Benchmark]
    public void RmsNorm() => _device.Normalize(_x, _rootMeanSquare, _y);
}

/// <summary>64 M numbers to F32, beyond the caches.</summary>
[MemoryDiagnoser]
public class WideningBenchmarks
{
    private CpuDevice _device = null!;
    private Tensor _narrow;
    private Tensor _wide;

    [Params(DType.BF16, DType.F16)]
    public DType From { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = new CpuDevice(CpuOptions.FromEnvironment());
        _narrow = Probe.Random(From, 1, 16384, 4096);
        _wide = _device.Allocate(DType.F32, 1, 16384, 4096);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _narrow.Storage.Dispose();
        _wide.Storage.Dispose();
        _device.Dispose();
    }

    [Benchmark]
    public void Widen() => _device.Copy(_narrow, _wide);
}
