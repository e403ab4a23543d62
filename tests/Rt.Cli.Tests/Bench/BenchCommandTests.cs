// rt bench on tiny random models: every test runs, counts its work exactly, and every form of the report holds it.
using System.Text.Json.Nodes;
using Rt.Cli.Bench;
using Rt.Core;
using Rt.Cpu;
using Rt.Model;

namespace Rt.Cli.Tests.Bench;

public sealed class BenchCommandTests
{
    private const string AllTests = "load,pp16,pp16@d8,tg8@d4,think16,update16,score4x3@8,extract4x6,sweep4x5";

    [Fact]
    public void Run_EveryTest_MeasuresTimeWorkAndLimits()
    {
        using var folder = new TemporaryFolder();
        RandomCheckpoint.Write(folder.Path, "llama-tiny", DType.BF16);
        var runner = new BenchRunner(
            folder.Path, () => new CpuDevice(new CpuOptions(Threads: 1)),
            new BenchOptions { Repetitions = 2, Patience = 0, WarmUpSeconds = 0, Threads = 1, Ops = true });
        var (_, type, _, rows) = runner.Run([.. AllTests.Split(',').Select(BenchSpec.Parse)]);

        Assert.Equal(DType.BF16, type);
        Assert.Equal(AllTests.Split(','), rows.Select(row => row.Spec.ToString()));
        Assert.All(rows, row => Assert.All(row.Values, value => Assert.True(value > 0 && double.IsFinite(value))));
        Assert.All(rows.Where(row => row.Spec.Kind != BenchKind.Load), row =>
        {
            Assert.InRange(row.PercentOfLimit!.Value, 1e-6, 200);
            Assert.All(row.Probes, probe => Assert.True(probe.ReadGBps > 0.1 && probe.FmaGflops > 0.1));
            Assert.NotEmpty(row.Ops!.Tallies);
        });
        Assert.True(rows[0].PeakResidentBytes > 1 << 20);
        Assert.All(Single(BenchKind.Think).Repetitions, step => Assert.InRange(step.UpdateSeconds, 1e-9, step.Seconds));

        // Products of a block: query, key and value for every token, the rest for every token but in the last block, where
        // only the last token's result is wanted; its logits.
        const double Projection = 2 * 64 * (64 + 2 * 32);
        const double Rest = 2 * (64 * 64 + 3 * 64 * 160);
        const double Attention = 4 * 64;
        Assert.Equal(16 * (2 * Projection + Rest) + Rest + Attention * (16 * 17 / 2 + 16) + 2 * 64 * 512, rows[1].Work.Flops);
        // Decoding reads every weight but the embedding table once per token, as BF16.
        Assert.Equal(8 * (2 * (Projection + Rest) + 2 * 64 * 512), Single(BenchKind.Decode).Work.WeightBytes);
        // Two layers of keys and values, five streams of F32, ten passes; two norms in F64 are read at the end.
        Assert.Equal(10 * 2 * 2 * 5 * 4.0 * (2 * 16 * 16) + 2 * 8, Single(BenchKind.Update).Work.OtherBytes);

        BenchRow Single(BenchKind kind) => rows.Single(row => row.Spec.Kind == kind);
    }

    [Fact]
    public async Task Command_EveryForm_HoldsTheSameTests()
    {
        using var folder = new TemporaryFolder();
        string[] arguments = ["bench", "--shape", "llama-tiny", "--dtype", "f32", "--models", folder.Path, "--tests", "pp8,tg4", "-r", "1", "--patience", "0", "-q"];
        var json = await CliRun.JsonAsync(arguments);
        Assert.Equal(["pp8", "tg4"], json["tests"]!.AsArray().Select(test => (string)test!["test"]!));
        Assert.Equal("F32", (string)json["weights"]!);

        var lines = (await CliRun.Async([.. arguments, "-o", "jsonl"])).Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["pp8", "tg4"], lines.Select(line => (string)JsonNode.Parse(line)!["test"]!));

        var csv = (await CliRun.Async([.. arguments, "-o", "csv"])).Out.Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(3, csv.Length);
        Assert.Contains(",tg4,tok/s,", csv[2]);

        var markdown = (await CliRun.Async([.. arguments, "--ops"])).Out;
        Assert.Contains("| pp8 | tok/s |", markdown);
        Assert.Contains("Ops of tg4", markdown);
        Assert.Contains("| MatMul | 1 x 64 -> 512 F32 |", markdown);
    }

    [Theory]
    [InlineData("expected either MODEL or --shape", "bench")]
    [InlineData("shape 'llama-9b'", "bench", "--shape", "llama-9b")]
    [InlineData("needs 600 positions", "bench", "--shape", "llama-tiny", "--tests", "pp600")]
    [InlineData("needs 400 positions", "bench", "--shape", "llama-tiny", "--tests", "think200")]
    [InlineData("test 'pp0'", "bench", "--shape", "llama-tiny", "--tests", "pp0")]
    [InlineData("expected at least 1", "bench", "--shape", "llama-tiny", "-r", "0")]
    public async Task Command_WrongUse_IsOneLineAndCodeTwo(string part, params string[] arguments) =>
        (await CliRun.Async([.. arguments, "-q"])).AssertFails(2, part);
}
