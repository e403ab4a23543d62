// What rt eval writes: lm-evaluation-harness' keys, the page with its data, the page in a browser where there is one.
using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Rt.Cli.Tests;

/// <summary>One finished run shared by the tests: a task with options, a rule, and a task whose texts try to break out of the page.</summary>
public sealed class EvalRunFolder : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();
    private readonly RandomModel _random = new();

    public string Run => _folder["run"];

    public string Table { get; private set; } = "";

    public async Task InitializeAsync()
    {
        await _random.InitializeAsync();
        var hostile = string.Join(',', Enumerable.Range(0, 30).Select(i => $"\"</script><b>{i}\":\"<!-- {i} --><img src=x onerror=alert(1)>\""));
        var file = _folder.Write("hostile.json", $"{{{hostile}}}");
        var lines = Enumerable.Range(0, 40).Select(i => $"{{\"input\":\"item {i}\",\"output\":\"{(i % 3 == 0 ? "yes" : "no")}\",\"options\":[\"yes\",\"no\"]}}");
        var options = _folder.Write("options.jsonl", string.Join('\n', lines));
        var run = await CliRun.Async(
            "eval", _random.Folder, "--task", $"list_first,{options},{file}", "--method", "zero-shot,icl,deep-thinking,task-vector,selection-only",
            "--sets", "2", "--queries", "6", "--dev", "4", "--shots", "3", "--steps", "3", "--resamples", "200", "-o", Run);
        Assert.True(run.Code == 0, run.Error);
        Table = run.Out;
    }

    public async Task DisposeAsync()
    {
        await _random.DisposeAsync();
        _folder.Dispose();
    }
}

public sealed partial class EvalReportTests(EvalRunFolder run) : IClassFixture<EvalRunFolder>
{
    private static readonly string[] HarnessKeys =
    [
        "results", "groups", "group_subtasks", "configs", "versions", "n-shot", "higher_is_better", "n-samples", "config", "git_hash", "date",
        "task_hashes", "model_source", "model_name", "total_evaluation_time_seconds",
    ];

    private JsonObject Results() => JsonNode.Parse(File.ReadAllText(Path.Combine(run.Run, "results.json")))!.AsObject();

    private string Page() => File.ReadAllText(Path.Combine(run.Run, "report.html"));

    [Fact]
    public void Results_HaveTheKeysOfLmEvaluationHarness()
    {
        var results = Results();
        Assert.Empty(HarnessKeys.Except(results.Select(pair => pair.Key)));
        var options = results["results"]!["options@icl"]!;
        var accuracy = (double)options["acc,none"]!;
        Assert.InRange(accuracy, 0, 1);
        Assert.Equal(Math.Sqrt(accuracy * (1 - accuracy) / 11), (double)options["acc_stderr,none"]!, 1e-12);
        Assert.NotNull(results["results"]!["list_first@icl"]!["exact_match,none"]);
        Assert.Equal(12, (int)results["n-samples"]!["options@icl"]!["effective"]!);
        Assert.Equal((0, 3), ((int)results["n-shot"]!["options@zero-shot"]!, (int)results["n-shot"]!["options@icl"]!));
        var mean = results["groups"]!["mean of 3 tasks@icl"];
        var tasks = results["results"]!.AsObject().Where(pair => pair.Key.EndsWith("@icl", StringComparison.Ordinal)).Select(pair => (double)pair.Value!["acc,none"]!);
        Assert.Equal(tasks.Average(), (double)mean!["acc,none"]!, 1e-12);
    }

