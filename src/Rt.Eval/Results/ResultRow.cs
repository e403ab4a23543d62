// A row of the table: one method on one task, over all seeds.
using Rt.Model;

namespace Rt.Eval;

/// <summary>One query's result in a row.</summary>
/// <param name="Unit">Where it comes from.</param>
/// <param name="Index">Index among the unit's queries.</param>
/// <param name="Set">Its demonstration set.</param>
/// <param name="Query">The query.</param>
/// <param name="At">Step, layer or order at which it was answered.</param>
/// <param name="Prediction">The answer given.</param>
/// <param name="Correct">Whether it is right.</param>
/// <param name="CorrectOther">See <see cref="Measurement.CorrectOther"/>; null where there is none.</param>
public readonly record struct Sample(
    UnitRecord Unit, int Index, DemonstrationSet Set, EvalExample Query, int At, string Prediction, bool Correct, bool? CorrectOther);

/// <summary>A row of the table.</summary>
public sealed record ResultRow
{
    /// <summary>The task, or the name of a mean over tasks.</summary>
    public required string Task { get; init; }

    /// <summary>What was done, such as <c>deep-thinking, step by dev</c>.</summary>
    public required string Method { get; init; }

    /// <summary>The control in force; null for none.</summary>
    public string? Control { get; init; }

    /// <summary>How the step or layer was chosen; null where there is nothing to choose.</summary>
    public StepChoice? Choice { get; init; }

    /// <summary>The steps or layers chosen, one per seed; empty where there is nothing to choose.</summary>
    public IReadOnlyList<int> At { get; init; } = [];

    /// <summary>Demonstrations per prompt.</summary>
    public required int Shots { get; init; }

    /// <summary>Right answers of all seeds.</summary>
    public required Accuracy Accuracy { get; init; }

    /// <summary>The value reported: the accuracy, or the mean of the tasks' accuracies.</summary>
    public required double Value { get; init; }

    /// <summary>Its standard error: the sample standard deviation over sqrt(n), as lm-evaluation-harness has it.</summary>
    public required double StandardError { get; init; }

    /// <summary>Standard error clustered by demonstration set.</summary>
    public required double ClusteredError { get; init; }

    /// <summary>Standard deviation over seeds.</summary>
    public required double SeedDeviation { get; init; }

    /// <summary>Accuracy by log-probability per token where there are options; null elsewhere.</summary>
    public double? PerToken { get; init; }

    /// <summary>Difference from plain in-context learning on the same queries; null where that was not measured, and in its own row.</summary>
    public DifferenceInterval? Difference { get; init; }

    /// <summary>Prompt tokens run through the model per query.</summary>
    public required double TokensPerQuery { get; init; }

    /// <summary>Wall time per query in milliseconds; NaN without timing.</summary>
    public required double MillisecondsPerQuery { get; init; }

    /// <summary>Every query; empty in means over tasks.</summary>
    public IReadOnlyList<Sample> Samples { get; init; } = [];

    /// <summary>Per query its set, and its result less that of plain in-context learning: 1, 0 or -1.</summary>
    internal IReadOnlyList<(DemonstrationSet Set, int Difference)> Paired { get; init; } = [];
}
