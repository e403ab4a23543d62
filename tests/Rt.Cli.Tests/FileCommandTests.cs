// rt extract, verify, inspect, convert, doctor and the help.
using Rt.Formats;
using Rt.Tests;

namespace Rt.Cli.Tests;

public sealed class FileCommandTests(RandomModel random) : IClassFixture<RandomModel>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Extract_Demonstrations_DrawsBySeed()
    {
        var demos = random.Demonstrations;
        foreach (var (file, seed) in new[] { ("a", "1"), ("b", "1"), ("c", "2") })
        {
            var json = await CliRun.JsonAsync("extract", random.Folder, "--demos", demos, "--datasets", "3", "--shots", "4", "--seed", seed, "-o", _folder[file]);
            Assert.Equal(6, json["n"]!.GetValue<int>());
            Assert.Equal(4, json["layers"]!.AsArray().Count);
            var prompts = json["prompts"]!.AsArray().Select(prompt => prompt!["text"]!.GetValue<string>()).ToArray();
            Assert.All(prompts, prompt => Assert.EndsWith("->", prompt));
            Assert.All(prompts, prompt => Assert.Equal(5, prompt.Split("example:").Length - 1));
        }

        Assert.Equal(File.ReadAllBytes(_folder["a"]), File.ReadAllBytes(_folder["b"]));
        Assert.NotEqual(File.ReadAllBytes(_folder["a"]), File.ReadAllBytes(_folder["c"]));
    }

    [Fact]
    public async Task Extract_WrongCalls_AreUsage()
    {
        var llama = Fixtures.Golden("llama-gqa");
        (await CliRun.Async("extract", llama, "-o", _folder["v"])).AssertFails(2, "--demos");
        (await CliRun.Async("extract", llama, "--token-ids", "1,2", "--layer", "3", "-o", _folder["v"])).AssertFails(2, "--layer");
        (await CliRun.Async("extract", random.Folder, "--demos", random.Demonstrations, "--shots", "11", "-o", _folder["v"])).AssertFails(2, "11");
        (await CliRun.Async("extract", Fixtures.Golden("neox"), "--token-ids", "1", "--point", "mid", "-o", _folder["v"])).AssertFails(2, "parallel");
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task Verify_Goldens_Pass()
    {
        var json = await CliRun.JsonAsync("verify", Fixtures.Goldens);
        Assert.True(json["passed"]!.GetValue<bool>());
        Assert.True(json["cases"]!.AsArray().Count > 20);
        Assert.All(json["cases"]!.AsArray(), one => Assert.NotEmpty(one!["quantities"]!.AsArray()));
    }

    [Fact]
    public async Task Verify_TamperedCase_ExitsWith6AndNamesThePlace()
    {
        var copy = _folder.Copy(Fixtures.Golden("llama-gqa"), "case");
        TemporaryFolder.Poke(Path.Combine(copy, "expected.safetensors"), "p1.logits", 17, 1000);
        var run = await CliRun.Async("verify", _folder.Path, "--json");
        Assert.Equal(6, run.Code);
        var logits = run.Json["cases"]![0]!["quantities"]!.AsArray().Single(quantity => quantity!["name"]!.GetValue<string>() == "logits")!;
        Assert.False(logits["passed"]!.GetValue<bool>());
        Assert.Equal("p1.logits[17]", logits["at"]!.GetValue<string>());
        Assert.Contains("FAILED", (await CliRun.Async("verify", _folder.Path)).Out);
    }

    [Fact]
    public async Task Verify_MalformedCase_DoesNotHideTheOthers()
    {
        _folder.Copy(Fixtures.Golden("llama-gqa"), "sound");
        File.WriteAllBytes(Path.Combine(_folder.Copy(Fixtures.Golden("llama-gqa"), "broken"), "expected.safetensors"), [1, 2, 3]);
        var run = await CliRun.Async("verify", _folder.Path, "--json");
        Assert.Equal(3, run.Code);
        Assert.Equal("sound", Assert.Single(run.Json["cases"]!.AsArray())!["case"]!.GetValue<string>());
        Assert.Equal("broken", Assert.Single(run.Json["errors"]!.AsArray())!["case"]!.GetValue<string>());
        (await CliRun.Async("verify", _folder["none"])).AssertFails(3, "none");
    }

    [Fact]
    public async Task Inspect_Model_ReportsConfigSizesTokenizerAndTensors()
    {
        var json = await CliRun.JsonAsync("inspect", random.Folder);
        Assert.Equal("llama", json["config"]!["model_type"]!.GetValue<string>());
        Assert.Equal(2 * 4 * 2 * 32 * 4, json["sizes"]!["kv_bytes_per_token_f32"]!.GetValue<int>());
        Assert.Equal(1508, json["config"]!["bos_token_id"]!.GetValue<int>());
        Assert.Equal(1514, json["tokenizer"]!["vocabulary"]!.GetValue<int>());
        Assert.Equal(0, json["unsound_tensors"]!.GetValue<int>());
        var sum = json["tensors"]!.AsArray().Sum(tensor => tensor!["shape"]!.AsArray().Aggregate(1L, (n, size) => n * size!.GetValue<long>()));
        Assert.Equal(sum, json["sizes"]!["parameters"]!.GetValue<long>());
    }

    [Theory]
    [InlineData(float.NaN, 1, 0)]
    [InlineData(float.NegativeInfinity, 0, 1)]
    public async Task Inspect_UnsoundWeight_IsCountedWithItsPlace(float value, int nan, int infinite)
    {
        var copy = _folder.Copy(Fixtures.Golden("llama-mha"), "model");
        string tensor;
        using (var file = SafetensorsFile.Open(Path.Combine(copy, "model.safetensors")))
        {
            tensor = file.Entries.Values.First(entry => entry.DType == Core.DType.F32 && entry.Shape.Length == 2).Name;
        }

        TemporaryFolder.Poke(Path.Combine(copy, "model.safetensors"), tensor, 71, value);
        var json = await CliRun.JsonAsync("inspect", copy);
        Assert.Equal(1, json["unsound_tensors"]!.GetValue<int>());
        var scan = json["tensors"]!.AsArray().Single(one => one!["name"]!.GetValue<string>() == tensor)!["scan"]!;
        Assert.Equal((nan, infinite, 71), (scan["nan"]!.GetValue<int>(), scan["infinite"]!.GetValue<int>(), scan["first"]!.GetValue<int>()));
        Assert.Contains("first at [", (await CliRun.Async("inspect", copy)).Out);
        Assert.Null((await CliRun.JsonAsync("inspect", copy, "--no-scan"))["unsound_tensors"]);
    }

    [Fact]
    public async Task Inspect_StateAndTokenizer_AreRecognised()
    {
        await CliRun.JsonAsync("think", random.Folder, "--demos", random.Demonstrations, "--steps", "2", "-o", _folder["kv"]);
        var kept = await CliRun.JsonAsync("inspect", _folder["kv"]);
        Assert.Equal("kept_kv", kept["kind"]!.GetValue<string>());
        Assert.Equal(4 * 4, kept["norms"]!.AsArray().Count);
        await CliRun.JsonAsync("extract", random.Folder, "--demos", random.Demonstrations, "-o", _folder["vector"]);
        var vector = await CliRun.JsonAsync("inspect", _folder["vector"]);
        Assert.Equal("task_vector", vector["kind"]!.GetValue<string>());
        Assert.Equal([0, 1, 2, 3], vector["norms"]!.AsArray().Select(norm => norm!["layer"]!.GetValue<int>()));
        var tokenizer = await CliRun.JsonAsync("inspect", Fixtures.Golden("tokenizers/gpt2"));
        Assert.Equal("tokenizer", tokenizer["kind"]!.GetValue<string>());
        Directory.CreateDirectory(_folder["empty"]);
        (await CliRun.Async("inspect", _folder["empty"])).AssertFails(3, "config.json");
        (await CliRun.Async("inspect", _folder["none/here"])).AssertFails(3, "none/here");
        (await CliRun.Async("inspect", _folder.Write("x.safetensors", "abc"))).AssertFails(3, "x.safetensors");
    }

    [Theory]
    [InlineData("\"hidden_size\": 48", "\"hidden_size\": 0", 3, "hidden_size")]
    [InlineData("\"hidden_size\": 48", "\"hidden_size\": -48", 3, "hidden_size")]
    [InlineData("\"hidden_size\": 48", "\"hidden_size\": 4000000000", 3, "hidden_size")]
    [InlineData("\"num_attention_heads\": 6", "\"num_attention_heads\": 7", 3, "")]
    [InlineData("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 4", 3, "num_key_value_heads")]
    [InlineData("\"rope_theta\": 500000.0", "\"rope_theta\": \"nan\"", 3, "rope_theta")]
    [InlineData("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"spiral\", \"factor\": 2.0}", 4, "spiral")]
    [InlineData("\"model_type\": \"llama\"", "\"model_type\": \"perceiver\"", 4, "perceiver")]
    [InlineData("\"model_type\": \"llama\",", "", 3, "model_type")]
    [InlineData("\"intermediate_size\": 104", "\"intermediate_size\": 96", 3, "mlp")]
    [InlineData("\"vocab_size\": 139,", "\"vocab_size\": 139", 3, "config.json")]
    public async Task Inspect_FaultyConfig_FailsInOneLine(string old, string replacement, int code, string part)
    {
        var copy = _folder.Copy(Fixtures.Golden("llama-gqa"), "model");
        var config = Path.Combine(copy, "config.json");
        var text = File.ReadAllText(config);
        Assert.Contains(old, text);
        File.WriteAllText(config, text.Replace(old, replacement));
        (await CliRun.Async("inspect", copy)).AssertFails(code, part);
        (await CliRun.Async("infer", copy, "--token-ids", "1")).AssertFails(code, part);
    }

    [Fact]
    public async Task Inspect_ConfigNamingCode_IsWarnedAbout()
    {
        var copy = _folder.Copy(Fixtures.Golden("llama-gqa"), "model");
        var config = Path.Combine(copy, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"vocab_size\"", "\"auto_map\": {\"AutoModel\": \"x.Y\"}, \"vocab_size\""));
        var run = await CliRun.Async("inspect", copy);
        Assert.Equal(0, run.Code);
        Assert.Contains("rt: warning:", run.Error);
        Assert.Contains("auto_map", run.Error);
    }

    [Fact]
    public async Task Convert_TorchCheckpoint_WritesSafetensorsOnce()
    {
        File.Copy(Path.Combine(Fixtures.Root, "torch", "types", "pytorch_model.bin"), _folder["pytorch_model.bin"]);
        var json = await CliRun.JsonAsync("convert", _folder.Path);
        Assert.True(File.Exists(json["path"]!.GetValue<string>()));
        Assert.True(json["tensors"]!.GetValue<int>() > 0);
        (await CliRun.Async("convert", _folder.Path)).AssertFails(2, "already");
        (await CliRun.Async("convert", Fixtures.Golden("tokenizers/gpt2"))).AssertFails(3);
    }

    [Theory]
    [InlineData("cpu", 1e-4)]
    [InlineData("reference", 1e-12)]
    public async Task Dual_BothForms_AgreeToRoundingInEveryHead(string device, double tolerance)
    {
        var json = await CliRun.JsonAsync(
            "dual", random.Folder, "--demos", random.Demonstrations, "--queries", random.Queries, "--device", device);
        var heads = json["heads"]!.AsArray();
        Assert.Equal(4 * 4, heads.Count);
        Assert.All(heads, head => Assert.InRange(head!["form_difference"]!.GetValue<double>(), 0, tolerance));
        Assert.All(heads, head => Assert.InRange(head!["cosine_with_without"]!.GetValue<double>(), -1, 0.9999));
        Assert.Contains(heads, head => Math.Abs(head!["cosine_effect_update"]!.GetValue<double>()) > 0.05);
    }

    [Fact]
    public async Task Doctor_OneOp_PassesOnTheCpuAndSaysWhetherThereIsAGpu()
    {
        var json = await CliRun.JsonAsync("doctor", "--op", "PatchRows");
        var cpu = json["devices"]!.AsArray().Single(device => device!["name"]!.GetValue<string>() == "cpu")!;
        Assert.True(cpu["n"]!.GetValue<int>() > 0);
        Assert.Equal(cpu["n"]!.GetValue<int>(), cpu["passed"]!.GetValue<int>());
        // A GPU is either listed or its absence explained.
        var gpus = json["devices"]!.AsArray().Count(device => device!["name"]!.GetValue<string>().StartsWith("cuda:", StringComparison.Ordinal));
        var reasons = json["absent"]!.AsArray().Select(device => device!["reason"]!.GetValue<string>()).ToArray();
        Assert.True(gpus > 0 || reasons.Single().StartsWith("cuda: ", StringComparison.Ordinal));
        (await CliRun.Async("doctor", "--op", "Frobnicate")).AssertFails(2, "MatMul");
    }

    [Fact]
    public async Task Doctor_Kernels_NamesTheChoiceOfEveryArchitecture()
    {
        var names = Rt.Kernels.KernelCatalog.All.Select(entry => entry.Name).ToHashSet();
        var rows = (await CliRun.JsonAsync("doctor", "--op", "MatMul"))["kernels"]!.AsArray();
        Assert.Equal(["BF16", "F32"], rows.Select(row => row!["dtype"]!.GetValue<string>().ToUpperInvariant()).Distinct().Order());
        foreach (var row in rows)
        {
            Assert.Equal(["sm_80", "sm_90"], row!["kernels"]!.AsObject().Select(pair => pair.Key));
            Assert.All(row["kernels"]!.AsObject(), pair => Assert.Subset(names, Kernels(row, pair.Key)));
            // Tensor cores for half precision with many rows, never for F32.
            var isMma = Kernels(row, "sm_90").Any(name => name.StartsWith("MatMulMma", StringComparison.Ordinal));
            var isLarge = row["sizes"]!.GetValue<string>().StartsWith("rows=512,", StringComparison.Ordinal);
            Assert.True(row["dtype"]!.GetValue<string>() == "f32" ? !isMma : isMma || !isLarge, row.ToJsonString());
        }

        Assert.Empty((await CliRun.JsonAsync("doctor", "--device", "cpu", "--op", "PatchRows"))["kernels"]!.AsArray());
        Assert.Contains("PatchRowsKernel_BFloat16", (await CliRun.Async("doctor", "--op", "PatchRows")).Out);

        static HashSet<string> Kernels(System.Text.Json.Nodes.JsonNode row, string architecture)
        {
            HashSet<string> found = [.. row["kernels"]![architecture]!.AsArray().Select(name => name!.GetValue<string>())];
            Assert.NotEmpty(found);
            return found;
        }
    }

    [Theory]
    [InlineData("demo")]
    [InlineData("think")]
    [InlineData("infer")]
    [InlineData("extract")]
    [InlineData("dual")]
    [InlineData("verify")]
    [InlineData("convert")]
    [InlineData("inspect")]
    [InlineData("doctor")]
    public async Task Help_OfEveryCommand_HasExamples(string command)
    {
        var run = await CliRun.Async(command, "--help");
        Assert.Equal(0, run.Code);
        Assert.Contains("Examples:", run.Out);
        Assert.Contains($"  rt {command}", run.Out);
        Assert.Empty(run.Error);
    }

    [Fact]
    public async Task Root_WithoutCommandOrWithVersion_Informs()
    {
        Assert.Contains("think", (await CliRun.Async()).Out);
        Assert.Matches(@"^\d+\.\d+\.\d+", (await CliRun.Async("--version")).Out);
        (await CliRun.Async("thinx")).AssertFails(2, "thinx");
        var trace = await CliRun.Async("inspect", _folder["none/here"], "--trace");
        Assert.Equal(3, trace.Code);
        Assert.Contains(" at ", trace.Error);
    }
}
