// Every entry goes through NVIDIA's assembler for its targets: no spill, no stack, no local memory.
using Xunit.Abstractions;

namespace Rt.Gpu.Compiler.Tests;

public sealed class AssemblerTests(ITestOutputHelper output)
{
    [NeedsAssembler]
    public void Assembler_EntriesOfTheseTests_NeitherSpillNorUseLocalMemory() => CheckAll(KernelCatalog.All);

    [NeedsAssembler]
    public void Assembler_EntriesOfRtKernels_NeitherSpillNorUseLocalMemory() => CheckAll(Rt.Kernels.KernelCatalog.All);

    private void CheckAll(IReadOnlyList<KernelEntry> entries)
    {
        var work = entries.SelectMany(entry => Targets(entry).Select(target => (Entry: entry, Target: target))).ToArray();
        var lines = new string[work.Length];
        var faulty = new bool[work.Length];
        Parallel.For(0, work.Length, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, index =>
        {
            var (entry, target) = work[index];
            var report = PtxAssembler.Assemble(entry.PtxText, target);
            lines[index] = $"{entry.Name} {target}: {report.Registers} registers, {report.SpillBytes} spill bytes, {report.StackBytes} stack bytes";
            faulty[index] = report.SpillBytes != 0 || report.StackBytes != 0 || entry.PtxText.Contains(".local", StringComparison.Ordinal);
        });
        foreach (var line in lines)
        {
            output.WriteLine(line);
        }

        Assert.Empty(lines.Where((_, index) => faulty[index]));
    }

    private static string[] Targets(KernelEntry entry) => entry.Target switch
    {
        "sm_80" => ["sm_80", "sm_90"],
        var target => [target],
    };
}

/// <summary>A test that needs ptxas; skipped with the reason where there is none.</summary>
internal sealed class NeedsAssemblerAttribute : FactAttribute
{
    public NeedsAssemblerAttribute()
    {
        if (PtxAssembler.Path is null)
        {
            Skip = PtxAssembler.Absent;
        }
    }
}
