// All reference cases on the cpu device.
using Rt.Conformance.Cases;
using Rt.Cpu;
using Rt.Tests;

namespace Rt.Model.Tests;

public class CpuCaseTests
{
    public static TheoryData<string> Cases() => ReferenceCaseTests.Cases();

    [Theory]
    [MemberData(nameof(Cases))]
    public void ReferenceCase_OnCpuDevice_StaysWithinTolerance(string name)
    {
        using var device = new CpuDevice();
        ReferenceCaseTests.AssertPassed(ReferenceCase.Run(Path.Combine(Fixtures.Root, name), Fixtures.Root, device));
    }
}
