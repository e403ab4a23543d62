// Statistics against values worked out by hand.
namespace Rt.Eval.Tests;

public sealed class BootstrapTests
{
    private static Cluster[] Singles(params double[] values) => [.. values.Select(value => new Cluster(value, 1))];

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0.5, 2.5)]
    [InlineData(0.25, 1.75)]
    [InlineData(1, 4)]
    public void Quantile_OfOneToFour_InterpolatesBetweenOrderStatistics(double probability, double expected) =>
        Assert.Equal(expected, Bootstrap.Quantile([1, 2, 3, 4], probability), 1e-12);

    [Fact]
    public void ClusteredError_TwoClusters_IsTheRootOfSummedSquaresOverN()
    {
        // Clusters of 3 of 4 right and 1 of 4 right: mean 0.5, deviations +1 and -1, sqrt(1 + 1) / 8.
        Assert.Equal(Math.Sqrt(2) / 8, Bootstrap.ClusteredError([new Cluster(3, 4), new Cluster(1, 4)]), 1e-12);
        Assert.True(double.IsNaN(Bootstrap.ClusteredError([new Cluster(3, 4)])));
    }

    [Fact]
    public void ClusteredError_ClustersOfOne_IsTheUnclusteredErrorButForBessel()
    {
        var accuracy = Accuracy.Of([true, true, true, false]);
        Assert.Equal(accuracy.StandardError * Math.Sqrt(3.0 / 4), Bootstrap.ClusteredError(Singles(1, 1, 1, 0)), 1e-12);
    }

    [Fact]
    public void Deviation_OfThreeValues_IsTheSampleDeviation()
    {
        Assert.Equal(Math.Sqrt(((0.2 - 0.4) * (0.2 - 0.4) + (0.6 - 0.4) * (0.6 - 0.4)) / 2), Bootstrap.Deviation([0.2, 0.4, 0.6]), 1e-12);
        Assert.True(double.IsNaN(Bootstrap.Deviation([0.2])));
    }

    [Fact]
    public void Interval_EqualDifferences_HasNoWidth() =>
        Assert.Equal((0.25, 0.25), Bootstrap.Interval([[new Cluster(1, 4), new Cluster(2, 8), new Cluster(0.5, 2)]], 500, 1));

    [Fact]
    public void Interval_OneCluster_IsUnknown()
    {
        Assert.Equal((double.NaN, double.NaN), Bootstrap.Interval([[new Cluster(1, 4)]], 500, 1));
    }

    [Fact]
    public void Interval_TwoClusters_SpansThem() =>
        Assert.Equal((0.0, 1.0), Bootstrap.Interval([Singles(0, 1)], 2000, 1));

    [Fact]
    public void Interval_ManyQueries_IsThatOfTheNormalApproximation()
    {
        // 150 of 400 differences are 1: mean 0.375, sd of the mean sqrt(0.375 * 0.625 / 400) = 0.02421.
        var (low, high) = Bootstrap.Interval([Singles([.. Enumerable.Range(0, 400).Select(i => i < 150 ? 1.0 : 0.0)])], 20_000, 7);
        Assert.Equal(0.375 - 1.96 * 0.02421, low, 0.004);
        Assert.Equal(0.375 + 1.96 * 0.02421, high, 0.004);
    }

    [Fact]
    public void Interval_TwoTasks_HalvesTheVariance()
    {
        var task = Singles([.. Enumerable.Range(0, 400).Select(i => i < 200 ? 1.0 : 0.0)]);
        var one = Bootstrap.Interval([task], 20_000, 7);
        var two = Bootstrap.Interval([task, task], 20_000, 7);
        Assert.Equal((one.High - one.Low) / Math.Sqrt(2), two.High - two.Low, 0.004);
        Assert.Equal(0.5, Bootstrap.Mean([task, task]), 1e-12);
    }

    [Fact]
    public void Interval_SameSeed_IsTheSame() => Assert.Equal(
        Bootstrap.Interval([Singles(0, 1, 1, 0, 1)], 300, 3), Bootstrap.Interval([Singles(0, 1, 1, 0, 1)], 300, 3));
}
