// Templates, data files, draws, accuracy.
using Rt.Core;
using Rt.Tests;

namespace Rt.Eval.Tests;

public sealed class EvalTests : IDisposable
{
    private static readonly Demonstration[] Pairs = [.. Enumerable.Range(0, 12).Select(i => new Demonstration($"in{i}", $"out{i}"))];
    private readonly string _folder = Directory.CreateTempSubdirectory("rt-eval-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Template_TaskVector_IsThePublishedPrompt() => Assert.Equal(
        "example:a->b\nexample:q->r\nexample:f->",
        PromptTemplate.TaskVector.FewShot([new Demonstration("a", "b"), new Demonstration("q", "r")], "f"));

    [Fact]
    public void Template_DeepThinking_EndsEveryDemonstrationWithAnEmptyLine()
    {
        var template = new PromptTemplate("Review: {input}\nSentiment: {output}", "\n\n");
        Assert.Equal("Review: good\nSentiment: positive\n\n", template.Demonstrations([new Demonstration("good", "positive")]));
        Assert.Equal("Review: x\nSentiment:", template.Query("x"));
        Assert.Equal("Review: x\nSentiment: negative", template.Answered("x", "negative"));
    }

    [Theory]
    [InlineData("{input}")]
    [InlineData("{output} {input}")]
    [InlineData("{input} {input} {output}")]
    public void Template_WithoutBothMarksInOrder_IsUsage(string pattern) =>
        Assert.Throws<UsageException>(() => new PromptTemplate(pattern, "\n"));

    [Fact]
    public void Unescape_KnownEscapes_AreReplacedAndOthersKept() =>
        Assert.Equal("a\nb\t\\n\\d\\", PromptTemplate.Unescape("a\\nb\\t\\\\n\\d\\"));

    [Fact]
    public void SeededRandom_KnownSeed_GivesPublishedNumbers()
    {
        // First outputs of SplitMix64 for seed 1234567, as published with the algorithm.
        var random = new SeededRandom(1234567);
        Assert.Equal([6457827717110365317UL, 3203168211198807973UL, 9817491932198370423UL], [random.NextBits(), random.NextBits(), random.NextBits()]);
    }

    [Fact]
    public void Draw_SameSeed_IsTheSameAndHasNoRepeatedDemonstration()
    {
        var a = FewShotDraw.Draw(Pairs, 20, 5, 2, 41);
        var b = FewShotDraw.Draw(Pairs, 20, 5, 2, 41);
        Assert.Equal(a.SelectMany(set => set.Prompts(PromptTemplate.TaskVector)), b.SelectMany(set => set.Prompts(PromptTemplate.TaskVector)));
        Assert.All(a, set => Assert.Equal(5, set.Demonstrations.Distinct().Count()));
        Assert.All(a, set => Assert.Equal(2, set.Dummies.Distinct().Count()));
        Assert.True(a.Select(set => string.Concat(set.Demonstrations)).Distinct().Count() > 15);
        Assert.Throws<UsageException>(() => FewShotDraw.Draw(Pairs, 1, 13, 2, 0));
    }

    [Fact]
    public void Sample_OfAll_IsAPermutationAndEveryPlaceIsReached()
    {
        var random = new SeededRandom(3);
        var firsts = new HashSet<int>();
        for (var i = 0; i < 200; i++)
        {
            var sample = random.Sample([0, 1, 2, 3, 4], 5);
            Assert.Equal([0, 1, 2, 3, 4], sample.Order());
            firsts.Add(sample[0]);
        }

        Assert.Equal(5, firsts.Count);
    }

    [Fact]
    public void Accuracy_StandardError_IsThatOfTheMean()
    {
        var accuracy = Accuracy.Of([true, false, true, true]);
        Assert.Equal(0.75, accuracy.Value);
        Assert.Equal(0.25, accuracy.StandardError, 1e-12);
        Assert.True(double.IsNaN(Accuracy.Of([true]).StandardError));
    }

    [Fact]
    public void DemonstrationFile_EveryForm_GivesTheSamePairs()
    {
        var lines = Write("a.jsonl", "{\"input\":\"x\",\"output\":\"y\"}\n\n{\"input\":\"p\",\"output\":\"q\"}\r\n");
        var list = Write("a.json", "[{\"input\":\"x\",\"output\":\"y\"},{\"input\":\"p\",\"output\":\"q\"}]");
        var map = Write("b.json", "{\"x\":\"y\",\"p\":\"q\"}");
        var expected = new[] { new Demonstration("x", "y"), new Demonstration("p", "q") };
        Assert.Equal(expected, DemonstrationFile.Read(lines).Pairs);
        Assert.Equal(expected, DemonstrationFile.Read(list).Pairs);
        Assert.Equal(expected, DemonstrationFile.Read(map).Pairs);
        Assert.Equal("\uFEFFa".TrimStart('\uFEFF'), DemonstrationFile.Read(Write("t.txt", "\uFEFFa")).Text);
    }

    [Theory]
    [InlineData("a.jsonl", "")]
    [InlineData("a.txt", "")]
    [InlineData("a.jsonl", "{\"input\":\"x\",\"input\":\"z\",\"output\":\"y\"}")]
    [InlineData("a.json", "{\"x\": 3}")]
    [InlineData("a.json", "[]")]
    public void DemonstrationFile_Malformed_IsBadFile(string name, string text)
    {
        var path = Write(name, text);
        Assert.Contains(path, Assert.Throws<BadFileException>(() => DemonstrationFile.Read(path)).Message);
    }

    [Fact]
    public void DemonstrationFile_NotUtf8_IsBadFile()
    {
        var path = Path.Combine(_folder, "a.txt");
        File.WriteAllBytes(path, [0x61, 0xFF, 0x62]);
        Assert.Contains("UTF-8", Assert.Throws<BadFileException>(() => DemonstrationFile.Read(path)).Message);
        Assert.Throws<UsageException>(() => DemonstrationFile.Read(Write("a.csv", "x")));
    }

    private string Write(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
