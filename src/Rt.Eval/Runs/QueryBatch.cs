// Queries of one task as token ids, answered many at a time: behind kept keys and values, or with task vectors at every layer.
using Rt.Model;

namespace Rt.Eval;

/// <summary>What a model made of a query.</summary>
/// <param name="Prediction">The answer it gave.</param>
/// <param name="Correct">Whether it is right.</param>
/// <param name="CorrectOther">See <see cref="Measurement.CorrectOther"/>.</param>
internal readonly record struct Outcome(string Prediction, bool Correct, bool CorrectOther);

/// <summary>Prompts and what their right answers are.</summary>
internal abstract class QueryBatch
{
    /// <summary>Prompts of one generation or scoring call.</summary>
    protected const int ChunkSize = 256;

    /// <summary>Prompt tokens per query.</summary>
    public abstract IReadOnlyList<int> TokenCounts { get; }

    /// <summary>Answers every query behind its prefix.</summary>
    /// <param name="kept">Per query; null for none.</param>
    /// <param name="cancellation">Noticed between passes.</param>
    public abstract Outcome[] Answer(IReadOnlyList<KeptKv?> kept, CancellationToken cancellation);

    /// <summary>Answers every query with its vector written at the prompt's last token, at every layer in turn.</summary>
    /// <param name="vectors">Per query.</param>
    /// <param name="layers">Number of layers.</param>
    /// <param name="cancellation">Noticed between passes.</param>
    /// <returns>[layers][queries].</returns>
    public abstract Outcome[][] Sweep(IReadOnlyList<TaskVector> vectors, int layers, CancellationToken cancellation);

    /// <summary>Queries of a task.</summary>
    /// <param name="model">The model.</param>
    /// <param name="template">Puts them into words.</param>
    /// <param name="queries">All with options or all without.</param>
    /// <param name="addSpecialTokens">True where the query begins the text.</param>
    /// <param name="firstToken">Judge the first token alone.</param>
    public static QueryBatch Create(
        LanguageModel model, PromptTemplate template, IReadOnlyList<EvalExample> queries, bool addSpecialTokens, bool firstToken) =>
        queries.Count > 0 && queries[0].Options is not null
            ? new OptionBatch(model, template, queries, addSpecialTokens)
            : new TextBatch(model, template, queries, [], addSpecialTokens, firstToken);
}
