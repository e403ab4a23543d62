// The README cannot lie: its example is compiled and run here, its kernel is the one that runs, its commands exist.
using System.Text.RegularExpressions;
using Rt.Cpu;
using Rt.Model;
using Rt.Tests;

namespace Rt.Cli.Tests;

public sealed partial class ReadmeTests : IDisposable
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"rt-readme-{Guid.NewGuid():n}");

    [Fact]
    public async Task ReadmeExample_OnTheEmbeddedModel_RunsAndStandsInTheReadmeAsIs()
    {
        DefaultModel.Write(_folder, default);
        var folder = _folder;
        string[] fewShotPrompts =
        [
            "example:France->Paris\nexample:Kenya->Nairobi\nexample:Italy->Rome\nexample:Peru->Lima\nexample:Egypt->",
            "example:Greece->Athens\nexample:Cuba->Havana\nexample:Spain->Madrid\nexample:China->Beijing\nexample:Norway->",
        ];
        var zeroShotPrompt = "example:Belgium->";

        // example
        using var device = new CpuDevice();
        using var model = LanguageModel.Load(folder, device);
        var vector = TaskVector.Extract(model, [.. fewShotPrompts.Select(prompt => model.Encode(prompt))]);
        using var patch = model.Patch(new ResidualPoint(3, Point.Post), vector[3]);
        var answer = Generator.Generate(model, [model.Encode(zeroShotPrompt)], new GenerationOptions { MaxNewTokens = 4 })[0].Text;
        // end

        // What it answers is the model's affair; that the patch decides it is the example's.
        Assert.False(string.IsNullOrWhiteSpace(answer));
        patch.Dispose();
        Assert.NotEqual(answer, Generator.Generate(model, [model.Encode(zeroShotPrompt)], new GenerationOptions { MaxNewTokens = 4 })[0].Text);
        var source = Block(await File.ReadAllTextAsync(SourcePath()), "        // example\n", "        // end").Replace("        ", "");
        Assert.Equal(Block(Readme(), "<!-- example -->\n```csharp\n", "```"), source);
    }

    [Fact]
    public async Task ReadmeTableOfCommands_NamesEveryCommand()
    {
        var help = new StringWriter();
        await Cli.RunAsync(["--help"], help, TextWriter.Null);
        var commands = Block(help.ToString() + "\n\n", "Commands:\n", "\n\n").Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Trim().Split(' ')[0]).ToHashSet();
        var named = TableRow().Matches(Readme()).Select(match => match.Groups[1].Value).ToHashSet();
        Assert.Equal(commands.Order(), named.Order());
    }

    [Fact]
    public async Task ReadmeTranscript_OfTheDemo_HasItsStepsFilesAndNextCommands()
    {
        var run = await CliRun.Async("demo", _folder);
        Assert.Equal(0, run.Code);
        // Times, the machine and (by rounding) the last digits of what the model does differ; titles, files and commands do not.
        var shown = Lines(Block(Readme(), "$ dotnet run -c Release --project src/Rt.Cli -- demo\n", "```"));
        var printed = Lines(run.Out.Replace(_folder, "demo"));
        Assert.Equal(printed.Where(IsFixed), shown.Where(IsFixed));
        Assert.Equal(printed.SkipWhile(line => line != "Files:").Select(WithoutLayer), shown.SkipWhile(line => line != "Files:").Select(WithoutLayer));
        Assert.Equal(printed.Length, shown.Length);

        static bool IsFixed(string line) => line.Length > 1 && char.IsDigit(line[0]) && line[1] == '.';

        static string WithoutLayer(string line) => Layer().Replace(line, "@L");
    }

    [Fact]
    public async Task ReadmeKernel_StandsInItsFileAndCountsWhatTheReadmeShows()
    {
        var kernel = Block(Readme(), "<!-- kernel -->\n```csharp\n", "```").TrimEnd();
        var source = string.Join('\n', Lines(await File.ReadAllTextAsync(Path.Combine(Fixtures.Root, "..", "..", "kernels", "PatchRows.cs")))
            .Select(line => line.StartsWith("    ", StringComparison.Ordinal) ? line[4..] : line));
        Assert.Contains(kernel, source);

        var run = await CliRun.Async("kernels", "PatchRows", "--size", "rows=64,width=4096");
        Assert.Equal(0, run.Code);
        // The first line names the threads of the machine; instructions change with every change of the compiler.
        var shown = Lines(Block(Readme(), "$ rt kernels PatchRows --size rows=64,width=4096\n", "```"));
        Assert.Equal(Lines(run.Out).Skip(1).Where(IsOfTheOp), shown.Skip(1).Where(IsOfTheOp));

        static bool IsOfTheOp(string line) => !line.StartsWith("  warp instructions", StringComparison.Ordinal);
    }

    public void Dispose()
    {
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private static string[] Lines(string text) => [.. text.ReplaceLineEndings("\n").TrimEnd().Split('\n').Select(line => line.TrimEnd())];

    private static string Readme() => File.ReadAllText(Path.Combine(Fixtures.Root, "..", "..", "README.md"));

    private static string SourcePath([System.Runtime.CompilerServices.CallerFilePath] string path = "") =>
        File.Exists(path) ? path : Path.Combine(Fixtures.Root, "..", "Rt.Cli.Tests", "ReadmeTests.cs");

    private static string Block(string text, string from, string to)
    {
        var start = text.IndexOf(from, StringComparison.Ordinal);
        Assert.True(start >= 0, $"'{from}' is missing");
        start += from.Length;
        return text[start..text.IndexOf(to, start, StringComparison.Ordinal)];
    }

    [GeneratedRegex(@"^\| `rt (\w+)` \|", RegexOptions.Multiline)]
    private static partial Regex TableRow();

    [GeneratedRegex(@"@\d+")]
    private static partial Regex Layer();
}
