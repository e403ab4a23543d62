// Tasks: rules, word lists, datasets, files.
using Rt.Core;

namespace Rt.Eval.Tests;

public sealed class TaskTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("rt-tasks-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static EvalTask One(string name) => TaskCatalog.Resolve([name], null)[0];

    [Fact]
    public void BuiltIn_All_AreTheEighteenOfThePaperAndSound()
    {
        var tasks = TaskCatalog.Resolve(["all"], null);
        Assert.Equal(18, tasks.Count);
        Assert.Equal(18, tasks.Select(task => task.Digest()).Distinct().Count());
        Assert.All(tasks, task =>
        {
            Assert.True(task.Train.Count >= 25, task.Name);
            Assert.Equal(task.Train.Count, task.Train.Select(example => example.Input).Distinct().Count());
            Assert.All(task.Train, example => Assert.False(string.IsNullOrWhiteSpace(example.Input) || example.Output != example.Output.Trim() || example.Output.Length == 0));
        });
    }

    [Fact]
    public void Algorithmic_EveryExample_FollowsItsRule()
    {
        Assert.All(One("next_letter").Train, example => Assert.Equal(example.Input[0] + 1, example.Output[0]));
        Assert.All(One("prev_letter").Train, example => Assert.Equal(example.Input[0] - 1, example.Output[0]));
        Assert.All(One("to_upper").Train, example => Assert.Equal(example.Input.ToUpperInvariant(), example.Output));
        Assert.All(One("to_lower").Train, example => Assert.Equal(example.Input.ToLowerInvariant(), example.Output));
        Assert.All(One("list_first").Train, example => Assert.Equal(example.Input.Split(',')[0], example.Output));
        Assert.All(One("list_last").Train, example => Assert.Equal(example.Input.Split(',')[^1], example.Output));
        Assert.Equal(25, One("next_letter").Train.Count);
        Assert.All(One("list_last").Train, example => Assert.InRange(example.Input.Split(',').Length, 2, 4));
    }

    [Fact]
    public void ConflictingPairs_ShareInputsAndDifferInAnswers() => Assert.All(TaskCatalog.ConflictingPairs, pair =>
    {
        var written = One(pair.Written).Train.ToDictionary(example => example.Input, example => example.Output);
        var common = One(pair.Shown).Train.Where(example => written.ContainsKey(example.Input)).ToArray();
        Assert.True(common.Length >= 20, pair.Shown);
        Assert.True(common.Count(example => written[example.Input] != example.Output) > 0.7 * common.Length, pair.Shown);
    });

    [Theory]
    [InlineData("sst2", "{\"sentence\":\"a fine film \",\"label\":1}", "Review: a fine film\nSentiment:", "positive", 2)]
    [InlineData("sst5", "{\"text\":\"so so\",\"label\":2}", "Review: so so\nSentiment:", "neutral", 5)]
    [InlineData("mr", "{\"text\":\"dull\",\"label\":0}", "Review: dull\nSentiment:", "negative", 2)]
    [InlineData("agnews", "{\"text\":\"Chips.\",\"label\":3}", "Article: Chips.\nCategory:", "Technology", 4)]
    [InlineData("trec", "{\"text\":\"Who ?\",\"coarse_label\":3,\"fine_label\":1}", "Question: Who ?\nType:", "Person", 6)]
    [InlineData("qasc", "{\"question\":\"What?\",\"choices\":{\"text\":[\"rain\",\"sun\"],\"label\":[\"A\",\"B\"]},\"answerKey\":\"B\"}", "What?", "sun", 2)]
    [InlineData("obqa", "{\"question_stem\":\"Ice is\",\"choices\":{\"text\":[\"cold\",\"hot\"],\"label\":[\"A\",\"B\"]},\"answerKey\":\"A\"}", "Ice is", "cold.", 2)]
    [InlineData("hellaswag", "{\"ctx\":\"He\",\"endings\":[\"a\",\"b\",\"c\",\"d\"],\"label\":\"2\"}", "He", "c", 4)]
    [InlineData("copa", "{\"premise\":\"It rained.\",\"choice1\":\"a\",\"choice2\":\"b\",\"question\":\"effect\",\"label\":1}", "It rained therefore", "b", 2)]
    [InlineData("copa", "{\"premise\":\"It rained.\",\"choice1\":\"a\",\"choice2\":\"b\",\"question\":\"cause\",\"label\":0}", "It rained because", "a", 2)]
    [InlineData("winogrande", "{\"sentence\":\"Ann thanked Bea, as _ had helped.\",\"option1\":\"Ann\",\"option2\":\"Bea\",\"answer\":\"2\"}", "Ann thanked Bea, as", "Bea had helped.", 2)]
    public void Dataset_ALine_BecomesQueryAndOptions(string name, string line, string query, string answer, int options)
    {
        File.WriteAllText(Path.Combine(_folder, $"{name}.jsonl"), line + "\n");
        var task = TaskCatalog.Resolve([name], _folder)[0];
        var example = Assert.Single(task.Train);
        Assert.Equal((query, answer, options), (example.Input, example.Output, example.Options!.Count));
        Assert.Equal(answer, example.Options[example.AnswerIndex]);
        Assert.Equal($"{query} {answer}\n\n", task.Template.Demonstrations([example.Demonstration]));
    }

    [Theory]
    [InlineData("sst2", "{\"sentence\":\"x\",\"label\":2}", "line 1")]
    [InlineData("sst2", "{\"text\":\"x\",\"label\":1}", "'sentence'")]
    [InlineData("trec", "{\"text\":\"x\",\"coarse_label\":6}", "line 1")]
    [InlineData("qasc", "{\"question\":\"x\",\"choices\":[],\"answerKey\":\"A\"}", "'choices'")]
    [InlineData("qasc", "{\"question\":\"x\",\"choices\":{\"text\":[\"a\"],\"label\":[\"A\"]},\"answerKey\":\"B\"}", "label")]
    [InlineData("copa", "{\"premise\":\"x\",\"choice1\":\"a\",\"choice2\":\"b\",\"question\":\"why\",\"label\":0}", "'question'")]
    [InlineData("winogrande", "{\"sentence\":\"no gap\",\"option1\":\"a\",\"option2\":\"b\",\"answer\":\"1\"}", "'sentence'")]
    [InlineData("hellaswag", "{\"ctx\":\"x\",\"endings\":[\"a\"],\"label\":\"\"}", "'label'")]
    [InlineData("agnews", "", "found none")]
    public void Dataset_MalformedLine_IsBadFileThatNamesIt(string name, string line, string part)
    {
        var path = Path.Combine(_folder, $"{name}.jsonl");
        File.WriteAllText(path, line + "\n");
        var message = Assert.Throws<BadFileException>(() => TaskCatalog.Resolve([name], _folder)).Message;
        Assert.Contains(path, message);
        Assert.Contains(part, message);
    }

    [Fact]
    public void Dataset_TwoSplits_AreTrainAndTest()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "sst2"));
        File.WriteAllText(Path.Combine(_folder, "sst2", "train.jsonl"), "{\"sentence\":\"x\",\"label\":0}\n");
        Assert.Throws<BadFileException>(() => TaskCatalog.Resolve(["sst2"], _folder));
        File.WriteAllText(Path.Combine(_folder, "sst2", "validation.jsonl"), "{\"sentence\":\"y\",\"label\":1}\n");
        var task = TaskCatalog.Resolve(["sst2"], _folder)[0];
        Assert.Equal(("x", "y"), (task.Train[0].Input[8..9], task.Test![0].Input[8..9]));
        Assert.True(task.HasClasses);
        Assert.Throws<UsageException>(() => TaskCatalog.Resolve(["sst2"], null));
    }

    [Fact]
    public void TaskFile_EveryForm_GivesTheSameExamples()
    {
        var expected = new[] { new EvalExample("x", "y"), new EvalExample("p", "q") };
        Assert.Equal(expected, One(Write("a.json", "{\"x\":\"y\",\"p\":\"q\"}")).Train);
        Assert.Equal(expected, One(Write("b.json", "[{\"input\":\"x\",\"output\":\"y\"},{\"input\":\"p\",\"output\":\"q\"}]")).Train);
        Assert.Equal(expected, One(Write("c.jsonl", "{\"input\":\"x\",\"output\":\"y\"}\n{\"input\":\"p\",\"output\":\"q\"}\n")).Train);
        var described = One(Write("d.task.json", "{\"name\":\"mine\",\"template\":\"{input}: {output}\",\"separator\":\"\\n\",\"train\":\"a.json\",\"test\":\"b.json\"}"));
        Assert.Equal(("mine", "x:"), (described.Name, described.Template.Query("x")));
        Assert.Equal(expected, described.Train);
        Assert.Equal(expected, described.Test!);
        var whole = One(Write("whole.task.json", "{\"train\":{\"x\":\"y\",\"p\":\"q\"},\"test\":[{\"input\":\"x\",\"output\":\"y\"},{\"input\":\"p\",\"output\":\"q\"}]}"));
        Assert.Equal(expected, whole.Train);
        Assert.Equal(expected, whole.Test!);
        Assert.Equal(Path.Combine(_folder, "whole.task.json"), whole.Source);
    }

    [Fact]
    public void EmbeddedTasks_All_AreReadAndHoldOutTheirTestInputs()
    {
        var tasks = TaskCatalog.Resolve(["embedded"], null);
        Assert.Equal(TaskCatalog.Embedded.Count, tasks.Count);
        Assert.Equal(["algorithmic", "classification", "knowledge", "linguistic", "translation"], tasks.Select(task => task.Group).Distinct().Order());
        foreach (var task in tasks)
        {
            Assert.Empty(task.Train.Select(example => example.Input).Intersect(task.Test!.Select(example => example.Input)));
            Assert.Equal("example:{input}->{output}", task.Template.Pattern);
            Assert.Equal(task.Group == "classification", task.HasClasses);
            // Every one can be drawn as rt eval does by default.
            Assert.Equal(5, DemonstrationDraw.Draw(task, new EvalSettings().Draw, 0).Count);
        }

        Assert.Equal("Warsaw", tasks.Single(task => task.Name == "country_capital").Test!.Single(example => example.Input == "Poland").Output);
        Assert.Equal(200, tasks.Single(task => task.Name == "list_max").Test!.Count);
    }

    [Fact]
    public void EmbeddedTask_ByName_IsNotTheBuiltInOne()
    {
        var (embedded, builtIn) = (One("embedded/country_capital"), One("country_capital"));
        Assert.NotEqual(embedded.Digest(), builtIn.Digest());
        Assert.Null(builtIn.Test);
        Assert.Contains("two tasks", Assert.Throws<UsageException>(() => TaskCatalog.Resolve(["embedded/country_capital", "country_capital"], null)).Message);
        Assert.Throws<UsageException>(() => TaskCatalog.Resolve(["embedded/nonsense"], null));
    }

    [Fact]
    public void TaskFile_Options_AreThoseOfTheDescriptionOrTheLine()
    {
        Write("a.json", "{\"x\":\"yes\",\"p\":\"no\"}");
        Assert.True(One(Write("d.task.json", "{\"options\":[\"yes\",\"no\"],\"train\":\"a.json\"}")).HasClasses);
        var own = One(Write("e.jsonl", "{\"input\":\"x\",\"output\":\"b\",\"options\":[\"a\",\"b\"]}\n{\"input\":\"y\",\"output\":\"c\",\"options\":[\"c\",\"d\"]}\n"));
        Assert.Equal((true, false, 1), (own.HasOptions, own.HasClasses, own.Train[0].AnswerIndex));
    }

    [Theory]
    [InlineData("a.json", "{\"x\":3}", "'x'")]
    [InlineData("a.json", "{}", "found none")]
    [InlineData("a.json", "[{\"input\":\"x\"}]", "'output'")]
    [InlineData("a.json", "{\"x\":\" \"}", "empty")]
    [InlineData("a.jsonl", "{\"input\":\"x\",\"output\":\"y\",\"options\":[\"z\"]}", "one of the options")]
    [InlineData("a.jsonl", "{\"input\":\"x\",\"output\":\"y\",\"options\":[\"y\"]}\n{\"input\":\"p\",\"output\":\"q\"}", "or in none")]
    [InlineData("a.task.json", "{\"trian\":\"a.json\"}", "'trian'")]
    [InlineData("a.task.json", "{\"name\":\"x\"}", "'train'")]
    [InlineData("a.task.json", "{\"train\":\"absent.json\"}", "absent.json")]
    [InlineData("a.task.json", "{\"train\":3}", "'train'")]
    [InlineData("a.task.json", "{\"train\":{}}", "found none")]
    [InlineData("a.task.json", "{\"train\":{\"x\":3}}", "field 'train': field 'x'")]
    [InlineData("a.task.json", "{\"train\":{\"x\":\"y\"},\"test\":[{\"input\":\"x\"}]}", "field 'test', item 0")]
    public void TaskFile_Malformed_IsBadFileThatSaysWhere(string name, string text, string part)
    {
        var path = Write(name, text);
        Assert.Contains(part, Assert.Throws<BadFileException>(() => TaskCatalog.Resolve([path], null)).Message);
    }

    [Fact]
    public void TaskFile_BadTemplate_IsBadFile()
    {
        Write("b.json", "{\"x\":\"y\"}");
        var path = Write("a.task.json", "{\"train\":\"b.json\",\"template\":\"{output}{input}\"}");
        Assert.Contains("{input}", Assert.Throws<BadFileException>(() => TaskCatalog.Resolve([path], null)).Message);
    }

    [Fact]
    public void Resolve_UnknownOrTwice_IsUsage()
    {
        Assert.Contains("'nonsense'", Assert.Throws<UsageException>(() => TaskCatalog.Resolve(["nonsense"], null)).Message);
        var path = Write("to_upper.json", "{\"x\":\"y\"}");
        Assert.Contains("to_upper", Assert.Throws<UsageException>(() => TaskCatalog.Resolve(["to_upper", path], null)).Message);
        Assert.Single(TaskCatalog.Resolve(["to_upper", "to_upper"], null));
    }

    private string Write(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
