// One line of a benchmark: repetitions of a test with the machine's limits measured between them.
using Rt.Core;

namespace Rt.Cli.Bench;

/// <summary>Mean, sample standard deviation and median.</summary>
public readonly record struct Summary(double Mean, double StandardDeviation, double Median)
{
    /// <summary>Of at least one value; the deviation of one value is 0.</summary>
    public static Summary Of(IReadOnlyList<double> values)
    {
        var sorted = values.Order().ToArray();
        var mean = sorted.Average();
        var middle = sorted.Length / 2;
        return new Summary(
            mean,
            sorted.Length < 2 ? 0 : Math.Sqrt(sorted.Sum(value => (value - mean) * (value - mean)) / (sorted.Length - 1)),
            sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2);
    }
}

/// <summary>Measurements of one test.</summary>
public sealed record BenchRow
{
    /// <summary>Above this many busy processors of others a row is marked as disturbed.</summary>
    public const double DisturbedFrom = 0.15;

    /// <summary>The test.</summary>
    public required BenchSpec Spec { get; init; }

    /// <summary>tok/s, queries/s or ms.</summary>
    public required string Unit { get; init; }

    /// <summary>Tokens, queries or passes of one repetition.</summary>
    public required int Units { get; init; }

    /// <summary>The limit that <see cref="PercentOfLimit"/> is of.</summary>
    public required BenchLimit Limit { get; init; }

    /// <summary>Seconds of each repetition.</summary>
    public required double[] Seconds { get; init; }

    /// <summary>Of each repetition, inside the meta-gradient update; empty where it has none.</summary>
    public double[] UpdateSeconds { get; init; } = [];

    /// <summary>Arithmetic and bytes of one repetition; all zero where they were not counted.</summary>
    public OpWork Work { get; init; }

    /// <summary>The limits before the first repetition, between them and after the last; empty where they were not measured.</summary>
    public ProbeReading[] Probes { get; init; } = [];

    /// <summary>Bytes allocated on the garbage-collected heap per unit, median of the repetitions.</summary>
    public required double AllocatedPerUnit { get; init; }

    /// <summary>Processors that other processes kept busy meanwhile; NaN where unknown.</summary>
    public required double OtherProcessors { get; init; }

    /// <summary>Load only: seconds of the first load of the process, its compilation included.</summary>
    public double? FirstSeconds { get; init; }

    /// <summary>Load only: the process's peak resident bytes after the first load.</summary>
    public long? PeakResidentBytes { get; init; }

    /// <summary>Ops of one further repetition; null where not asked for.</summary>
    public OpLedger? Ops { get; init; }

    /// <summary>Whether other processes were busy.</summary>
    public bool Disturbed => OtherProcessors > DisturbedFrom;

    /// <summary>The result in <see cref="Unit"/>, per repetition.</summary>
    public double[] Values => [.. Seconds.Select(seconds => Unit == "ms" ? 1e3 * seconds / Units : Units / seconds)];

    /// <summary>Summary of <see cref="Values"/>.</summary>
    public Summary Value => Summary.Of(Values);

    /// <summary>GB/s of stored weights read, or of all five streams for the update, at the median repetition.</summary>
    public double GBps => LimitBytes / Summary.Of(Seconds).Median / 1e9;

    /// <summary>GFLOP/s at the median repetition.</summary>
    public double Gflops => Work.Flops / Summary.Of(Seconds).Median / 1e9;

    /// <summary>Median over the repetitions of the rate over the mean of the limits measured just before and after; null without either.</summary>
    public double? PercentOfLimit
    {
        get
        {
            var amount = Limit switch { BenchLimit.ReadBandwidth => LimitBytes, BenchLimit.Arithmetic => Work.Flops, _ => 0 };
            if (Probes.Length != Seconds.Length + 1 || amount == 0)
            {
                return null;
            }

            return Summary.Of([.. Seconds.Select((seconds, i) =>
                100 * amount / seconds / 1e9 / ((LimitOf(Probes[i]) + LimitOf(Probes[i + 1])) / 2))]).Median;
        }
    }

    private double LimitBytes => Spec.Kind == BenchKind.Update ? Work.OtherBytes : Work.WeightBytes;

    private double LimitOf(ProbeReading probe) => Limit == BenchLimit.ReadBandwidth ? probe.ReadGBps : probe.FmaGflops;
}
