// rt kernels and rt bench kernels: lists, files, counts on the simulator, and what is said where there is no GPU.
using System.Text.Json.Nodes;
using Rt.Kernels;

namespace Rt.Cli.Tests;

public sealed class KernelsCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Kernels_List_NamesEveryEntry()
    {
        var json = await CliRun.JsonAsync("kernels", "--no-registers");
        Assert.Equal(
            KernelCatalog.All.Select(entry => entry.Name).Order(StringComparer.Ordinal),
            json["kernels"]!.AsArray().Select(kernel => kernel!["name"]!.GetValue<string>()));
    }

    [Fact]
    public async Task Kernels_Emit_WritesTheTextOfThoseNamed()
    {
        Assert.Equal(0, (await CliRun.Async("kernels", "AddKernel_Single", "--no-registers", "--emit", _folder["ptx"])).Code);
        var file = Assert.Single(Directory.GetFiles(_folder["ptx"]));
        Assert.Equal("AddKernel_Single.ptx", Path.GetFileName(file));
        Assert.Contains(".visible .entry AddKernel_Single", await File.ReadAllTextAsync(file));
    }

    [Fact]
    public async Task Kernels_SizeOfUpdate_MovesWhatTheFormulaNeeds()
    {
        var json = await CliRun.JsonAsync("kernels", "AccumulateMetaGradient", "--size", "kv_heads=1,length=32,head_dim=64");
        var kernel = Assert.Single(json["kernels"]!.AsArray())!;
        Assert.Equal(json["cost"]!["bytes_read"]!.GetValue<long>(), kernel["global_bytes_read"]!.GetValue<long>());
        Assert.Equal(json["cost"]!["bytes_written"]!.GetValue<long>(), kernel["global_bytes_written"]!.GetValue<long>());
        Assert.Equal(kernel["global_load_ideal_sectors"]!.GetValue<long>(), kernel["global_load_sectors"]!.GetValue<long>());
    }

    [Theory]
    [InlineData("bf16", "MatMul", "rows=16,in=64,out=64", "BFloat16")]
    [InlineData("f32", "Normalize", "rows=2,width=64", "Single")]
    public async Task Kernels_SizeWithActivations_RunsKernelsOfThatType(string type, string op, string size, string element)
    {
        var json = await CliRun.JsonAsync("kernels", op, "--size", size, "--activations", type);
        Assert.Contains(json["kernels"]!.AsArray(), kernel => kernel!["name"]!.GetValue<string>().Contains(element, StringComparison.Ordinal));
        Assert.True(json["kernels"]!.AsArray().Sum(kernel => kernel!["flops"]!.GetValue<long>()) > 0);
    }

    [Theory]
    [InlineData("Nothing", null, "none has it in its name")]
    [InlineData("Nothing", "rows=1", "expected one of Embed")]
    [InlineData("Normalize", "rows=0", "rows=8,width=256")]
    [InlineData("Normalize", "columns=4", "rows=8,width=256")]
    public async Task Kernels_WrongNameOrSize_SaysWhatThereIs(string name, string? size, string part)
    {
        string[] command = ["kernels", name, "--no-registers"];
        (await CliRun.Async(size is null ? command : [.. command, "--size", size])).AssertFails(2, part);
    }

    [Fact]
    public async Task BenchKernels_OnTheSimulator_WritesTimesWithoutLimits()
    {
        var path = _folder["kernels.json"];
        var json = await CliRun.JsonAsync("bench", "kernels", "--device", "simulator", "--op", "Add", "--dtypes", "bf16,f32", "-o", path);
        Assert.Equal(["bf16", "f32"], json["rows"]!.AsArray().Select(row => row!["dtype"]!.GetValue<string>()));
        Assert.All(json["rows"]!.AsArray(), row => Assert.True(row!["us"]!.GetValue<double>() > 0));
        Assert.Null(json["limits"]);
        Assert.Equal("bench kernels", JsonNode.Parse(await File.ReadAllTextAsync(path))!["command"]!.GetValue<string>());
    }

    [Fact]
    public async Task Device_OfUnknownNameOrSetting_IsOneLine()
    {
        (await CliRun.Async("bench", "kernels", "--device", "cpu")).AssertFails(2, "expected a device that runs kernels");
        (await CliRun.Async("verify", Rt.Tests.Fixtures.Golden("gpt2"), "--device", "cuda:x")).AssertFails(5, "cuda:x", "simulator");
        (await CliRun.Async("verify", Rt.Tests.Fixtures.Golden("gpt2"), "--activations", "bf16")).AssertFails(2, "--activations bf16");
    }
}
