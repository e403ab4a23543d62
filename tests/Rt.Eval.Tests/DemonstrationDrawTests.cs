// Draws: nothing leaks between demonstrations, development and test queries; equal seeds give equal draws.
using Rt.Core;

namespace Rt.Eval.Tests;

public sealed class DemonstrationDrawTests
{
    private static readonly DrawSettings Usual = new(Shots: 5, Sets: 4, Queries: 22, Dev: 8, Dummies: 2, DrawKind.Auto);

    private static EvalTask Task(int count, string name = "numbers", string[]? options = null) => new()
    {
        Name = name,
        Group = "tests",
        Template = PromptTemplate.TaskVector,
        Source = "made here",
        Train = [.. Enumerable.Range(0, count).Select(i => new EvalExample($"in{i}", options is null ? $"out{i}" : options[i % options.Length], options))],
    };

    private static string[] Inputs(IEnumerable<EvalExample> examples) => [.. examples.Select(example => example.Input)];

    [Fact]
    public void Draw_AnySet_NeverShowsWhatItAsks()
    {
        for (var seed = 0UL; seed < 20; seed++)
        {
            var sets = DemonstrationDraw.Draw(Task(60), Usual, seed);
            Assert.All(sets, set =>
            {
                var asked = Inputs(set.Queries.Concat(set.Dev));
                Assert.Empty(Inputs(set.Demonstrations).Intersect(asked));
                Assert.Empty(Inputs(set.Dummies).Intersect(asked));
                Assert.Equal(5, Inputs(set.Demonstrations).Distinct().Count());
                Assert.Equal(asked.Length, asked.Distinct().Count());
                Assert.Equal(2, set.Dev.Count);
            });
            Assert.Equal(22, sets.Sum(set => set.Queries.Count));
            // Development inputs and test inputs of a seed share nothing, over all of its sets.
            Assert.Empty(Inputs(sets.SelectMany(set => set.Dev)).Intersect(Inputs(sets.SelectMany(set => set.Queries))));
        }
    }

    [Fact]
    public void Draw_SameSeed_IsTheSame_AnotherSeedOrNameIsNot()
    {
        var one = EvalJson.Text(new DrawnSets(DemonstrationDraw.Draw(Task(60), Usual, 3)));
        Assert.Equal(one, EvalJson.Text(new DrawnSets(DemonstrationDraw.Draw(Task(60), Usual, 3))));
        Assert.NotEqual(one, EvalJson.Text(new DrawnSets(DemonstrationDraw.Draw(Task(60), Usual, 4))));
        Assert.NotEqual(one, EvalJson.Text(new DrawnSets(DemonstrationDraw.Draw(Task(60, "others"), Usual, 3))));
    }

    [Fact]
    public void Draw_TestSplit_AsksOnlyIt()
    {
        var task = Task(60) with { Test = [.. Enumerable.Range(0, 30).Select(i => new EvalExample($"test{i}", "x"))] };
        var sets = DemonstrationDraw.Draw(task, Usual with { Queries = 0, Sets = 3 }, 0);
        Assert.Equal(task.Test.Select(example => example.Input).Order(), Inputs(sets.SelectMany(set => set.Queries)).Order());
        Assert.All(sets.SelectMany(set => set.Demonstrations.Concat(set.Dev)), example => Assert.StartsWith("in", example.Input));
    }

    [Fact]
    public void Draw_TestInputInTheTrainingSplit_IsNeverADevelopmentQuery()
    {
        var task = Task(20);
        var sets = DemonstrationDraw.Draw(task with { Test = [.. task.Train.Take(10)] }, Usual with { Queries = 0, Sets = 2, Shots = 3 }, 0);
        Assert.Empty(Inputs(sets.SelectMany(set => set.Dev)).Intersect(Inputs(task.Train.Take(10))));
        Assert.All(sets, set => Assert.Empty(Inputs(set.Demonstrations).Intersect(Inputs(set.Queries))));
    }

    [Fact]
    public void Draw_Classes_AreEvenlyShown()
    {
        var task = Task(60, options: ["a", "b", "c"]);
        Assert.True(task.HasClasses);
        foreach (var set in DemonstrationDraw.Draw(task, Usual with { Shots = 7 }, 0))
        {
            var counts = set.Demonstrations.CountBy(example => example.Output).Select(pair => pair.Value).Order();
            Assert.Equal([2, 2, 3], counts);
        }

        Assert.Throws<UsageException>(() => DemonstrationDraw.Draw(Task(60), Usual with { Kind = DrawKind.Stratified }, 0));
    }

    [Fact]
    public void Draw_TooFewExamples_IsUsageThatNamesTheTask()
    {
        Assert.Contains("'numbers'", Assert.Throws<UsageException>(() => DemonstrationDraw.Draw(Task(6), Usual, 0)).Message);
        Assert.Contains("'numbers'", Assert.Throws<UsageException>(() => DemonstrationDraw.Draw(Task(3), Usual, 0)).Message);
    }

    [Fact]
    public void ShuffleLabels_KeepsInputsAndOutputsButNotTheirPairs()
    {
        foreach (var set in DemonstrationDraw.Draw(Task(60), Usual, 0))
        {
            var shuffled = DemonstrationDraw.ShuffleLabels(set);
            Assert.Equal(Inputs(set.Demonstrations), Inputs(shuffled.Demonstrations));
            Assert.Equal(set.Demonstrations.Select(d => d.Output).Order(), shuffled.Demonstrations.Select(d => d.Output).Order());
            Assert.NotEqual(set.Demonstrations.Select(d => d.Output), shuffled.Demonstrations.Select(d => d.Output));
            Assert.Equal(Inputs(set.Queries), Inputs(shuffled.Queries));
        }
    }

    [Fact]
    public void ShuffleLabels_OneLabel_EndsUnchanged()
    {
        var set = DemonstrationDraw.Draw(Task(60, options: ["only"]), Usual, 0)[0];
        Assert.Equal(["only"], DemonstrationDraw.ShuffleLabels(set).Demonstrations.Select(example => example.Output).Distinct());
    }

    [Fact]
    public void Reorder_OrderOne_IsTheDrawnOne_OthersHoldTheSame()
    {
        var set = DemonstrationDraw.Draw(Task(60), Usual, 0)[0];
        Assert.Same(set, DemonstrationDraw.Reorder(set, 1));
        Assert.Equal(Inputs(set.Demonstrations).Order(), Inputs(DemonstrationDraw.Reorder(set, 2).Demonstrations).Order());
        Assert.True(Enumerable.Range(2, 10).Select(order => string.Join(' ', Inputs(DemonstrationDraw.Reorder(set, order).Demonstrations))).Distinct().Count() > 5);
    }

    [Fact]
    public void DrawAround_AsksTheSameInputsAndShowsNoneOfThem()
    {
        var sets = DemonstrationDraw.Draw(Task(60), Usual, 0);
        foreach (var set in sets)
        {
            var other = DemonstrationDraw.DrawAround(Task(60, "others"), Usual, set);
            Assert.Equal(Inputs(set.Queries), Inputs(other.Queries));
            Assert.Empty(Inputs(other.Demonstrations.Concat(other.Dummies)).Intersect(Inputs(set.Queries.Concat(set.Dev))));
        }
    }
}
