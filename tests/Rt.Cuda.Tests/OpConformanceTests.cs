// Every conformance case on the GPU device, over the simulator and, where there is a GPU, over the CUDA driver.
using System.Collections.Concurrent;
using Rt.Conformance.Ops;
using Rt.Cpu.Reference;
using Rt.Cuda.Driver;

namespace Rt.Cuda.Tests;

public sealed class OpConformanceTests
{
    private static readonly ConcurrentDictionary<(string Case, DType Type), IReadOnlyList<Quantity>> Expected = new();

    public static TheoryData<string, DType> Ops()
    {
        var data = new TheoryData<string, DType>();
        foreach (var op in OpConformance.Cases.Select(c => c.Op).Distinct())
        {
            foreach (var type in (DType[])[DType.F32, DType.BF16, DType.F16])
            {
                data.Add(op, type);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Ops))]
    public void Simulator_EveryCaseOfOp_AgreesWithReference(string op, DType type)
    {
        using var device = new GpuDevice(new SimulatorLauncher(), type);
        Check(op, device);
    }

    [Theory]
    [InlineData("MatMul", DType.BF16)]
    [InlineData("Attention", DType.BF16)]
    [InlineData("LogProbabilities", DType.F32)]
    public void SimulatorBatchInvariant_EveryCaseOfOp_AgreesWithReference(string op, DType type)
    {
        using var device = new GpuDevice(new SimulatorLauncher(), type, new GpuOptions(BatchInvariant: true));
        Check(op, device);
    }

    [CudaTheory]
    [MemberData(nameof(Ops))]
    [Trait("Category", "Gpu")]
    public void Cuda_EveryCaseOfOp_AgreesWithReference(string op, DType type)
    {
        using var device = new GpuDevice(CudaLauncher.Open(), type);
        Check(op, device);
    }

    private static void Check(string op, GpuDevice device)
    {
        using var reference = new ReferenceDevice();
        var failures = new List<string>();
        foreach (var conformanceCase in OpConformance.Cases.Where(c => c.Op == op))
        {
            var expected = Expected.GetOrAdd(
                (conformanceCase.Name, device.ActivationType), _ => conformanceCase.Expect(reference, device.ActivationType));
            var result = conformanceCase.Run(device, expected);
            if (!result.Passed)
            {
                failures.Add(
                    $"{conformanceCase.Name}: {result.Where} (allowed {result.Tolerance.Absolute:G3} + {result.Tolerance.Relative:G3} |reference|)");
            }
        }

        Assert.True(failures.Count == 0, $"{failures.Count} failures: {string.Join(Environment.NewLine, failures.Take(5))}");
    }
}
