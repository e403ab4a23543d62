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

/// <summary>One repetition of a test.</summary>
/// <param name="Seconds">Wall time.</param>
/// <param name="UpdateSeconds">Of it, inside the meta-gradient update; 0 where that was not recorded.</param>
/// <param name="AllocatedBytes">Bytes allocated on the garbage-collected heap.</param>
/// <param name="Before">The limits just before; null where they were not measured.</param>
/// <param name="After">The limits just after.</param>
/// <param name="OtherProcessors">Processors that other processes kept busy meanwhile; NaN where unknown.</param>
public readonly record struct Repetition(
    double Seconds, double UpdateSeconds, long AllocatedBytes, ProbeReading? Before, ProbeReading? After, double OtherProcessors)
{
    /// <summary>Above this many busy processors of others a repetition is disturbed.</summary>
    public const double DisturbedFrom = 0.15;

    /// <summary>Whether other processes were busy.</summary>
    public bool Disturbed => OtherProcessors > DisturbedFrom;
}

/// <summary>Measurements of one test.</summary>
public sealed record BenchRow
{

    /// <summary>The test.</summary>
    public required BenchSpec Spec { get; init; }

    /// <summary>tok/s, queries/s or ms.</summary>
    public required string Unit { get; init; }

    /// <summary>Tokens, queries or passes of one repetition.</summary>
    public required int Units { get; init; }

    /// <summary>The limit that <see cref="PercentOfLimit"/> is of.</summary>
    public required BenchLimit Limit { get; init; }

    /// <summary>The repetitions kept.</summary>
    public required IReadOnlyList<Repetition> Repetitions { get; init; }

    /// <summary>Repetitions that were disturbed and therefore not kept.</summary>
    public int Dropped { get; init; }

    /// <summary>Whether the repetitions recorded the time of the meta-gradient update.</summary>
    public bool HasUpdate { get; init; }

    /// <summary>Arithmetic and bytes of one repetition; all zero where they were not counted.</summary>
    public OpWork Work { get; init; }

    /// <summary>Load only: seconds of the first load of the process, its compilation included.</summary>
    public double? FirstSeconds { get; init; }

    /// <summary>Load only: the process's peak resident bytes after the first load.</summary>
    public long? PeakResidentBytes { get; init; }

    /// <summary>Ops of one further repetition; null where not asked for.</summary>
    public OpLedger? Ops { get; init; }

    /// <summary>Repetitions kept although other processes were busy.</summary>
    public int Disturbed => Repetitions.Count(repetition => repetition.Disturbed);

    /// <summary>Processors that other processes kept busy, mean of the repetitions.</summary>
    public double OtherProcessors => Repetitions.Average(repetition => repetition.OtherProcessors);

    /// <summary>Bytes allocated on the garbage-collected heap per unit, median of the repetitions.</summary>
    public double AllocatedPerUnit => Median(repetition => (double)repetition.AllocatedBytes / Units);

    /// <summary>Milliseconds inside the update, median of the repetitions.</summary>
    public double UpdateMs => 1e3 * Median(repetition => repetition.UpdateSeconds);

    /// <summary>Milliseconds outside the update, median of the repetitions.</summary>
    public double ForwardMs => 1e3 * Median(repetition => repetition.Seconds - repetition.UpdateSeconds);

    /// <summary>The result in <see cref="Unit"/>, per repetition.</summary>
    public double[] Values => [.. Repetitions.Select(repetition => Unit == "ms" ? 1e3 * repetition.Seconds / Units : Units / repetition.Seconds)];

    /// <summary>Summary of <see cref="Values"/>.</summary>
    public Summary Value => Summary.Of(Values);

    /// <summary>The limits seen around the repetitions, in order; empty where they were not measured.</summary>
    public IEnumerable<ProbeReading> Probes =>
        Repetitions.SelectMany(repetition => (ProbeReading?[])[repetition.Before, repetition.After]).OfType<ProbeReading>();

    /// <summary>GB/s of stored weights read, or of all five streams for the update, at the median repetition.</summary>
    public double GBps => LimitBytes / Median(repetition => repetition.Seconds) / 1e9;

    /// <summary>GFLOP/s at the median repetition.</summary>
    public double Gflops => Work.Flops / Median(repetition => repetition.Seconds) / 1e9;

    /// <summary>Median over the repetitions of the rate over the mean of the limits measured just before and after; null without either.</summary>
    public double? PercentOfLimit
    {
        get
        {
            var amount = Limit switch { BenchLimit.ReadBandwidth => LimitBytes, BenchLimit.Arithmetic => Work.Flops, _ => 0 };
            return amount == 0 || Repetitions.Any(repetition => repetition.Before is null || repetition.After is null)
                ? null
                : Median(repetition => 100 * amount / repetition.Seconds / 1e9
                    / ((LimitOf(repetition.Before!.Value) + LimitOf(repetition.After!.Value)) / 2));
        }
    }

    private double Median(Func<Repetition, double> of) => Summary.Of([.. Repetitions.Select(of)]).Median;

    private double LimitBytes => Spec.Kind == BenchKind.Update ? Work.OtherBytes : Work.WeightBytes;

    private double LimitOf(ProbeReading probe) => Limit == BenchLimit.ReadBandwidth ? probe.ReadGBps : probe.FmaGflops;
}
