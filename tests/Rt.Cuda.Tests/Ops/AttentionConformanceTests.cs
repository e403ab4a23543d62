// The conformance suite of the attention ops on the simulator: the PTX that a GPU would run.
using Rt.Conformance.Ops;
using Rt.Cpu.Reference;

namespace Rt.Cuda.Tests;

public sealed class AttentionConformanceTests
{
    [Theory]
    [InlineData("AppendKv", DType.F32, 1)]
    [InlineData("AppendKv", DType.BF16, 1)]
    [InlineData("AppendKv", DType.F16, 1)]
    [InlineData("Attention", DType.F32, 1)]
    [InlineData("Attention", DType.BF16, 1)]
    [InlineData("Attention", DType.F16, 3)]
    [InlineData("AttentionScores", DType.F32, 2)]
    [InlineData("AttentionScores", DType.BF16, 3)]
    [InlineData("AttentionScores", DType.F16, 3)]
    [InlineData("LinearAttention", DType.F32, 1)]
    [InlineData("LinearAttention", DType.BF16, 1)]
    [InlineData("LinearAttention", DType.F16, 2)]
    public void Simulator_CasesOfOp_AgreeWithReference(string op, DType type, int every) => Check(op, type, every, null);

    [Fact]
    public void SimulatorBatchInvariant_Attention_AgreesWithReference() =>
        Check("Attention", DType.BF16, 3, new GpuOptions(BatchInvariant: true));

    private static void Check(string op, DType type, int every, GpuOptions? options)
    {
        using var device = new GpuDevice(new SimulatorLauncher(), type, options);
        using var reference = new ReferenceDevice();
        var cases = OpConformance.Cases.Where(c => c.Op == op).Where((_, index) => index % every == 0).ToArray();
        Assert.NotEmpty(cases);
        var failures = cases.Select(c => (c.Name, Result: c.Run(device, reference)))
            .Where(run => !run.Result.Passed).Select(run => $"{run.Name}: {run.Result.Where}").ToArray();
        Assert.True(failures.Length == 0, $"{failures.Length} failures: {string.Join(Environment.NewLine, failures.Take(5))}");
    }
}
