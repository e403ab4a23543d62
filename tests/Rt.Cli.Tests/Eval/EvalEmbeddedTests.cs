// rt eval on the embedded model and on its tasks: held-out inputs as test queries, the published pairs, other models.
using System.Text.Json.Nodes;
using Rt.Eval;

namespace Rt.Cli.Tests;

public sealed class EvalEmbeddedTests(RandomModel random) : IClassFixture<RandomModel>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Eval_WithoutModelAndTask_AsksTheEmbeddedModelItsHeldOutInputs()
    {
        var run = await CliRun.Async(
            "eval", "--method", "zero-shot,icl", "--seeds", "0", "--sets", "2", "--queries", "4", "--dev", "0", "--resamples", "100", "--no-timing",
            "--save-draws", _folder["draws.json"], "--json");
        Assert.True(run.Code == 0, run.Error);
        Assert.Contains(DefaultModel.Note, run.Error);
        Assert.Equal(DefaultModel.Name, (string?)run.Json["model_name"]);
        var draws = JsonNode.Parse(File.ReadAllText(_folder["draws.json"]))!["tasks"]!.AsObject();
        var tasks = TaskCatalog.Resolve(["embedded"], null).ToDictionary(task => task.Name);
        Assert.Equal(tasks.Keys.Order(), draws.Select(task => task.Key).Order());
        foreach (var (name, sets) in draws)
        {
            Assert.Subset(Inputs(tasks[name].Test!), Drawn(sets!, "queries"));
            Assert.Subset(Inputs(tasks[name].Train), Drawn(sets!, "demonstrations"));
        }

        // Wide of what the model does: demonstrations tell which task is meant.
        var rows = run.Json["rt"]!["rows"]!.AsArray();
        var mean = rows.Where(row => ((string)row!["task"]!).StartsWith("mean of", StringComparison.Ordinal)).ToDictionary(row => (string)row!["method"]!, row => (double)row!["accuracy"]!);
        Assert.True(mean["icl"] > mean["zero-shot"] + 0.2, $"{mean["icl"]} and {mean["zero-shot"]}");

        static HashSet<string> Inputs(IEnumerable<EvalExample> examples) => [.. examples.Select(example => example.Input)];

        static HashSet<string> Drawn(JsonNode sets, string part) => [.. sets.AsArray().SelectMany(set => set![part]!.AsArray()).Select(example => (string)example!["input"]!)];
    }

    [Fact]
    public async Task Eval_WithoutModel_ConflictsAndSingleTokensAreOfItsOwnTasks()
    {
        string[] small = ["--seeds", "0", "--sets", "1", "--resamples", "100"];
        var run = await CliRun.Async(["eval", "--method", "conflicting", "--queries", "2", "--dev", "2", "-o", _folder["conflicts"], .. small]);
        Assert.True(run.Code == 0, run.Error);
        var tasks = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder["conflicts"], "run.json")))!["tasks"]!.AsArray();
        Assert.Equal(9, tasks.Count);
        Assert.All(tasks, task => Assert.StartsWith("weights/tasks/", (string?)task!["source"]));

        // Every word is one token without a space before it: the published filter drops and changes nothing.
        var json = await CliRun.JsonAsync(["eval", "--task", "embedded/en_fr", "--single-token", "--method", "icl", "--queries", "0", "--dev", "0", .. small]);
        Assert.Equal(TaskCatalog.Resolve(["embedded/en_fr"], null)[0].Test!.Count, (int)json["rt"]!["rows"]![0]!["n"]!);
    }

    [Fact]
    public async Task Eval_EmbeddedTaskOnAnotherModel_Works()
    {
        var json = await CliRun.JsonAsync(
            "eval", random.Folder, "--task", "embedded/classify_animal_tool", "--method", "zero-shot", "--seeds", "0", "--sets", "1", "--queries", "0", "--resamples", "100");
        Assert.Equal(10, (int)Assert.Single(json["rt"]!["rows"]!.AsArray())!["n"]!);
    }
}
