// Whole models on the GPU device: one tiny model of every family against the original implementation, in F32 and in half precision.
using Rt.Conformance.Cases;
using Rt.Cpu;
using Rt.Cuda.Driver;
using Rt.Model;
using Rt.Tests;

namespace Rt.Cuda.Tests;

public sealed class GoldenTests
{
    [Theory]
    [MemberData(nameof(Cases))]
    public void Simulator_ReferenceCase_StaysWithinTolerance(string name)
    {
        using var device = new GpuDevice(new SimulatorLauncher(), DType.F32);
        AssertPassed(name, device);
    }

    [CudaTheory]
    [MemberData(nameof(Cases))]
    [Trait("Category", "Gpu")]
    public void Cuda_ReferenceCase_StaysWithinTolerance(string name)
    {
        using var device = new GpuDevice(CudaLauncher.Open(), DType.F32);
        AssertPassed(name, device);
    }

    [Theory]
    [InlineData("llama-gqa-bf16", DType.BF16)]
    [InlineData("llama-gqa-f16", DType.F16)]
    [InlineData("gpt2", DType.F16)]
    public void Simulator_HalfActivations_StayNearF32(string name, DType type)
    {
        int[] ids = [5, 17, 33, 8, 60, 21, 9, 40, 77, 12, 30];
        using var cpu = new CpuDevice();
        using var simulator = new GpuDevice(new SimulatorLauncher(), type);
        var expected = Logits(name, cpu, ids);
        var found = Logits(name, simulator, ids);
        var largest = expected.Max(row => row.Max(Math.Abs));
        var difference = expected.Zip(found, (a, b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Max()).Max();
        // A few tens of roundings to 8 (or 11) bits, one after another.
        var unit = type == DType.BF16 ? 1.0 / 256 : 1.0 / 2048;
        Assert.InRange(difference, 1e-9, 8 * unit * largest);
    }

    public static TheoryData<string> Cases()
    {
        var data = new TheoryData<string>();
        foreach (var folder in ReferenceCase.Find(Fixtures.Root))
        {
            var name = Path.GetRelativePath(Fixtures.Root, folder);
            if (!name.Contains("tokenizers", StringComparison.Ordinal))
            {
                data.Add(name);
            }
        }

        return data;
    }

    private static double[][] Logits(string name, IDevice device, int[] ids)
    {
        using var model = LanguageModel.Load(Fixtures.Golden(name), device);
        using var sequence = new Sequence(model, ids.Length);
        return sequence.Append(ids);
    }

    private static void AssertPassed(string name, IDevice device)
    {
        var report = ReferenceCase.Run(Path.Combine(Fixtures.Root, name), Fixtures.Root, device);
        Assert.NotEmpty(report.Quantities);
        Assert.All(report.Quantities, quantity =>
            Assert.True(quantity.Passed, $"{name} {quantity.Name}: {quantity.Worst:G4} at {quantity.At}, allowed {quantity.Tolerance:G4}"));
    }
}
