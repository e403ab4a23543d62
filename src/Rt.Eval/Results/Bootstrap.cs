// Paired bootstrap intervals and clustered standard errors.
// Sources: Efron and Tibshirani 1993 (percentile interval); Liang and Zeger 1986 (clustered standard error), for evaluations arXiv:2411.00640.
namespace Rt.Eval;

/// <summary>Sums of paired differences in one cluster of queries: those of one demonstration set, or a single query.</summary>
/// <param name="Sum">Sum of the differences.</param>
/// <param name="Count">Queries.</param>
public readonly record struct Cluster(double Sum, int Count);

/// <summary>A mean difference with its interval.</summary>
/// <param name="Value">Mean difference.</param>
/// <param name="Low">Lower end of the 95 % interval; NaN where there is nothing to resample.</param>
/// <param name="High">Upper end.</param>
/// <param name="Unit">What was resampled.</param>
/// <param name="Units">How many there are.</param>
public readonly record struct DifferenceInterval(double Value, double Low, double High, string Unit, int Units);

/// <summary>Resampling statistics.</summary>
public static class Bootstrap
{
    /// <summary>With fewer sets than these, queries are resampled instead: an interval of few sets would mean nothing.</summary>
    public const int FewestSets = 10;

    private const double Tail = 0.025;

    /// <summary>The 95 % percentile interval of the mean of clusters, over one or more groups (tasks) whose means count equally.</summary>
    /// <param name="groups">Clusters per group.</param>
    /// <param name="resamples">Number of resamples.</param>
    /// <param name="seed">Equal seeds give equal intervals.</param>
    /// <returns>Lower and upper end; NaN where no group has two clusters.</returns>
    public static (double Low, double High) Interval(IReadOnlyList<IReadOnlyList<Cluster>> groups, int resamples, ulong seed)
    {
        if (resamples < 1 || groups.All(group => group.Count < 2))
        {
            return (double.NaN, double.NaN);
        }

        var random = new SeededRandom(seed);
        var means = new double[resamples];
        for (var i = 0; i < resamples; i++)
        {
            var total = 0.0;
            foreach (var group in groups)
            {
                var (sum, count) = (0.0, 0);
                for (var j = 0; j < group.Count; j++)
                {
                    var cluster = group[random.Next(group.Count)];
                    sum += cluster.Sum;
                    count += cluster.Count;
                }

                total += sum / count;
            }

            means[i] = total / groups.Count;
        }

        Array.Sort(means);
        return (Quantile(means, Tail), Quantile(means, 1 - Tail));
    }

    /// <summary>Mean over groups of the mean over each group's queries.</summary>
    public static double Mean(IReadOnlyList<IReadOnlyList<Cluster>> groups) =>
        groups.Average(group => group.Sum(cluster => cluster.Sum) / group.Sum(cluster => cluster.Count));

    /// <summary>Quantile of sorted values by linear interpolation between order statistics (Hyndman and Fan 1996, type 7).</summary>
    public static double Quantile(IReadOnlyList<double> sorted, double probability)
    {
        var place = probability * (sorted.Count - 1);
        var below = (int)Math.Floor(place);
        return below + 1 < sorted.Count ? sorted[below] + (place - below) * (sorted[below + 1] - sorted[below]) : sorted[below];
    }

    /// <summary>Standard error of a mean over queries that share clusters: sqrt(sum over clusters of (sum of deviations)^2) / n.</summary>
    /// <param name="clusters">Sums and counts of the values themselves.</param>
    public static double ClusteredError(IReadOnlyList<Cluster> clusters)
    {
        var count = clusters.Sum(cluster => cluster.Count);
        var mean = clusters.Sum(cluster => cluster.Sum) / count;
        return clusters.Count < 2 ? double.NaN : Math.Sqrt(clusters.Sum(cluster => Math.Pow(cluster.Sum - cluster.Count * mean, 2))) / count;
    }

    /// <summary>Sample standard deviation; NaN below two values.</summary>
    public static double Deviation(IReadOnlyList<double> values)
    {
        var mean = values.Average();
        return values.Count < 2 ? double.NaN : Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1));
    }
}
