// rt think: files, equality with few-shot prompting, resuming, sets, choices, cancellation.
using System.Text.Json.Nodes;
using Rt.Tests;

namespace Rt.Cli.Tests;

public sealed class ThinkTests(RandomModel random) : IClassFixture<RandomModel>, IDisposable
{
    private const string Demonstrations = "1,125,106,96,54,109,12,25";
    private readonly TemporaryFolder _folder = new();
    private readonly string _llama = Fixtures.Golden("llama-gqa");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Think_ModelWithoutTokenizer_ReportsEveryStepAndWritesFile()
    {
        var json = await CliRun.JsonAsync("think", _llama, "--token-ids", Demonstrations, "--steps", "4", "-o", _folder["a.kv"]);
        var steps = json["sets"]![0]!["steps"]!.AsArray();
        Assert.Equal([1, 2, 3, 4], steps.Select(step => step!["step"]!.GetValue<int>()));
        Assert.Equal(0, steps[0]!["key_gradient_norm"]!.GetValue<double>());
        Assert.True(steps[3]!["key_gradient_norm"]!.GetValue<double>() > 0);
        Assert.Equal(3, steps[3]!["layers"]!.AsArray().Count);
        // paper mode: layer-0 values do not depend on positions in a rotary model.
        Assert.Equal(0, steps[3]!["layers"]![0]!["value_gradient_norm"]!.GetValue<double>(), 1e-5);
        Assert.Equal("cpu", json["device"]!["name"]!.GetValue<string>());
        Assert.True(File.Exists(_folder["a.kv"]));
    }

    [Fact]
    public async Task Think_Table_HasARowPerStepAndMarksTheKeptOne()
    {
        var run = await CliRun.Async("think", _llama, "--token-ids", Demonstrations, "--steps", "3", "-o", _folder["a.kv"]);
        Assert.Equal(0, run.Code);
        Assert.Contains("||G_K||", run.Out);
        Assert.Contains("*3", run.Out);
        Assert.Contains("wrote", run.Error);
    }

    [Theory]
    [InlineData("cpu", 2e-5)]
    [InlineData("reference", 1e-12)]
    public async Task Think_OneStepThenInfer_EqualsFewShotPrompting(string device, double tolerance)
    {
        var query = _folder.Write("q.jsonl", """{"token_ids":[30,42],"option_token_ids":[[5],[6,7,8]],"answer":1}""");
        var prompted = _folder.Write("p.jsonl", $$"""{"token_ids":[{{Demonstrations}},30,42],"option_token_ids":[[5],[6,7,8]],"answer":1}""");
        await CliRun.JsonAsync("think", _llama, "--token-ids", Demonstrations, "--steps", "1", "-o", _folder["a.kv"], "--device", device);
        var behind = await CliRun.JsonAsync("infer", _llama, "--kv", _folder["a.kv"], "--queries", query, "--device", device);
        var plain = await CliRun.JsonAsync("infer", _llama, "--queries", prompted, "--device", device);
        for (var option = 0; option < 2; option++)
        {
            Assert.Equal(LogProbability(plain, option), LogProbability(behind, option), tolerance);
        }

        Assert.NotEqual(LogProbability(plain, 0), LogProbability(plain, 1), 0.01);
        Assert.Equal(1, behind["accuracy"]!["n"]!.GetValue<int>());
    }

    [Fact]
    public async Task ThinkThenInfer_OnTheSimulator_GivesTheTokensOfTheCpu()
    {
        var tokens = new Dictionary<string, string>();
        foreach (var device in new[] { "cpu", "simulator" })
        {
            string[] on = device == "cpu" ? ["--device", device] : ["--device", device, "--activations", "f32"];
            var file = _folder[$"{device}.kv"];
            var thought = await CliRun.JsonAsync(["think", _llama, "--token-ids", Demonstrations, "--steps", "3", "-o", file, .. on]);
            Assert.Equal(device, thought["device"]!["name"]!.GetValue<string>());
            Assert.True(thought["sets"]![0]!["steps"]![2]!["key_gradient_norm"]!.GetValue<double>() > 0);
            var answer = await CliRun.JsonAsync(["infer", _llama, "--kv", file, "--token-ids", "30,42", "--max-new-tokens", "8", "--ignore-eos", .. on]);
            Assert.Equal(device, answer["device"]!["name"]!.GetValue<string>());
            Assert.Equal(8, answer["results"]![0]!["token_ids"]!.AsArray().Count);
            tokens[device] = answer["results"]![0]!["token_ids"]!.ToJsonString();
        }

        Assert.Equal(tokens["cpu"], tokens["simulator"]);
        // The kept keys and values are what decides: without them other tokens come.
        var without = await CliRun.JsonAsync("infer", _llama, "--token-ids", "30,42", "--max-new-tokens", "8", "--ignore-eos");
        Assert.NotEqual(tokens["cpu"], without["results"]![0]!["token_ids"]!.ToJsonString());
    }

