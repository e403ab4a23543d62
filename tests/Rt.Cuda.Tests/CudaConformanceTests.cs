// Every conformance case on a GPU of this machine, in every dtype of activations; skipped with a reason where there is none.
using Rt.Conformance.Ops;
using Rt.Cpu.Reference;
using Rt.Cuda.Driver;

namespace Rt.Cuda.Tests;

public sealed class CudaConformanceTests
{
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

    [CudaTheory]
    [MemberData(nameof(Ops))]
    [Trait("Category", "Gpu")]
    public void Cuda_EveryCaseOfOp_AgreesWithReference(string op, DType type)
    {
        using var device = new GpuDevice(CudaLauncher.Open(), type);
        using var reference = new ReferenceDevice();
        var failures = OpConformance.Cases.Where(c => c.Op == op).Select(c => (c.Name, Result: c.Run(device, reference)))
            .Where(run => !run.Result.Passed).Select(run => $"{run.Name}: {run.Result.Where}").ToArray();
        Assert.True(failures.Length == 0, $"{failures.Length} failures: {string.Join(Environment.NewLine, failures.Take(5))}");
    }
}
