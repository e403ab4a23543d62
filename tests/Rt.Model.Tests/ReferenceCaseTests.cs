// All reference cases on the reference device.
using Rt.Conformance.Cases;
using Rt.Cpu.Reference;
using Rt.Tests;

namespace Rt.Model.Tests;

public class ReferenceCaseTests
{
    public static TheoryData<string> Cases()
    {
        var data = new TheoryData<string>();
        foreach (var root in new[] { Fixtures.Goldens, Fixtures.Independent })
        {
            foreach (var folder in ReferenceCase.Find(root))
            {
                data.Add(Path.GetRelativePath(Fixtures.Root, folder));
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void ReferenceCase_OnReferenceDevice_AgreesToFloat64Rounding(string name)
    {
        using var device = new ReferenceDevice();
        AssertPassed(ReferenceCase.Run(Path.Combine(Fixtures.Root, name), Fixtures.Root, device));
    }

    internal static void AssertPassed(CaseReport report)
    {
        var failed = report.Quantities.Where(quantity => !quantity.Passed)
            .Select(quantity => $"{quantity.Name}: {quantity.Worst:g3} at {quantity.At} exceeds {quantity.Tolerance:g3}");
        Assert.True(report.Passed, $"{report.Name}: {string.Join("; ", failed)}");
        Assert.NotEmpty(report.Quantities);
    }
}
