// The conformance suite on the simulator, op by op and for every dtype of activations: the PTX that a GPU would run.
using Rt.Conformance.Ops;
using Rt.Cpu.Reference;
using Rt.Gpu.Simulator;

namespace Rt.Cuda.Tests;

/// <summary>Ops whose kernels the simulator runs; each is a data row, so that a failure names op, dtype and case.</summary>
public sealed class OpConformanceTests
{
    private static readonly string[] Ops =
    [
        "Embed", "AddPositions", "Copy", "PatchRows", "GatherRows", "ArgMax", "TopK", "Activate", "Gate", "Add", "SoftCap", "Normalize",
        "AddNormalize", "MatMulActivate", "AccumulateMetaGradient", "LogProbabilities",
    ];

    public static TheoryData<string, DType> OpsAndTypes()
    {
        var rows = new TheoryData<string, DType>();
        foreach (var op in Ops)
        {
            foreach (var type in (DType[])[DType.F32, DType.BF16, DType.F16])
            {
                rows.Add(op, type);
            }
        }

        return rows;
    }

    [Theory]
    [MemberData(nameof(OpsAndTypes))]
    public void Op_OnTheSimulator_IsWithinTolerance(string op, DType type) => Run(type, null, 1, @case => @case.Op == op);

    [Theory]
    [InlineData(DType.F32, 4)]
    [InlineData(DType.BF16, 4)]
    [InlineData(DType.F16, 4)]
    public void MatMul_EveryFewCases_IsWithinTolerance(DType type, int every) => Run(type, null, every, @case => @case.Op == "MatMul");

    [Fact]
    public void MatMul_BatchInvariant_IsWithinTolerance() =>
        Run(DType.BF16, new GpuOptions(BatchInvariant: true), 8, @case => @case.Op == "MatMul");

    private static void Run(DType type, GpuOptions? options, int every, Func<ConformanceCase, bool> wanted)
    {
        using var device = new GpuDevice(new SimulatorLauncher(new SimulatorOptions { Threads = 1 }), type, options);
        using var reference = new ReferenceDevice();
        var cases = OpConformance.Cases.Where(wanted).Where((_, index) => index % every == 0).ToArray();
        Assert.NotEmpty(cases);
        foreach (var @case in cases)
        {
            var result = @case.Run(device, reference);
            Assert.True(result.Passed, $"{@case.Name}: {result.Where}");
        }
    }
}
