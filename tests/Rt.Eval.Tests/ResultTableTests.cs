// The table from records made by hand: accuracies, choices, differences.
using Rt.Model;

namespace Rt.Eval.Tests;

public sealed class ResultTableTests
{
    private static readonly ReadingSettings Reading = new() { Choices = [StepChoice.Fixed, StepChoice.Dev, StepChoice.Oracle], FixedStep = 2, FixedLayer = 1, Resamples = 200 };

    /// <summary>A unit of one set: as many test and development queries as the bits of its measurements say.</summary>
    private static UnitRecord Unit(string task, ulong seed, int test, int dev, params Measurement[] measurements) => new()
    {
        Id = $"{task}.{seed}",
        Fingerprint = "f",
        Task = task,
        Seed = seed,
        Sets =
        [
            new DemonstrationSet
            {
                Seed = seed, Index = 0, Demonstrations = [new EvalExample("a", "b"), new EvalExample("c", "d")], Dummies = [new EvalExample("e", "f")],
                Queries = [.. Enumerable.Range(0, test).Select(i => new EvalExample($"q{i}", $"o{i}"))],
                Dev = [.. Enumerable.Range(0, dev).Select(i => new EvalExample($"d{i}", $"p{i}"))],
            },
        ],
        Measurements = measurements,
    };

    private static Measurement Of(string method, string axis, int first, params string[] correct) => new()
    {
        Method = method,
        Axis = axis,
        At = [.. correct.Select((_, i) => first + i)],
        Correct = correct,
        Predictions = [.. correct.Select(bits => (IReadOnlyList<string>)[.. bits.Select(bit => $"{bit}")])],
        Tokens = [.. correct.Select((_, i) => 100L + i)],
        Milliseconds = [.. correct.Select((_, i) => 10.0 * (i + 1))],
    };

    private static ResultRow Row(IReadOnlyList<ResultRow> rows, string method, string? task = null) =>
        Assert.Single(rows, row => row.Method == method && (task is null || row.Task == task));

    [Fact]
    public void Rows_TwoSeeds_ArePooledAndComparedPairByPair()
    {
        var rows = ResultTable.Rows(
            [
                Unit("t", 0, 4, 0, Of(Methods.ZeroShot, "", 0, "1000"), Of(Methods.Icl, "", 0, "1110")),
                Unit("t", 1, 4, 0, Of(Methods.ZeroShot, "", 0, "0001"), Of(Methods.Icl, "", 0, "1100")),
            ],
            Reading);
        var (zero, icl) = (Row(rows, "zero-shot"), Row(rows, "icl"));
        Assert.Equal(new Accuracy(2, 8), zero.Accuracy);
        Assert.Equal(0.625, icl.Value);
        Assert.Equal(Math.Sqrt(0.625 * 0.375 / 7), icl.StandardError, 1e-12);
        Assert.Equal(Math.Sqrt(2) * 0.5 / 8, icl.ClusteredError, 1e-12);
        Assert.Equal(Math.Sqrt(2 * 0.125 * 0.125), icl.SeedDeviation, 1e-12);
        Assert.Null(icl.Difference);
        Assert.Equal((-0.375, "queries", 8), (zero.Difference!.Value.Value, zero.Difference.Value.Unit, zero.Difference.Value.Units));
        Assert.InRange(zero.Difference.Value.Low, -1, -0.375);
        Assert.InRange(zero.Difference.Value.High, -0.375, 0.25);
        Assert.Equal((0, 2), (zero.Shots, icl.Shots));
        Assert.Equal((25.0, 2.5), (icl.TokensPerQuery, icl.MillisecondsPerQuery));
    }

    [Fact]
    public void Rows_StepByDev_IsTheFirstBestOnDevelopmentQueriesOfItsSeed()
    {
        // Test queries are the first three bits, development queries the last two.
        var rows = ResultTable.Rows(
            [
                Unit("t", 0, 3, 2, Of(Methods.Icl, "", 0, "110"), Of(Methods.DeepThinking, "step", 1, "11000", "00011", "10011", "11101")),
                Unit("t", 1, 3, 2, Of(Methods.Icl, "", 0, "110"), Of(Methods.DeepThinking, "step", 1, "11001", "11110", "00011", "00000")),
            ],
            Reading);
        var dev = Row(rows, "deep-thinking, step by dev");
        Assert.Equal([2, 3], dev.At);
        Assert.Equal(0, dev.Accuracy.Correct);
        var oracle = Row(rows, "deep-thinking, best step (oracle)");
        Assert.Equal([4, 2], oracle.At);
        Assert.Equal(6, oracle.Accuracy.Correct);
        Assert.Equal(3, Row(rows, "deep-thinking, step 2").Accuracy.Correct);
        Assert.Equal(StepChoice.Dev, dev.Choice);
        // Tokens and times are those of the chosen points: 101 + 102 tokens, 20 + 30 ms, over 6 queries.
        Assert.Equal((203.0 / 6, 50.0 / 6), (dev.TokensPerQuery, dev.MillisecondsPerQuery));
    }

