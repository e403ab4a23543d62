// A theory for one register width, skipped with a reason where this machine has no such registers.
namespace Rt.Cpu.Tests;

[AttributeUsage(AttributeTargets.Method)]
public sealed class WidthTheoryAttribute : TheoryAttribute
{
    public WidthTheoryAttribute(SimdWidth width)
    {
        if (!CpuOptions.IsSupported(width))
        {
            Skip = $"this machine has no {width} registers; the widest it has are {CpuOptions.WidestSupported}";
        }
    }
}