    [Theory]
    [InlineData("paper")]
    [InlineData("aligned")]
    public async Task Think_Resumed_EqualsUninterruptedRunBitForBit(string positions)
    {
        await CliRun.JsonAsync("think", _llama, "--token-ids", Demonstrations, "--steps", "6", "--step-size", "0.05", "--positions", positions, "-o", _folder["whole.kv"]);
        await CliRun.JsonAsync("think", _llama, "--token-ids", Demonstrations, "--steps", "3", "--step-size", "0.05", "--positions", positions, "-o", _folder["half.kv"]);
        await CliRun.JsonAsync("think", _llama, "--resume", _folder["half.kv"], "--steps", "6", "-o", _folder["resumed.kv"]);
        Assert.Equal(File.ReadAllBytes(_folder["whole.kv"]), File.ReadAllBytes(_folder["resumed.kv"]));
        Assert.NotEqual(File.ReadAllBytes(_folder["whole.kv"]), File.ReadAllBytes(_folder["half.kv"]));
    }

    [Fact]
    public async Task Think_ResumedToFewerSteps_IsUsage()
    {
        await CliRun.JsonAsync("think", _llama, "--token-ids", Demonstrations, "--steps", "3", "-o", _folder["a.kv"]);
        (await CliRun.Async("think", _llama, "--resume", _folder["a.kv"], "--steps", "3", "-o", _folder["b.kv"])).AssertFails(2, "step 3");
        Assert.False(File.Exists(_folder["b.kv"]));
    }

    [Fact]
    public async Task Think_SeveralSets_EqualEachSetAlone()
    {
        const string Other = "3,4,5,6,7";
        await CliRun.JsonAsync("think", _llama, "--token-ids", Demonstrations, "--token-ids", Other, "--steps", "3", "-o", _folder["sets"], "--device", "reference");
        await CliRun.JsonAsync("think", _llama, "--token-ids", Other, "--steps", "3", "-o", _folder["alone.kv"], "--device", "reference");
        Assert.Equal(File.ReadAllBytes(_folder["alone.kv"]), File.ReadAllBytes(Path.Combine(_folder["sets"], "set-2.kv.safetensors")));
        Assert.True(File.Exists(Path.Combine(_folder["sets"], "set-1.kv.safetensors")));
    }

    [Fact]
    public async Task Think_LayersAndOnly_LeaveTheRestAsItWas()
    {
        var json = await CliRun.JsonAsync(
            "think", _llama, "--token-ids", Demonstrations, "--steps", "3", "--layers", "1-2", "--only", "values", "-o", _folder["a.kv"]);
        var layers = json["sets"]![0]!["steps"]![2]!["layers"]!.AsArray();
        Assert.All(layers, layer => Assert.Equal(0, layer!["key_displacement"]!.GetValue<double>()));
        Assert.Equal(0, layers[0]!["value_displacement"]!.GetValue<double>());
        Assert.True(layers[1]!["value_displacement"]!.GetValue<double>() > 0);
        Assert.True(layers[1]!["key_gradient_norm"]!.GetValue<double>() > 0);
    }

    [Fact]
    public async Task Think_DevelopmentSet_KeepsTheFirstBestStep()
    {
        var json = await CliRun.JsonAsync(
            "think", random.Folder, "--demos", random.Demonstrations, "--dev", random.Queries,
            "--choose", "dev", "--steps", "5", "--step-size", "0.3", "-o", _folder["a.kv"]);
        var set = json["sets"]![0]!;
        var accuracies = set["steps"]!.AsArray().Select(step => step!["dev_accuracy"]!["value"]!.GetValue<double>()).ToArray();
        Assert.Equal(5, accuracies.Length);
        Assert.Equal(Array.IndexOf(accuracies, accuracies.Max()) + 1, set["chosen_step"]!.GetValue<int>());
        var infer = await CliRun.JsonAsync("infer", random.Folder, "--kv", _folder["a.kv"], "--queries", random.Queries);
        Assert.Equal(accuracies.Max(), infer["accuracy"]!["value"]!.GetValue<double>());
    }

