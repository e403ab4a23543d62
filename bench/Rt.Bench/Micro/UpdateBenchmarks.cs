// The meta-gradient update of all layers: the fused op beside the same arithmetic composed of plain ops.
using BenchmarkDotNet.Attributes;
using Rt.Core;
using Rt.Cpu;

namespace Rt.Bench.Micro;

/// <summary>Twelve layers of twelve heads of width 64 at 448 entries, GPT-2 small's shape: 165 MB in five streams, beyond the caches.</summary>
[MemoryDiagnoser]
public class UpdateBenchmarks
{
    private const int Layers = 12;
    private const int Heads = 12;
    private const int Length = 448;
    private const int HeadDim = 64;
    private const double StepSize = 0.01;
    private const double Momentum = 0.9;

    private readonly int[] _rows = [.. Enumerable.Range(0, Heads * Length)];
    private CpuDevice _device = null!;
    private KvCache _current = null!;
    private KvCache _kept = null!;
    private KvCache _velocity = null!;
    private Tensor _gradient;

    [GlobalSetup]
    public void Setup()
    {
        _device = new CpuDevice(CpuOptions.FromEnvironment());
        _current = new KvCache(_device, Layers, 1, Heads, Length, HeadDim);
        _kept = new KvCache(_device, Layers, 1, Heads, Length, HeadDim);
        _velocity = new KvCache(_device, Layers, 1, Heads, Length, HeadDim);
        _gradient = _device.Allocate(DType.F32, 1, Heads * Length, HeadDim);
        for (var layer = 0; layer < Layers; layer++)
        {
            var random = new Random(layer);
            foreach (var tensor in (Tensor[])[_current[layer].Key, _current[layer].Value, _kept[layer].Key, _kept[layer].Value])
            {
                foreach (ref var value in tensor.HostSpan<float>())
                {
                    value = random.NextSingle() - 0.5f;
                }
            }
        }
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _current.Dispose();
        _kept.Dispose();
        _velocity.Dispose();
        _gradient.Storage.Dispose();
        _device.Dispose();
    }

    [Benchmark(Baseline = true)]
    public void Unfused()
    {
        for (var layer = 0; layer < Layers; layer++)
        {
            Compose(_current[layer].Key, _kept[layer].Key, _velocity[layer].Key);
            Compose(_current[layer].Value, _kept[layer].Value, _velocity[layer].Value);
        }
    }

    [Benchmark]
    public void Fused()
    {
        var step = new MetaGradientStep(StepSize, Momentum, DType.F32);
        for (var layer = 0; layer < Layers; layer++)
        {
            _device.AccumulateMetaGradient(_current[layer], _kept[layer], _velocity[layer], step, null);
        }
    }

    /// <summary>G = current - kept; G += β M; M = G; kept += η M.</summary>
    private void Compose(Tensor current, Tensor kept, Tensor velocity)
    {
        (current, kept, velocity) = (AsMatrix(current), AsMatrix(kept), AsMatrix(velocity));
        _device.Copy(current, _gradient);
        _device.PatchRows(_gradient, _rows, kept, PatchMode.Add, -1);
        _device.PatchRows(_gradient, _rows, velocity, PatchMode.Add, Momentum);
        _device.Copy(_gradient, velocity);
        _device.PatchRows(kept, _rows, velocity, PatchMode.Add, StepSize);
    }

    private static Tensor AsMatrix(Tensor tensor) => new(tensor.Storage, tensor.DType, tensor.Offset, 1, tensor.Rows, tensor.Columns);
}
