// What a run measures, and how its results are read.
using Rt.Core;
using Rt.Model;

namespace Rt.Eval;

/// <summary>Everything that a measurement depends on besides the model and the tasks.</summary>
public sealed record EvalSettings
{
    /// <summary>Names of <see cref="Eval.Methods"/>.</summary>
    public IReadOnlyList<string> Methods { get; init; } = Eval.Methods.Default;

    /// <summary>Numbers of shots, sets and queries.</summary>
    public DrawSettings Draw { get; init; } = new(Shots: 5, Sets: 5, Queries: 30, Dev: 15, Dummies: 2, DrawKind.Auto);

    /// <summary>Seeds; every one draws anew.</summary>
    public IReadOnlyList<ulong> Seeds { get; init; } = [0, 1];

    /// <summary>T: passes of Deep-Thinking, and orders of the selection-only control.</summary>
    public int Steps { get; init; } = 15;

    /// <summary>η.</summary>
    public double StepSize { get; init; } = 0.01;

    /// <summary>β.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Positions of think passes after the first.</summary>
    public PositionsMode Positions { get; init; }

    /// <summary>The update's arithmetic is rounded to the model's dtype, as published.</summary>
    public bool ModelPrecision { get; init; }

    /// <summary>How often the repeated control shows the demonstrations.</summary>
    public IReadOnlyList<int> Repeats { get; init; } = [2];

    /// <summary>Judge the first token of a free answer alone, as the published task-vector code does.</summary>
    public bool FirstToken { get; init; }

    /// <summary>Record wall times and dates; without them the same run gives the same bytes.</summary>
    public bool Timing { get; init; } = true;

    /// <summary>Whether a method or control is wanted.</summary>
    public bool Has(string method) => Methods.Contains(method);

    /// <summary>Settings of the think stage.</summary>
    public ThinkOptions Think(LanguageModel model) => new()
    {
        Steps = Steps,
        StepSize = StepSize,
        Momentum = Momentum,
        Positions = Positions,
        Precision = ModelPrecision ? model.WeightType : null,
    };

    /// <summary>Fails where the numbers contradict each other.</summary>
    /// <exception cref="UsageException">As said.</exception>
    public void Check()
    {
        if (Methods.FirstOrDefault(method => !Eval.Methods.All.Contains(method)) is { } unknown)
        {
            throw new UsageException($"method '{unknown}': unknown; expected {string.Join(", ", Eval.Methods.All)}");
        }

        if (Draw.Shots < 1 && Methods.Any(method => method != Eval.Methods.ZeroShot))
        {
            throw new UsageException("0 shots: only zero-shot works without demonstrations");
        }

        if (Seeds.Count == 0 || Seeds.Distinct().Count() != Seeds.Count || Methods.Count == 0)
        {
            throw new UsageException("expected at least one method, and at least one seed, none of them twice");
        }
    }
}

/// <summary>How steps and layers are chosen when results are read; measurements do not depend on it.</summary>
public sealed record ReadingSettings
{
    /// <summary>Which choices get a row.</summary>
    public IReadOnlyList<StepChoice> Choices { get; init; } = [StepChoice.Fixed, StepChoice.Dev];

    /// <summary>The fixed step of Deep-Thinking: 5 without a development set, as in arXiv:2305.13016.</summary>
    public int FixedStep { get; init; } = 5;

    /// <summary>The fixed layer of task vectors; null for none.</summary>
    public int? FixedLayer { get; init; }

    /// <summary>Resamples of the bootstrap.</summary>
    public int Resamples { get; init; } = 10_000;
}
