// What a unit of work found: predictions of every query at every step and layer. Everything reported is computed from these.
using System.Text.Json.Serialization;

namespace Rt.Eval;

/// <summary>Predictions of one method at one or more points of an axis. Queries: the test queries of all sets, then the development queries.</summary>
public sealed record Measurement
{
    /// <summary>One of <see cref="Methods"/>.</summary>
    public required string Method { get; init; }

    /// <summary>The control it is measured under; null for none.</summary>
    public string? Control { get; init; }

    /// <summary>What the points are: step, layer, order, repeats; empty for a single point.</summary>
    public string Axis { get; init; } = "";

    /// <summary>The points.</summary>
    public required IReadOnlyList<int> At { get; init; }

    /// <summary>[points][queries].</summary>
    public required IReadOnlyList<IReadOnlyList<string>> Predictions { get; init; }

    /// <summary>[points], a character per query: 1 where it is right.</summary>
    public required IReadOnlyList<string> Correct { get; init; }

    /// <summary>[points], as <see cref="Correct"/>: by log-probability per token where there are options, by the written task's answer in
    /// conflicting tasks; empty elsewhere.</summary>
    public IReadOnlyList<string> CorrectOther { get; init; } = [];

    /// <summary>[points]: prompt tokens run through the model for all test queries, demonstrations and think passes included.</summary>
    public required IReadOnlyList<long> Tokens { get; init; }

    /// <summary>[points]: wall time for all test queries; empty without timing.</summary>
    public IReadOnlyList<double> Milliseconds { get; init; } = [];
}

/// <summary>Tokens that a vector reads out to.</summary>
/// <param name="Token">Text.</param>
/// <param name="Logit">Behind the final norm and the head.</param>
public readonly record struct TopToken(string Token, double Logit);

/// <summary>One finished unit of work.</summary>
public sealed record UnitRecord
{
    /// <summary>Unique in the run.</summary>
    public required string Id { get; init; }

    /// <summary>Hash of everything the measurements depend on.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>The task; of conflicting tasks, the shown one.</summary>
    public required string Task { get; init; }

    /// <summary>Of conflicting tasks, the one whose vector is written; null elsewhere.</summary>
    public string? Written { get; init; }

    /// <summary>Seed of the draws.</summary>
    public required ulong Seed { get; init; }

    /// <summary>The sets with their queries.</summary>
    public required IReadOnlyList<DemonstrationSet> Sets { get; init; }

    /// <summary>Of conflicting tasks, the sets of the written task, asked the same inputs.</summary>
    public IReadOnlyList<DemonstrationSet> WrittenSets { get; init; } = [];

    /// <summary>Per method and control.</summary>
    public required IReadOnlyList<Measurement> Measurements { get; init; }

    /// <summary>[steps][layers]: Frobenius norm of G for keys, mean over sets; empty without thinking.</summary>
    public IReadOnlyList<double[]> KeyGradientNorms { get; init; } = [];

    /// <summary>[steps][layers]: Frobenius norm of G for values.</summary>
    public IReadOnlyList<double[]> ValueGradientNorms { get; init; } = [];

    /// <summary>[layers]: what the mean of the unit's task vectors reads out to; empty without task vectors.</summary>
    public IReadOnlyList<TopToken[]> TopTokens { get; init; } = [];

    /// <summary>When it was done, seconds since 1970; null without timing.</summary>
    public long? Finished { get; init; }

    /// <summary>[sets][layers][hidden]: the task vectors, kept in a file of their own.</summary>
    [JsonIgnore]
    public float[][][] Vectors { get; init; } = [];

    /// <summary>Number of test queries.</summary>
    [JsonIgnore]
    public int TestCount => Sets.Sum(set => set.Queries.Count);

    /// <summary>Number of development queries.</summary>
    [JsonIgnore]
    public int DevCount => Sets.Sum(set => set.Dev.Count);

    /// <summary>Every test query with its set, in the order of the predictions.</summary>
    public IEnumerable<(DemonstrationSet Set, EvalExample Query)> TestQueries() => Sets.SelectMany(set => set.Queries.Select(query => (set, query)));

    /// <summary>A measurement; null where it was not asked for.</summary>
    public Measurement? Find(string method, string? control = null) =>
        Measurements.FirstOrDefault(measurement => measurement.Method == method && measurement.Control == control);
}
