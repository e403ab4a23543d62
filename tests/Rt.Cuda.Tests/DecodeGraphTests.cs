// Decoding with recorded graphs: the same tokens as without, and steps that really are replayed.
using Rt.Cpu;
using Rt.Cuda.Driver;
using Rt.Gpu.Simulator;
using Rt.Model;
using Rt.Tests;

namespace Rt.Cuda.Tests;

public sealed class DecodeGraphTests
{
    private static readonly int[] Demonstrations = [1, 125, 106, 96, 54, 109, 12, 25];
    private static readonly int[][] Prompts = [[30, 42], [5, 6, 7, 8, 9]];

    [Theory]
    [InlineData("llama-gqa")]
    [InlineData("gpt2")]
    public void Generate_WithGraphs_GivesTheTokensOfTheCpuAndReplaysSteps(string name)
    {
        using var cpu = new CpuDevice();
        using var plain = Simulator(graphs: false);
        using var graphs = Simulator(graphs: true);
        var expected = Generate(cpu, name, patched: false, kept: false);
        Assert.Equal(expected, Generate(plain, name, false, false));
        Assert.Equal((0, 0), plain.Sections);
        Assert.Equal(expected, Generate(graphs, name, false, false));
        // The first steps are launched one by one; what follows is replayed.
        Assert.True(graphs.Sections.Replayed >= 6, $"{graphs.Sections.Launched} sections launched, {graphs.Sections.Replayed} replayed");
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Generate_WithPatchesAndKeptKv_ReplaysStepsAndGivesTheSameTokens(bool patched, bool kept)
    {
        using var cpu = new CpuDevice();
        using var graphs = Simulator(graphs: true);
        Assert.Equal(Generate(cpu, "llama-gqa", patched, kept), Generate(graphs, "llama-gqa", patched, kept));
        Assert.True(graphs.Sections.Replayed >= 6, $"{graphs.Sections.Launched} sections launched, {graphs.Sections.Replayed} replayed");
    }

    [CudaFact]
    [Trait("Category", "Gpu")]
    public void Generate_OnTheGpu_GivesTheTokensOfTheCpuAndReplaysSteps()
    {
        using var cpu = new CpuDevice();
        using var device = new GpuDevice(CudaLauncher.Open(), DType.F32);
        Assert.Equal(Generate(cpu, "llama-gqa", true, true), Generate(device, "llama-gqa", true, true));
        Assert.True(device.Sections.Replayed >= 6);
    }

    private static GpuDevice Simulator(bool graphs) => new(
        new SimulatorLauncher(new SimulatorOptions { Threads = 2 }), DType.F32, new GpuOptions(Graphs: graphs));

    private static int[][] Generate(IDevice device, string name, bool patched, bool kept)
    {
        using var model = LanguageModel.Load(Fixtures.Golden(name), device);
        using var prefix = kept ? Think(model) : null;
        using var patch = patched
            ? model.Patch(new ResidualPoint(1, Point.Post), Vector(model.Config.HiddenSize), PatchMode.Add, 0.5, generatedRows: true)
            : null;
        var options = new GenerationOptions { MaxNewTokens = 12, IgnoreEos = true };
        return [.. Generator.Generate(model, Prompts, options, prefix).Select(generation => generation.TokenIds.ToArray())];
    }

    private static KeptKv Think(LanguageModel model)
    {
        var options = new ThinkOptions { Steps = 3, StepSize = 0.05 };
        using var begun = DeepThinking.Begin(model, Demonstrations, options);
        return DeepThinking.Think(begun, options).Kept;
    }

    private static double[] Vector(int width) => [.. Enumerable.Range(0, width).Select(i => Math.Sin(i))];
}
