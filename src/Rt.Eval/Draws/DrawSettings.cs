// How demonstrations and queries are drawn.
namespace Rt.Eval;

/// <summary>How demonstrations are drawn.</summary>
public enum DrawKind
{
    /// <summary>Stratified where every example of a task has the same options, at random elsewhere.</summary>
    Auto,

    /// <summary>Any examples, equally likely.</summary>
    Random,

    /// <summary>As many of every option as of any other, give or take one.</summary>
    Stratified,
}

/// <summary>Settings of the draws of one task and seed.</summary>
/// <param name="Shots">Demonstrations of a set.</param>
/// <param name="Sets">Demonstration sets; with one set per query every query has its own, as in arXiv:2310.15916.</param>
/// <param name="Queries">Test queries over all sets; 0 for every one of a test split.</param>
/// <param name="Dev">Development queries over all sets.</param>
/// <param name="Dummies">Dummy queries of a set, at whose end a task vector is read.</param>
/// <param name="Kind">How demonstrations are drawn.</param>
public sealed record DrawSettings(int Shots, int Sets, int Queries, int Dev, int Dummies, DrawKind Kind);

/// <summary>One demonstration set with the queries that it answers.</summary>
public sealed record DemonstrationSet
{
    /// <summary>Seed of the draw.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Index among the sets of the task and seed.</summary>
    public required int Index { get; init; }

    /// <summary>Shown, in the order of the prompt.</summary>
    public required IReadOnlyList<EvalExample> Demonstrations { get; init; }

    /// <summary>Queries at whose end a task vector is read; one may also be a demonstration, none is a test or development query.</summary>
    public required IReadOnlyList<EvalExample> Dummies { get; init; }

    /// <summary>Test queries; none is a demonstration.</summary>
    public required IReadOnlyList<EvalExample> Queries { get; init; }

    /// <summary>Development queries, by which steps and layers are chosen; none is a demonstration or a test query of this seed.</summary>
    public required IReadOnlyList<EvalExample> Dev { get; init; }
}
