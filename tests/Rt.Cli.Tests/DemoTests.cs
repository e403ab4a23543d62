// rt demo on the embedded model: its table and checks, the commands it names, folders that it must not touch; the model's own files.
using System.Text.Json.Nodes;
using Rt.Eval;
using Rt.Tests;

namespace Rt.Cli.Tests;

public sealed class DemoTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Demo_RunTwice_MeasuresTheSameAndItsChecksHold()
    {
        var folder = _folder["demo"];
        var json = await CliRun.JsonAsync("demo", folder, "--steps", "3", "--queries", "20");
        var table = json["table"]!.AsArray();
        Assert.Equal(9, table.Count);
        Assert.Equal("mean of 8 tasks", (string?)table[^1]!["task"]);
        Assert.All(table, line => Assert.All(["zero_shot", "few_shot", "deep_thinking", "task_vector"], name => Assert.InRange(Value(line!, name), 0, 1)));
        Assert.All(table.SkipLast(1), line => Assert.InRange((int)line!["n"]!, 10, 20));
        // Wide of what the model does: demonstrations tell which task is meant, kept keys and values and task vectors carry it.
        Assert.True(Value(table[^1]!, "few_shot") > Value(table[^1]!, "zero_shot") + 0.2, table.ToJsonString());
        Assert.True(Value(table[^1]!, "deep_thinking") > Value(table[^1]!, "zero_shot"), table.ToJsonString());
        Assert.Equal(table.SkipLast(1).Average(line => Value(line!, "few_shot")), Value(table[^1]!, "few_shot"), 1e-12);
        Assert.InRange((double)json["query_time"]!["fraction"]!, 0, 2);
        Assert.Equal(["country_capital", "country_language"], json["answers"]!.AsArray().Select(answer => (string?)answer!["task"]));
        Assert.Equal(["Brussels", "Dutch"], json["answers"]!.AsArray().Select(answer => (string?)answer!["right"]));
        Assert.All(["one_pass_is_few_shot", "patch_changed_logits", "bit_equal_after_patch"], check => Assert.True((bool)json[check]!, check));
        Assert.InRange((double)json["few_shot_max_logit_difference"]!, 0, 1e-3);
        Assert.Equal(0, (int)json["kernel"]!["different_from_cpu"]!);

        var files = Bytes(folder);
        var again = await CliRun.JsonAsync("demo", folder, "--steps", "3", "--queries", "20");
        Assert.Equal(table.ToJsonString(), again["table"]!.ToJsonString());
        Assert.Equal(json["answers"]!.ToJsonString(), again["answers"]!.ToJsonString());
        Assert.Equal(files, Bytes(folder));
    }

    [Fact]
    public async Task Demo_CommandsItNames_Work()
    {
        var json = await CliRun.JsonAsync("demo", _folder["demo"], "--steps", "2", "--queries", "5");
        Assert.All(json["files"]!.AsArray(), file => Assert.True(File.Exists((string)file!)));
        foreach (var line in json["next"]!.AsArray().Select(node => node!.GetValue<string>()).Where(line => line != "rt doctor"))
        {
            var run = await CliRun.Async([.. line.Replace("'", "").Split(' ').Skip(1)]);
            Assert.True(run.Code == 0, $"{line}: {run.Error}");
        }

        // Queries and demonstrations are apart, and the kept keys and values answer more of them than chance among 119 capitals would.
        var shown = DemonstrationFile.Read(Path.Combine(_folder["demo"], "capitals.jsonl")).Pairs.Select(pair => pair.Input);
        var queries = Path.Combine(_folder["demo"], "queries.jsonl");
        Assert.Empty(shown.Intersect(QueryFile.Read(queries).Select(query => query.Input!)));
        var infer = await CliRun.JsonAsync(
            "infer", _folder["demo"], "--kv", Path.Combine(_folder["demo"], "capitals.kv.safetensors"), "--queries", queries,
            "--template", "example:{input}->{output}", "--max-new-tokens", "1");
        Assert.Equal(QueryFile.Read(queries).Count, (int)infer["accuracy"]!["n"]!);
    }

    [Fact]
    public async Task Demo_FolderOfAnotherModel_IsLeftAlone()
    {
        var copy = _folder.Copy(Fixtures.Golden("llama-gqa"), "model");
        var before = Bytes(copy);
        (await CliRun.Async("demo", copy)).AssertFails(2, "other files");
        Assert.Equal(before, Bytes(copy));
    }

    [Fact]
    public async Task Demo_FolderWithTheModelTrainedOn_IsLeftAlone()
    {
        DefaultModel.Write(_folder["model"], default);
        var path = Path.Combine(_folder["model"], "model.safetensors");
        var weights = File.ReadAllBytes(path);
        weights[^1] ^= 1;
        File.WriteAllBytes(path, weights);
        (await CliRun.Async("demo", _folder["model"])).AssertFails(2, "other files");
        Assert.Equal(weights, File.ReadAllBytes(path));
    }

    [Fact]
    public void DefaultModel_Write_RestoresWhatIsNotAsItShouldBeAndTouchesNothingElse()
    {
        var folder = _folder["cache/model"];
        DefaultModel.Write(folder, default);
        var expected = Bytes(folder);
        Assert.Equal(DefaultModel.Files.Order(), expected.Select(file => file.Name));
        var (sound, longer, changed) = (Path.Combine(folder, "config.json"), Path.Combine(folder, "tokenizer.json"), Path.Combine(folder, "model.safetensors"));
        var old = new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(sound, old);
        File.AppendAllText(longer, " ");
        using (var stream = File.OpenWrite(changed))
        {
            stream.Position = stream.Length / 2;
            stream.WriteByte(0x5A);
            stream.WriteByte(0xA5);
        }

        DefaultModel.Write(folder, default);
        Assert.Equal(expected, Bytes(folder));
        Assert.Equal(old, File.GetLastWriteTimeUtc(sound));
    }

    private static double Value(JsonNode line, string name) => (double)line[name]!["value"]!;

    private static (string Name, string Bytes)[] Bytes(string folder) =>
        [.. Directory.GetFiles(folder).Order().Select(file => (Path.GetFileName(file), Convert.ToBase64String(File.ReadAllBytes(file))))];
}
