// rt eval end to end on a random model: shards and merging, resuming, replaying, controls, files.
using System.Text.Json.Nodes;
using Rt.Cpu;
using Rt.Eval;
using Rt.Model;

namespace Rt.Cli.Tests;

public sealed class EvalRunTests(AttentiveModel random) : IClassFixture<AttentiveModel>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>A small run over a rule and a task with options: the random model's accuracies are then not all zero.</summary>
    private string[] Small(params string[] more)
    {
        var usual = new Dictionary<string, string>
        {
            ["--task"] = $"to_upper,{Choices()}",
            ["--seeds"] = "0,1",
            ["--sets"] = "2",
            ["--queries"] = "6",
            ["--dev"] = "4",
            ["--shots"] = "3",
            ["--steps"] = "3",
            ["--fixed-step"] = "2",
            ["--resamples"] = "200",
        };
        return ["eval", random.Folder, "--no-timing", .. usual.Where(option => !more.Contains(option.Key)).SelectMany(option => new[] { option.Key, option.Value }), .. more];
    }

    private string Choices(string name = "choices", int count = 60)
    {
        string[] options = ["red", "green", "blue"];
        var lines = Enumerable.Range(0, count).Select(i => $"{{\"input\":\"the {i * 7 % 13} of {i}\",\"output\":\"{options[i * 5 % 7 % 3]}\"}}");
        _folder.Write($"{name}.jsonl", string.Join('\n', lines));
        return _folder.Write($"{name}.task.json", $"{{\"options\":[\"red\",\"green\",\"blue\"],\"train\":\"{name}.jsonl\"}}");
    }

    private static async Task<CliRun> Ok(params string[] args)
    {
        var run = await CliRun.Async(args);
        Assert.True(run.Code == 0, run.Error);
        return run;
    }

    private static string[] Results(string folder) => [.. Directory.GetFiles(folder).Order(StringComparer.Ordinal)];

    private static void AssertSameFiles(string expected, string found)
    {
        Assert.Equal(Results(expected).Select(Path.GetFileName), Results(found).Select(Path.GetFileName));
        Assert.All(Results(expected).Zip(Results(found)), pair => Assert.True(
            File.ReadAllBytes(pair.First).AsSpan().SequenceEqual(File.ReadAllBytes(pair.Second)), Path.GetFileName(pair.First)));
    }

    [Fact]
    public async Task Eval_InThreeShards_MergesToTheBytesOfTheWholeRun()
    {
        var whole = await Ok(Small("-o", _folder["whole"]));
        for (var i = 1; i <= 3; i++)
        {
            await Ok(Small("-o", _folder[i == 3 ? "other" : "shards"], "--shard", $"{i}/3"));
        }

        var merged = await Ok("eval", "merge", _folder["shards"], _folder["other"], "-o", _folder["merged"]);
        Assert.Equal(whole.Out, merged.Out);
        Assert.Contains("to_upper", merged.Out);
        File.Copy(Path.Combine(_folder["shards"], "run.json"), Path.Combine(_folder["merged"], "run.json"));
        AssertSameFiles(_folder["whole"], _folder["merged"]);
    }

    [Fact]
    public async Task Merge_UnitsMissing_IsUsageThatCountsThem()
    {
        await Ok(Small("-o", _folder["part"], "--shard", "1/4"));
        (await CliRun.Async("eval", "merge", _folder["part"])).AssertFails(2, "3 of 4 units are missing");
        (await CliRun.Async("eval", "merge", _folder["absent"])).AssertFails(3, "run.json");
    }

    [Fact]
    public async Task Run_CancelledAfterAUnit_ResumesToTheBytesOfAnUninterruptedRun()
    {
        using var device = new CpuDevice(new CpuOptions(Threads: 2));
        using var model = LanguageModel.Load(random.Folder, device);
        var settings = new EvalSettings { Draw = new DrawSettings(3, 2, 6, 4, 2, DrawKind.Auto), Steps = 3, Timing = false };
        var plan = EvalPlan.Make(model, TaskCatalog.Resolve(["to_upper", Choices()], null), [], settings);
        var manifest = RunManifest.Of(plan, new RunModel("m", "llama", 4, 128, "F32", model.Identity.Model, "cpu", "F32"), settings, new ReadingSettings { Resamples = 200 }, "1");
        RunFolder Folder(string name) => RunFolder.Create(_folder[name], manifest);
        using var cancellation = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => EvalRun.Run(
            model, null, plan, settings, Shard.Whole, Folder("torn"), (_, _, detail) => Stop(detail), cancellation.Token));
        Assert.Equal(["to_upper.seed-0.0.json"], Directory.GetFiles(Path.Combine(_folder["torn"], "units"), "*.json").Select(Path.GetFileName));

        var measured = new List<string>();
        Write("torn", EvalRun.Run(model, null, plan, settings, Shard.Whole, Folder("torn"), (_, _, detail) => measured.Add(detail)));
        Assert.DoesNotContain(measured, detail => detail.StartsWith("to_upper.seed-0.0:", StringComparison.Ordinal));
        Assert.Contains(measured, detail => detail.StartsWith("to_upper.seed-1.0:", StringComparison.Ordinal));
        Write("whole", EvalRun.Run(model, null, plan, settings, Shard.Whole, Folder("whole")));
        AssertSameFiles(_folder["whole"], _folder["torn"]);

        await cancellation.CancelAsync();
        Assert.Equal(130, await Cli.RunAsync(Small(), TextWriter.Null, TextWriter.Null, cancellation.Token));

        // In the middle of the second unit.
        void Stop(string detail)
        {
            if (detail == "to_upper.seed-1.0: deep-thinking")
            {
                cancellation.Cancel();
            }
        }

        void Write(string name, IReadOnlyList<UnitRecord> records) =>
            ReportFiles.Write(_folder[name], manifest, records, ResultTable.Rows(records, manifest.Reading));
    }

    [Fact]
    public async Task Eval_FolderOfAnotherRun_IsUsage()
    {
        await Ok(Small("-o", _folder["run"]));
        (await CliRun.Async(Small("-o", _folder["run"], "--momentum", "0.5"))).AssertFails(2, _folder["run"], "other settings");
        (await CliRun.Async(Small("-o", _folder["run"], "--task", "to_lower"))).AssertFails(2, _folder["run"]);
    }

    [Fact]
    public async Task Eval_RecordTornOrOfAnotherRun_IsBadFile()
    {
        await Ok(Small("-o", _folder["run"]));
        var unit = Path.Combine(_folder["run"], "units", "to_upper.seed-0.0.json");
        var text = File.ReadAllText(unit);
        File.WriteAllText(unit, text[..(text.Length / 2)]);
        (await CliRun.Async("eval", "merge", _folder["run"])).AssertFails(3, unit);
        File.WriteAllText(unit, text.Replace("\"correct\":[\"", "\"correct\":[\"1"));
        (await CliRun.Async("eval", "merge", _folder["run"])).AssertFails(3, unit, "answers");
        File.WriteAllText(unit, text.Replace("to_upper.seed-0.0", "to_upper.seed-1.0"));
        (await CliRun.Async("eval", "merge", _folder["run"])).AssertFails(3, unit);
    }

    [Fact]
    public async Task Eval_DrawsReplayed_GiveTheSameResults()
    {
        var first = await Ok(Small("-o", _folder["first"], "--save-draws", _folder["saved.json"]));
        Assert.Equal(File.ReadAllBytes(Path.Combine(_folder["first"], "draws.json")), File.ReadAllBytes(_folder["saved.json"]));
        var replayed = await Ok(Small("--draws", _folder["saved.json"]));
        Assert.Equal(first.Out, replayed.Out);

        // Other draws are used as they are: one query less in every set of one seed.
        var draws = JsonNode.Parse(File.ReadAllText(_folder["saved.json"]))!;
        foreach (var set in draws["tasks"]!["to_upper"]!.AsArray())
        {
            set!["queries"]!.AsArray().RemoveAt(0);
        }

        _folder.Write("fewer.json", draws.ToJsonString());
        var fewer = JsonNode.Parse((await Ok(Small("--draws", _folder["fewer.json"], "--json"))).Out)!;
        Assert.Equal(8, (int)fewer["rt"]!["rows"]!.AsArray().First(row => (string?)row!["task"] == "to_upper")!["n"]!);
        (await CliRun.Async(Small("--draws", _folder["saved.json"], "--seeds", "5"))).AssertFails(2, "seed 5");
    }

    [Fact]
    public async Task Eval_ShuffledLabels_ChangesWhatTheModelAnswersButNotTheQueries()
    {
        var arguments = Small("-o", _folder["run"], "--method", "icl,shuffled-labels", "--queries", "30", "--sets", "6");
        await Ok(arguments);
        var samples = File.ReadLines(Path.Combine(_folder["run"], "samples_choices.jsonl")).Select(line => JsonNode.Parse(line)!).ToArray();
        var plain = samples.Where(sample => (string?)sample["method"] == "icl").ToArray();
        var shuffled = samples.Where(sample => (string?)sample["method"] == "icl, shuffled-labels").ToArray();
        Assert.Equal(60, plain.Length);
        Assert.Equal(plain.Select(sample => (string?)sample["doc"]!["input"]), shuffled.Select(sample => (string?)sample["doc"]!["input"]));
        Assert.NotEqual(plain.Select(sample => (string?)sample["filtered_resps"]![0]), shuffled.Select(sample => (string?)sample["filtered_resps"]![0]));
    }

    [Fact]
    public async Task Eval_EveryMethodAndControl_HasItsRows()
    {
        var json = await CliRun.JsonAsync(Small(
            "--method", "zero-shot,icl,deep-thinking,task-vector,conflicting,repeated,selection-only,shuffled-labels,random-weights",
            "--conflict", "to_upper:next_letter", "--seeds", "0", "--repeats", "2,3", "--choose", "fixed,dev,oracle", "--fixed-layer", "1"));
        var methods = json["rt"]!["rows"]!.AsArray().Where(row => (string?)row!["task"] == "choices").Select(row => (string)row!["method"]!).ToArray();
        string[] expected =
        [
            "zero-shot", "icl", "deep-thinking, step 2", "deep-thinking, step by dev", "deep-thinking, best step (oracle)", "task-vector, layer 1",
            "task-vector, layer by dev", "task-vector, best layer (oracle)", "icl, demonstrations x2", "icl, demonstrations x3", "selection-only, order by dev",
            "selection-only, best order (oracle)", "icl, shuffled-labels", "deep-thinking, step by dev, shuffled-labels", "task-vector, layer by dev, shuffled-labels",
            "zero-shot, random-weights", "icl, random-weights", "deep-thinking, step 2, random-weights", "task-vector, layer 1, random-weights",
        ];
        Assert.Empty(expected.Except(methods));
        Assert.Contains(json["rt"]!["rows"]!.AsArray(), row => (string?)row!["task"] == "to_upper ← next_letter" && (string?)row["method"] == "conflicting, layer by dev, answer of the written task");
    }

    [Fact]
    public async Task Eval_StepOneAndStepSizeZero_AreInContextLearning()
    {
        await Ok(Small("-o", _folder["run"], "--method", "icl,deep-thinking,selection-only", "--step-size", "0"));
        var unit = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder["run"], "units", "choices.seed-0.0.json")))!;
        var measured = unit["measurements"]!.AsArray().ToDictionary(one => (string)one!["method"]!, one => one!["correct"]!.AsArray().Select(bits => (string)bits!).ToArray());
        Assert.All(measured["deep-thinking"], bits => Assert.Equal(measured["icl"][0], bits[..6]));
        Assert.Equal(measured["deep-thinking"][0], measured["selection-only"][0]);
        Assert.All(unit["key_gradient_norms"]!.AsArray()[0]!.AsArray(), norm => Assert.Equal(0, (double)norm!));
    }

    [Fact]
    public async Task Eval_SingleToken_KeepsOutputsOfOneTokenAndWarnsOfFew()
    {
        var pairs = Enumerable.Range(0, 24).Select(i => $"\"in{i}\":\"{(i % 3 == 0 ? "incomprehensible" : $"{(char)('a' + i)}")}\"");
        var file = _folder.Write("letters.json", $"{{{string.Join(',', pairs)}}}");
        var run = await Ok(Small("--task", $"{file},to_upper", "--single-token", "--shots", "2", "--queries", "2", "--sets", "1", "--dev", "0", "--method", "icl", "-o", _folder["run"]));
        using var device = new CpuDevice(new CpuOptions(Threads: 1));
        using var model = LanguageModel.Load(random.Folder, device);
        bool OneToken(string text) => model.Encode("!" + text, addSpecialTokens: false).Length == 2;
        var letters = Enumerable.Range(0, 24).Where(i => i % 3 != 0).Select(i => $"{(char)('a' + i)}").ToArray();
        var (bare, spaced) = (letters.Count(OneToken), letters.Count(letter => OneToken(" " + letter)));
        var kept = spaced >= 0.7 * bare ? spaced : bare;
        Assert.InRange(kept, 8, 16);
        Assert.Contains($"warning: task 'letters': {kept} of 24", run.Error);
        Assert.DoesNotContain("to_upper'", run.Error);
        var sets = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder["run"], "draws.json")))!["tasks"]!["letters"]!.AsArray();
        var outputs = sets.SelectMany(set => set!["demonstrations"]!.AsArray().Concat(set["queries"]!.AsArray())).Select(example => (string)example!["output"]!);
        Assert.All(outputs, output => Assert.True(OneToken(output) && output.StartsWith(' ') == (spaced >= 0.7 * bare), output));
    }

    [Fact]
    public async Task Eval_Timing_IsRecordedUnlessLeftOut()
    {
        var timed = await CliRun.JsonAsync([.. Small("--method", "icl", "--seeds", "0").Where(argument => argument != "--no-timing")]);
        Assert.All(timed["rt"]!["rows"]!.AsArray(), row => Assert.True((double)row!["ms_per_query"]! > 0));
        Assert.True((long)timed["date"]! > 0);
        var untimed = await CliRun.JsonAsync(Small("--method", "icl", "--seeds", "0"));
        Assert.All(untimed["rt"]!["rows"]!.AsArray(), row => Assert.Null(row!["ms_per_query"]));
        Assert.Null(untimed["date"]);
    }
}