    [Fact]
    public void Rows_WithoutDevelopmentQueries_HaveNoRowByDev()
    {
        var rows = ResultTable.Rows([Unit("t", 0, 3, 0, Of(Methods.TaskVector, "layer", 0, "110", "111"))], Reading);
        Assert.Equal(["task-vector, layer 1", "task-vector, best layer (oracle)"], rows.Select(row => row.Method));
        Assert.All(rows, row => Assert.Null(row.Difference));
    }

    [Fact]
    public void Rows_SeveralTasks_EndInTheMeanOfTheirAccuracies()
    {
        var rows = ResultTable.Rows(
            [
                Unit("a", 0, 4, 0, Of(Methods.Icl, "", 0, "1111"), Of(Methods.ZeroShot, "", 0, "0000")),
                Unit("b", 0, 2, 0, Of(Methods.Icl, "", 0, "10"), Of(Methods.ZeroShot, "", 0, "10")),
            ],
            Reading);
        var mean = Row(rows, "icl", "mean of 2 tasks");
        Assert.Equal(0.75, mean.Value);
        Assert.Equal(new Accuracy(5, 6), mean.Accuracy);
        Assert.Equal(Math.Sqrt(0 + 0.25) / 2, mean.StandardError, 1e-12);
        Assert.Equal(-0.5, Row(rows, "zero-shot", "mean of 2 tasks").Difference!.Value.Value, 1e-12);
    }

    [Fact]
    public void Rows_TenSets_AreResampledWhole()
    {
        var units = Enumerable.Range(0, 10).Select(i => Unit("t", (ulong)i, 3, 0, Of(Methods.Icl, "", 0, "000"), Of(Methods.ZeroShot, "", 0, i % 2 == 0 ? "111" : "000")));
        var difference = Row(ResultTable.Rows([.. units], Reading), "zero-shot").Difference!.Value;
        Assert.Equal((0.5, "demonstration sets", 10), (difference.Value, difference.Unit, difference.Units));
        // Ten sets of all or nothing are far wider than thirty single queries would be (0.5 -+ 0.18).
        Assert.InRange(difference.Low, 0.05, 0.25);
    }

    [Fact]
    public void Rows_ConflictingTasks_AreJudgedByBothAnswers()
    {
        var unit = Unit("shown", 0, 2, 2) with
        {
            Written = "written",
            Measurements =
            [
                Of(Methods.Icl, "", 0, "11") with { CorrectOther = ["00"] },
                Of(Methods.Conflicting, "layer", 0, "1100", "0111", "0000") with { CorrectOther = ["00", "10", "11"] },
            ],
        };
        var rows = ResultTable.Rows([unit], Reading);
        Assert.All(rows, row => Assert.Equal("shown ← written", row.Task));
        Assert.Equal(1, Row(rows, "icl, answer of the shown task").Value);
        Assert.Equal(0, Row(rows, "icl, answer of the written task").Value);
        Assert.Equal([1], Row(rows, "conflicting, layer by dev, answer of the written task").At);
        Assert.Equal(0.5, Row(rows, "conflicting, layer by dev, answer of the written task").Value);
        Assert.Equal([2], Row(rows, "conflicting, best layer (oracle), answer of the written task").At);
        Assert.Equal(1, Row(rows, "conflicting, best layer (oracle), answer of the written task").Value);
    }

    [Fact]
    public void Similarity_KnownVectors_GivesTheirCosines()
    {
        float[] x = [2, 0], y = [0, 3], z = [1, 1];
        var similarity = Curves.Similarity(
        [
            Unit("a", 0, 1, 0) with { Vectors = [[x], [z]] },
            Unit("b", 0, 1, 0) with { Vectors = [[y], [y]] },
        ])!;
        var half = Math.Sqrt(0.5);
        Assert.Equal(half, similarity.Matrix[0][0], 1e-6);
        Assert.Equal(1, similarity.Matrix[1][1], 1e-6);
        Assert.Equal(half / 2, similarity.Matrix[0][1], 1e-6);
        Assert.Equal((half + 1) / 2, similarity.Within[0], 1e-6);
        Assert.Equal(half / 2, similarity.Between[0], 1e-6);
        // Cosines of 0 lie in the first bin, of 1 in the last, of 0.7071 in the 29th of 40.
        Assert.Equal((0, 2, 2, 1), (similarity.Lowest, similarity.BetweenCosines[0], similarity.BetweenCosines[28], similarity.WithinCosines[^1]));
        Assert.Equal((2, 4), (similarity.WithinCosines.Sum(), similarity.BetweenCosines.Sum()));
    }

    [Fact]
    public void Norms_TwoSeeds_AreAveraged()
    {
        var norms = Assert.Single(Curves.Norms(
        [
            Unit("a", 0, 1, 0) with { KeyGradientNorms = [[0, 0], [1, 3]], ValueGradientNorms = [[0, 0], [2, 2]] },
            Unit("a", 1, 1, 0) with { KeyGradientNorms = [[0, 0], [3, 5]], ValueGradientNorms = [[0, 0], [4, 6]] },
        ]));
        Assert.Equal([2, 4], norms.Key[1]);
        Assert.Equal([3, 4], norms.Value[1]);
    }
}
