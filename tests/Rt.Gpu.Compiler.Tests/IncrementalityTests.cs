// An edit elsewhere must not compile kernels again.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Rt.Gpu.Compiler.Tests;

public sealed class IncrementalityTests
{
    private const string Kernel = "[Kernel(32)] public static void K(ArrayView<int> x) { x[Group.IdxX] = F(3); }\nstatic int F(int y) => y * 2;";

    [Fact]
    public void Generator_EditInAnotherFile_LeavesEmissionCached()
    {
        var compilation = CompilerHarness.Compilation(Kernel, "class A { }");
        var driver = CompilerHarness.Driver().RunGenerators(compilation);
        var other = compilation.SyntaxTrees.Last();
        var edited = compilation.ReplaceSyntaxTree(
            other, CSharpSyntaxTree.ParseText("class A { int b; }", (CSharpParseOptions)other.Options, other.FilePath));
        driver = driver.RunGenerators(edited);
        Assert.All(Reasons(driver), reason => Assert.Equal(IncrementalStepRunReason.Cached, reason));
    }

    [Fact]
    public void Generator_EditOfAHelper_EmitsAgain()
    {
        var compilation = CompilerHarness.Compilation(Kernel);
        var driver = CompilerHarness.Driver().RunGenerators(compilation);
        driver = driver.RunGenerators(CompilerHarness.Compilation(Kernel.Replace("* 2", "* 5")));
        Assert.Contains(IncrementalStepRunReason.Modified, Reasons(driver));
    }

    private static IEnumerable<IncrementalStepRunReason> Reasons(GeneratorDriver driver) =>
        driver.GetRunResult().Results.Single().TrackedSteps[KernelGenerator.EmissionStep].SelectMany(step => step.Outputs).Select(output => output.Reason);
}
