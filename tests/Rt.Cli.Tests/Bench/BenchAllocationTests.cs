// What a decoded token allocates, counted for the whole process: these tests run alone.
using Rt.Cli.Bench;
using Rt.Core;
using Rt.Cpu;
using Rt.Model;

namespace Rt.Cli.Tests.Bench;

[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    public const string Name = "alone";
}

[Collection(Alone.Name)]
public sealed class BenchAllocationTests
{
    [Fact]
    public void Decode_AfterWarmUp_AllocatesNothingWorthMention()
    {
        using var folder = new TemporaryFolder();
        RandomCheckpoint.Write(folder.Path, "gpt2-tiny", DType.F32);
        var runner = new BenchRunner(
            folder.Path, () => new CpuDevice(new CpuOptions(Threads: 1)), new BenchOptions { Repetitions = 3, Patience = 0, Threads = 1 });
        var row = runner.Run([BenchSpec.Parse("tg200")]).Rows.Single();
        // The list of tokens grows; the forward passes allocate nothing.
        Assert.InRange(row.AllocatedPerUnit, 0, 40);
    }
}
