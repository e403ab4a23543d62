// rt eval on wrong command lines and files: one line, the right exit code, nothing written.
namespace Rt.Cli.Tests;

public sealed class EvalUsageTests(RandomModel random) : IClassFixture<RandomModel>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(2, "'nonsense'", "--task", "nonsense")]
    [InlineData(2, "'think'", "--method", "think")]
    [InlineData(2, "--data", "--task", "sst2")]
    [InlineData(3, "train.jsonl", "--task", "sst2", "--data", "absent")]
    [InlineData(3, "absent.json", "--task", "absent.json")]
    [InlineData(2, "--seeds", "--seeds", "4-2")]
    [InlineData(2, "--seeds", "--seeds", "x")]
    [InlineData(2, "twice", "--seeds", "1,1")]
    [InlineData(2, "0 shots", "--shots", "0")]
    [InlineData(2, "inputs", "--shots", "30", "--task", "to_upper")]
    [InlineData(2, "--shard", "--shard", "1/2")]
    [InlineData(2, "i/n", "--shard", "3/2", "-o", "out")]
    [InlineData(2, "--fixed-layer 9", "--fixed-layer", "9")]
    [InlineData(2, "--fixed-step 9", "--fixed-step", "9", "--steps", "3")]
    [InlineData(2, "'best'", "--choose", "best")]
    [InlineData(2, "SHOWN:WRITTEN", "--method", "conflicting", "--conflict", "to_upper")]
    [InlineData(2, "two different", "--method", "conflicting", "--conflict", "to_upper:to_upper")]
    [InlineData(2, "no options", "--draw", "stratified", "--task", "to_upper")]
    [InlineData(3, "absent-draws.json", "--draws", "absent-draws.json")]
    [InlineData(2, "{input}", "--template", "nothing")]
    public async Task Eval_WrongOption_IsOneLine(int code, string part, params string[] options) =>
        (await CliRun.Async(["eval", random.Folder, .. options])).AssertFails(code, part);

    [Theory]
    [InlineData("", "empty")]
    [InlineData("[]", "not what is expected")]
    [InlineData("{\"format\":\"other\",\"tasks\":{}}", "other")]
    [InlineData("{\"format\":\"rt-eval-draws-1\",\"tasks\":{\"to_upper\":[{\"seed\":0,\"index\":0,\"demonstrations\":[],\"dummies\":[],\"queries\":[],\"dev\":[]}]}}", "queries")]
    [InlineData("{\"format\":\"rt-eval-draws-1\",\"tasks\":{\"to_upper\":[{\"seed\":0,\"index\":0}]}}", "not what is expected")]
    [InlineData(
        "{\"format\":\"rt-eval-draws-1\",\"tasks\":{\"to_upper\":[{\"seed\":0,\"index\":0,\"demonstrations\":[],\"dummies\":[{\"input\":\"a\",\"output\":\"b\"}],"
        + "\"queries\":[{\"input\":\"a\",\"output\":\"b\",\"options\":[\"c\"]}],\"dev\":[]}]}}", "one of its options")]
    public async Task Eval_MalformedDraws_IsBadFile(string text, string part)
    {
        var path = _folder.Write("draws.json", text);
        (await CliRun.Async("eval", random.Folder, "--task", "to_upper", "--draws", path)).AssertFails(3, path, part);
    }

    [Fact]
    public async Task Eval_PromptTooLong_NamesTheTask()
    {
        var word = string.Concat(Enumerable.Repeat("word ", 400));
        var path = _folder.Write("long.json", $"{{{string.Join(',', Enumerable.Range(0, 30).Select(i => $"\"{word}{i}\":\"x\""))}}}");
        (await CliRun.Async("eval", random.Folder, "--task", path, "-q")).AssertFails(2, "task 'long'", "max_position_embeddings");
    }

    [Fact]
    public async Task Eval_OutputIsAFile_IsBadFile()
    {
        var path = _folder.Write("taken", "x");
        (await CliRun.Async("eval", random.Folder, "-o", path)).AssertFails(3, path);
    }

    [Fact]
    public async Task Eval_Help_HasExamplesAndMethods()
    {
        var run = await CliRun.Async("eval", "--help");
        Assert.Equal(0, run.Code);
        Assert.All(["Examples:", "selection-only", "--shard", "merge", "sst2", ".task.json"], part => Assert.Contains(part, run.Out));
        var merge = await CliRun.Async("eval", "merge", "--help");
        Assert.Contains("rt eval merge results", merge.Out);
    }

    [Fact]
    public async Task Eval_List_NamesEveryTask()
    {
        var run = await CliRun.Async("eval", "--list");
        Assert.All(["next_letter", "country_capital", "example:a->A", "winogrande", "random-weights", "embedded/country_capital"], part => Assert.Contains(part, run.Out));
        var groups = (await CliRun.JsonAsync("eval", "--list"))["groups"]!.AsObject();
        Assert.Equal(["algorithmic", "linguistic", "knowledge", "translation", "embedded"], groups.Select(group => group.Key));
        Assert.Equal(Rt.Eval.TaskCatalog.Embedded, groups["embedded"]!.AsArray().Select(name => (string?)name));
    }
}