    [Fact]
    public async Task Think_TextFile_IsTakenVerbatimWithSpecialTokens()
    {
        var text = _folder.Write("demos.txt", "hot cold\n\nbig small\n\n");
        var pairs = _folder.Write("demos.json", """[{"input":"hot","output":"cold"},{"input":"big","output":"small"}]""");
        await CliRun.JsonAsync("think", random.Folder, "--demos", text, "--steps", "2", "-o", _folder["text.kv"]);
        await CliRun.JsonAsync("think", random.Folder, "--demos", pairs, "--steps", "2", "-o", _folder["pairs.kv"]);
        Assert.Equal(File.ReadAllBytes(_folder["text.kv"]), File.ReadAllBytes(_folder["pairs.kv"]));
        var metadata = (await CliRun.JsonAsync("inspect", _folder["text.kv"]))["metadata"]!;
        Assert.StartsWith("1508,", metadata["demonstration_ids"]!.GetValue<string>());
        Assert.Equal("2", metadata["steps"]!.GetValue<string>());
    }

    [Fact]
    public async Task Think_Cancelled_ExitsWith130AndLeavesNoFile()
    {
        using var cancellation = new CancellationTokenSource();
        using var error = new CancellingWriter(cancellation);
        using var output = new StringWriter();
        var code = await Cli.RunAsync(
            ["think", _llama, "--token-ids", Demonstrations, "--steps", "100000", "-o", _folder["a.kv"]], output, error, cancellation.Token);
        Assert.Equal(130, code);
        Assert.EndsWith($"rt: cancelled{Environment.NewLine}", error.ToString());
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
        Assert.Empty(output.ToString());
    }

    [Fact]
    public async Task Think_MorePositionsThanTheModelHas_IsUsage()
    {
        var forty = string.Join(',', Enumerable.Range(1, 40));
        (await CliRun.Async("think", Fixtures.Golden("gpt2"), "--token-ids", forty, "--steps", "2", "-o", _folder["a.kv"])).AssertFails(2, "80 positions");
        Assert.Equal(0, (await CliRun.Async("think", Fixtures.Golden("gpt2"), "--token-ids", forty, "--steps", "2", "--positions", "aligned", "-o", _folder["b.kv"])).Code);
        Assert.False(File.Exists(_folder["a.kv"]));
    }

    [Theory]
    [InlineData(2, "--steps", "0")]
    [InlineData(2, "--steps", "x")]
    [InlineData(2, "--step-size", "0,01")]
    [InlineData(2, "--momentum", "nan")]
    [InlineData(2, "--layers", "0-9")]
    [InlineData(2, "--choose", "dev")]
    [InlineData(2, "--unknown", "1")]
    [InlineData(2, "--token-ids", "1,99999")]
    [InlineData(5, "--device", "tpu")]
    [InlineData(5, "--device", "cuda")]
    public async Task Think_BadOption_FailsInOneLine(int code, string option, string value)
    {
        (await CliRun.Async("think", _llama, "--token-ids", Demonstrations, "-o", _folder["a.kv"], option, value)).AssertFails(code);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task Think_MissingOrBadFiles_AreBadFiles()
    {
        (await CliRun.Async("think", _folder["none/here"], "--token-ids", "1", "-o", _folder["a.kv"])).AssertFails(3, "none/here");
        (await CliRun.Async("think", _llama, "--demos", _folder["none.txt"], "-o", _folder["a.kv"])).AssertFails(3, "none.txt");
        (await CliRun.Async("think", _llama, "--token-ids", "1", "-o", _folder["no/such/a.kv"])).AssertFails(3, "folder");
        var bad = _folder.Write("bad.jsonl", "{\"input\": \"a\", \"output\": \"b\"}\n{\"input\": \"c\"}\n");
        (await CliRun.Async("think", _llama, "--demos", bad, "-o", _folder["a.kv"])).AssertFails(3, "line 2", "output");
    }

    private static double LogProbability(JsonNode json, int option) =>
        json["results"]![0]!["options"]![option]!["log_probability"]!.GetValue<double>();

    /// <summary>Cancels as soon as the command says that the model is loaded.</summary>
    private sealed class CancellingWriter(CancellationTokenSource cancellation) : StringWriter
    {
        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            if (value?.Contains("llama,", StringComparison.Ordinal) == true)
            {
                cancellation.CancelAfter(50);
            }
        }
    }
}
