// rt infer: generation against goldens, scoring, patches, input by every way, bad input.
using System.Text.Json.Nodes;
using Rt.Tests;

namespace Rt.Cli.Tests;

public sealed class InferTests(RandomModel random) : IClassFixture<RandomModel>, IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _llama = Fixtures.Golden("llama-gqa");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("llama-gqa")]
    [InlineData("gpt2")]
    [InlineData("gemma2")]
    public async Task Infer_Greedy_EqualsGolden(string name)
    {
        var prompts = JsonNode.Parse(File.ReadAllText(Path.Combine(Fixtures.Golden(name), "expected.json")))!["prompts"]!.AsObject();
        var args = prompts.SelectMany(prompt => new[] { "--token-ids", string.Join(',', Ids(prompt.Value!["input_ids"]!)) });
        var json = await CliRun.JsonAsync(["infer", Fixtures.Golden(name), .. args, "--max-new-tokens", "16", "--ignore-eos"]);
        Assert.Equal(
            prompts.Select(prompt => string.Join(',', Ids(prompt.Value!["greedy"]!))),
            json["results"]!.AsArray().Select(result => string.Join(',', Ids(result!["token_ids"]!))));
    }

    [Fact]
    public async Task Infer_Batched_EqualsPromptsAlone()
    {
        string[] prompts = ["hot", "a longer prompt than that", "x"];
        string[] all = [.. prompts.SelectMany(prompt => new[] { "--prompt", prompt })];
        var together = await CliRun.JsonAsync(["infer", random.Folder, .. all, "--max-new-tokens", "6", "--batch-invariant", "--ignore-eos"]);
        var chunked = await CliRun.JsonAsync(["infer", random.Folder, .. all, "--max-new-tokens", "6", "--batch-invariant", "--ignore-eos", "--batch", "2"]);
        Assert.Equal(together["results"]!.ToJsonString(), chunked["results"]!.ToJsonString());
        var alone = await CliRun.JsonAsync("infer", random.Folder, "--prompt", prompts[1], "--max-new-tokens", "6", "--batch-invariant", "--ignore-eos");
        Assert.Equal(Ids(alone["results"]![0]!["token_ids"]!), Ids(together["results"]![1]!["token_ids"]!));
    }

    [Fact]
    public async Task Infer_StandardInputFileAndOption_GiveTheSame()
    {
        var file = _folder.Write("prompt.txt", "up down");
        string[] rest = ["--max-new-tokens", "5", "-q"];
        var option = await CliRun.Async(["infer", random.Folder, "--prompt", "up down", .. rest]);
        var input = await CliRun.Async(["infer", random.Folder, "-", .. rest], "up down");
        var fromFile = await CliRun.Async(["infer", random.Folder, "--prompt-file", file, .. rest]);
        Assert.Equal(0, option.Code);
        Assert.NotEmpty(option.Out.Trim());
        Assert.Equal(option.Out, input.Out);
        Assert.Equal(option.Out, fromFile.Out);
        Assert.Empty(option.Error);
    }

    [Fact]
    public async Task Infer_Sampling_DependsOnTheSeedAlone()
    {
        var texts = new List<string>();
        foreach (var seed in new[] { "7", "7", "8" })
        {
            var json = await CliRun.JsonAsync("infer", random.Folder, "--prompt", "up", "--temperature", "1.5", "--top-k", "50", "--seed", seed, "--max-new-tokens", "12");
            texts.Add(json["results"]![0]!["token_ids"]!.ToJsonString());
        }

        Assert.Equal(texts[0], texts[1]);
        Assert.NotEqual(texts[0], texts[2]);
    }

    [Fact]
    public async Task Infer_Options_AreScoredFromTheLengthOfTheQueryOn()
    {
        var queries = _folder.Write("q.jsonl", """
            {"input": "the opposite of hot is", "options": ["cold", "something else"], "answer": "cold"}
            {"input": "up", "options": ["down", "left"], "answer": 0}
            """);
        var json = await CliRun.JsonAsync("infer", random.Folder, "--queries", queries);
        var options = json["results"]![0]!["options"]!.AsArray();
        Assert.Equal(2, json["accuracy"]!["n"]!.GetValue<int>());
        Assert.True(options[1]!["tokens"]!.GetValue<int>() > options[0]!["tokens"]!.GetValue<int>());
        Assert.All(options, option => Assert.True(option!["log_probability"]!.GetValue<double>() < 0));
        Assert.Equal(
            options[1]!["log_probability"]!.GetValue<double>() / options[1]!["tokens"]!.GetValue<int>(),
            options[1]!["log_probability_per_token"]!.GetValue<double>(), 1e-9);
    }

    [Fact]
    public async Task Infer_AnswersWithoutOptions_AreComparedWithTheFirstLine()
    {
        var first = await CliRun.JsonAsync("infer", random.Folder, "--prompt", "up", "--max-new-tokens", "2");
        var text = first["results"]![0]!["text"]!.GetValue<string>().TrimStart().Split('\n')[0].Trim();
        var right = new JsonObject { ["input"] = "up", ["answer"] = text };
        var wrong = new JsonObject { ["input"] = "up", ["answer"] = text + "?" };
        var queries = _folder.Write("q.jsonl", $"{right.ToJsonString()}\n{wrong.ToJsonString()}\n");
        var json = await CliRun.JsonAsync("infer", random.Folder, "--queries", queries, "--max-new-tokens", "2");
        Assert.Equal((1, 2), (json["accuracy"]!["correct"]!.GetValue<int>(), json["accuracy"]!["n"]!.GetValue<int>()));
    }

    [Fact]
    public async Task Infer_TaskVectorAtTheLastLayer_DecidesTheNextToken()
    {
        await CliRun.JsonAsync("extract", random.Folder, "--demos", random.Demonstrations, "-o", _folder["v.st"]);
        var top = (await CliRun.JsonAsync("extract", random.Folder, "--demos", random.Demonstrations, "--layer", "3", "-o", _folder["v3.st"]))
            ["layers"]![0]!["top_tokens"]![0]!["token_id"]!.GetValue<int>();
        foreach (var vector in new[] { _folder["v.st"] + "@3", _folder["v3.st"] })
        {
            var json = await CliRun.JsonAsync("infer", random.Folder, "--task-vector", vector, "--prompt", "example:up->", "--max-new-tokens", "1");
            Assert.Equal([top], Ids(json["results"]![0]!["token_ids"]!));
        }

        (await CliRun.Async("infer", random.Folder, "--task-vector", _folder["v.st"], "--prompt", "x")).AssertFails(2, "FILE@LAYER");
        (await CliRun.Async("infer", random.Folder, "--task-vector", _folder["v.st"] + "@4", "--prompt", "x")).AssertFails(2, "layer 4");
    }

    [Fact]
    public async Task Infer_KvOfAnotherModel_IsBadFile()
    {
        await CliRun.JsonAsync("think", _llama, "--token-ids", "1,2,3", "--steps", "2", "-o", _folder["a.kv"]);
        (await CliRun.Async("infer", Fixtures.Golden("llama-mha"), "--kv", _folder["a.kv"], "--token-ids", "1")).AssertFails(3, "model", "a.kv");
        (await CliRun.Async("infer", _llama, "--task-vector", _folder["a.kv"] + "@0", "--token-ids", "1")).AssertFails(3, "format");
    }

    [Fact]
    public async Task Infer_PromptLongerThanPositions_IsUsage()
    {
        var ids = string.Join(',', Enumerable.Repeat(3, 65));
        (await CliRun.Async("infer", Fixtures.Golden("gpt2"), "--token-ids", ids)).AssertFails(2, "65 positions", "64");
    }

    [Fact]
    public async Task Infer_WrongCalls_AreUsage()
    {
        (await CliRun.Async("infer", _llama)).AssertFails(2, "--prompt");
        (await CliRun.Async("infer", _llama, "--prompt", "a")).AssertFails(2, "tokenizer");
        (await CliRun.Async("infer", _llama, "hello")).AssertFails(2, "hello");
        (await CliRun.Async("infer", _llama, "--token-ids", "1", "--temperature", "-1")).AssertFails(2, "--temperature");
        (await CliRun.Async("infer", _llama, "--token-ids", "1", "--top-p", "0")).AssertFails(2, "--top-p");
        (await CliRun.Async("infer", _llama, "--token-ids", "1", "--threads", "0")).AssertFails(2, "threads");
        (await CliRun.Async("infer", _llama, "--token-ids", "1", "--device", "reference", "--threads", "2")).AssertFails(2, "reference");
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData("\n \n", "queries")]
    [InlineData("[1]", "line 1")]
    [InlineData("{\"input\": 3}", "input")]
    [InlineData("{\"input\": \"a\", \"token_ids\": [1]}", "either")]
    [InlineData("{\"input\": \"a\", \"options\": []}", "options")]
    [InlineData("{\"input\": \"a\", \"options\": [\"b\"], \"answer\": \"c\"}", "answer")]
    [InlineData("{\"input\": \"a\", \"options\": [\"b\"], \"answer\": 1}", "answer")]
    [InlineData("{\"token_ids\": [1, -2]}", "token_ids")]
    [InlineData("{\"input\": \"a\"}\n{\"input\": \"a\", \"options\": [\"b\"]}", "line 2")]
    [InlineData("{\"input\": \"a\"", "line 1")]
    public async Task Infer_MalformedQueries_AreBadFiles(string lines, string part)
    {
        (await CliRun.Async("infer", random.Folder, "--queries", _folder.Write("q.jsonl", lines))).AssertFails(3, "q.jsonl", part);
    }

    private static int[] Ids(JsonNode node) => [.. node.AsArray().Select(id => id!.GetValue<int>())];
}