    [Fact]
    public void Samples_HaveTheKeysOfLmEvaluationHarnessAndAddUpToTheAccuracy()
    {
        var samples = File.ReadLines(Path.Combine(run.Run, "samples_options.jsonl")).Select(line => JsonNode.Parse(line)!)
            .Where(sample => (string?)sample["method"] == "icl").ToArray();
        Assert.All(samples, sample => Assert.All(["doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "acc"], key => Assert.NotNull(sample[key])));
        Assert.Equal((double)Results()["results"]!["options@icl"]!["acc,none"]!, samples.Average(sample => (double)sample["acc"]!), 1e-12);
        var prompt = (string)samples[0]["arguments"]![0]![0]!;
        Assert.Equal(4, prompt.Split('\n').Length);
        Assert.EndsWith($"example:{samples[0]["doc"]!["input"]}->", prompt);
    }

    [Fact]
    public void Page_HoldsTheDataOfTheResultsAndNothingFromElsewhere()
    {
        var page = Page();
        var data = DataElement().Match(page).Groups[1].Value;
        var rows = JsonNode.Parse(data)!["rt"]!;
        Assert.True(JsonNode.DeepEquals(Results()["rt"], rows));
        Assert.Equal(3, rows["curves"]!.AsArray().Count(curve => (string?)curve!["method"] == "deep-thinking"));
        Assert.Equal(3, rows["gradient_norms"]!.AsArray().Count);
        Assert.Equal(4, rows["similarity"]!["within"]!.AsArray().Count);
        Assert.Equal(10, rows["top_tokens"]![0]!["by_layer"]![0]!.AsArray().Count);
        // Addresses stand in comments of the library only; nothing is loaded.
        Assert.DoesNotMatch(Loads(), page);
        Assert.Contains("Permission is hereby granted", page);
        Assert.DoesNotContain("/* page.js */", page);
    }

    [Fact]
    public void Page_HostileTexts_DoNotEndTheScript()
    {
        var page = Page();
        Assert.DoesNotContain("</script><b>", page);
        Assert.DoesNotContain("<img src=x", page);
        Assert.Equal(3, Regex.Count(page, "</script>"));
    }

    [Fact]
    public void Table_NamesEverythingItsNumbersAreOf()
    {
        foreach (var part in new[] { "- icl", "95 % interval", "tokens", "ms", "mean of 3 tasks", "deep-thinking, step by dev", "resamples", "seeds 0, 1", "on cpu" })
        {
            Assert.Contains(part, run.Table);
        }
    }

    [ChromiumFact]
    public async Task Page_InABrowser_DrawsEveryPlotWithoutAnError()
    {
        var (dom, log) = await ChromiumFactAttribute.DumpAsync(Path.Combine(run.Run, "report.html"));
        Assert.Contains("data-ready=\"4\"", dom);
        Assert.Equal(4, Regex.Count(dom, "<canvas"));
        Assert.DoesNotContain("Uncaught", log);
        Assert.Contains("mean of 3 tasks", dom);
    }

    [GeneratedRegex("<script type=\"application/json\" id=\"data\">(.*?)</script>", RegexOptions.Singleline)]
    private static partial Regex DataElement();

    [GeneratedRegex("(<script[^>]+src=|<link|<img|@import|url\\(|fetch\\(|XMLHttpRequest)", RegexOptions.IgnoreCase)]
    private static partial Regex Loads();
}

/// <summary>A test that needs a Chromium: the one that RT_CHROMIUM names, or one on the path.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ChromiumFactAttribute : FactAttribute
{
    private const int TimeoutSeconds = 60;

    public ChromiumFactAttribute()
    {
        if (Find() is null)
        {
            Skip = "no Chromium here: set RT_CHROMIUM or put chromium on the path";
        }
    }

    /// <summary>The page's elements after its scripts ran, and what the browser logged.</summary>
    public static async Task<(string Dom, string Log)> DumpAsync(string page)
    {
        var profile = Directory.CreateTempSubdirectory("rt-chromium-");
        var start = new ProcessStartInfo(Find()!) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in new[]
        {
            "--headless", "--no-sandbox", "--disable-gpu", $"--user-data-dir={profile.FullName}", "--enable-logging=stderr", "--window-size=1280,1600",
            "--virtual-time-budget=5000", "--dump-dom", new Uri(page).AbsoluteUri,
        })
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        try
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(TimeoutSeconds));
            var log = process.StandardError.ReadToEndAsync(limit.Token);
            var dom = await process.StandardOutput.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return (dom, await log);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }

            profile.Delete(recursive: true);
        }
    }

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("RT_CHROMIUM") is { Length: > 0 } given)
        {
            return File.Exists(given) ? given : null;
        }

        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return folders.SelectMany(folder => new[] { "chromium", "chromium-browser", "google-chrome" }.Select(name => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
    }
}
