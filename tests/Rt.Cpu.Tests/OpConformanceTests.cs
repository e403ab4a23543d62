// Every conformance case on the CPU device at every register width, judged by the float64 reference.
using System.Collections.Concurrent;
using Rt.Conformance.Ops;
using Rt.Cpu.Reference;

namespace Rt.Cpu.Tests;

public sealed class OpConformanceTests
{
    private static readonly ConcurrentDictionary<string, IReadOnlyList<Quantity>> Expected = new();

    public static TheoryData<string> Ops()
    {
        var data = new TheoryData<string>();
        foreach (var op in OpConformance.Cases.Select(c => c.Op).Distinct())
        {
            data.Add(op);
        }

        return data;
    }

    [WidthTheory(SimdWidth.Scalar)]
    [MemberData(nameof(Ops))]
    public void Scalar_EveryCaseOfOp_AgreesWithReference(string op) => Check(op, new CpuOptions(2, ForceWidth: SimdWidth.Scalar));

    [WidthTheory(SimdWidth.Vector128)]
    [MemberData(nameof(Ops))]
    public void Vector128_EveryCaseOfOp_AgreesWithReference(string op) => Check(op, new CpuOptions(2, ForceWidth: SimdWidth.Vector128));

    [WidthTheory(SimdWidth.Vector256)]
    [MemberData(nameof(Ops))]
    public void Vector256_EveryCaseOfOp_AgreesWithReference(string op) => Check(op, new CpuOptions(2, ForceWidth: SimdWidth.Vector256));

    [WidthTheory(SimdWidth.Vector512)]
    [MemberData(nameof(Ops))]
    public void Vector512_EveryCaseOfOp_AgreesWithReference(string op) => Check(op, new CpuOptions(2, ForceWidth: SimdWidth.Vector512));

    [Theory]
    [InlineData("MatMul")]
    [InlineData("Attention")]
    [InlineData("LogProbabilities")]
    public void BatchInvariant_EveryCaseOfOp_AgreesWithReference(string op) => Check(op, new CpuOptions(2, BatchInvariant: true));

    [Fact]
    public void Cases_Names_AreUnique()
    {
        var names = OpConformance.Cases.Select(c => c.Name).ToList();
        Assert.Equal(names.Count, names.Distinct().Count());
    }

    private static void Check(string op, CpuOptions options)
    {
        using var device = new CpuDevice(options);
        using var reference = new ReferenceDevice();
        var failures = new List<string>();
        foreach (var conformanceCase in OpConformance.Cases.Where(c => c.Op == op))
        {
            // The reference is the slow part: its results serve every width.
            var expected = Expected.GetOrAdd(conformanceCase.Name, _ => conformanceCase.Expect(reference, device.ActivationType));
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
