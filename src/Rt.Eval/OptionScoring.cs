// Scoring of query files: options as the published code tokenises them. Source: arXiv:2305.13016, its published code.
using Rt.Core;
using Rt.Model;

namespace Rt.Eval;

/// <summary>What a model makes of a query's options.</summary>
/// <param name="Query">The query.</param>
/// <param name="Scores">Per option.</param>
/// <param name="Prediction">The option of the largest sum of log-probabilities; the first on ties.</param>
/// <param name="PredictionPerToken">The option of the largest log-probability per token.</param>
public sealed record ScoredQuery(Query Query, IReadOnlyList<OptionScore> Scores, int Prediction, int PredictionPerToken);

/// <summary>Turns queries into tokens and scores their options.</summary>
public sealed class OptionScoring
{
    private readonly LanguageModel _model;
    private readonly Query[] _queries;
    private readonly List<(int Query, int[] Options, OptionQuery Tokens)> _parts = [];

    /// <summary>Tokenises queries: an option's tokens are those of query and option together from the length of the query alone on.
    /// Options of a query whose leading tokens agree share them.</summary>
    /// <param name="model">The model.</param>
    /// <param name="queries">All with options.</param>
    /// <param name="template">Puts a query and its options into words.</param>
    /// <param name="addSpecialTokens">True where the query starts the text; false behind kept keys and values.</param>
    /// <exception cref="UsageException">Text without a tokenizer, or an option that adds no tokens.</exception>
    public OptionScoring(LanguageModel model, IReadOnlyList<Query> queries, PromptTemplate template, bool addSpecialTokens)
    {
        _model = model;
        _queries = [.. queries];
        for (var i = 0; i < _queries.Length; i++)
        {
            Tokenise(i, template, addSpecialTokens);
        }
    }

    /// <summary>Number of queries.</summary>
    public int Count => _queries.Length;

    /// <summary>For every prompt that is run, in order, the query it belongs to: a query whose options split its tokens differently has several.</summary>
    internal IReadOnlyList<int> PromptOwners => [.. _parts.Select(part => part.Query)];

    /// <summary>For every prompt that is run, its tokens and those of its options.</summary>
    internal IReadOnlyList<OptionQuery> Prompts => [.. _parts.Select(part => part.Tokens)];

    /// <summary>Scores all queries.</summary>
    /// <param name="kept">Prefix that every query sees; null for none.</param>
    /// <param name="batch">Queries scored together.</param>
    /// <param name="done">Told how many queries are scored.</param>
    /// <param name="cancellation">Noticed between passes.</param>
    public IReadOnlyList<ScoredQuery> Score(KeptKv? kept, int batch, Action<int>? done = null, CancellationToken cancellation = default) =>
        ScoreBehind([.. _queries.Select(_ => kept)], batch, done, cancellation);

    /// <summary>Scores all queries, each behind a prefix of its own.</summary>
    /// <param name="kept">Per query, the prefix it sees; null for none.</param>
    /// <param name="batch">Queries scored together.</param>
    /// <param name="done">Told how many queries are scored.</param>
    /// <param name="cancellation">Noticed between passes.</param>
    public IReadOnlyList<ScoredQuery> ScoreBehind(
        IReadOnlyList<KeptKv?> kept, int batch, Action<int>? done = null, CancellationToken cancellation = default)
    {
        var scores = _queries.Select(query => new OptionScore[query.OptionCount]).ToArray();
        foreach (var chunk in _parts.Chunk(batch))
        {
            var found = OptionScorer.ScoreBehind(_model, [.. chunk.Select(part => part.Tokens)], [.. chunk.Select(part => kept[part.Query])], cancellation);
            for (var i = 0; i < chunk.Length; i++)
            {
                for (var option = 0; option < chunk[i].Options.Length; option++)
                {
                    scores[chunk[i].Query][chunk[i].Options[option]] = found[i][option];
                }
            }

            done?.Invoke(chunk[^1].Query + 1);
        }

        var best = OptionScorer.Best(scores);
        var bestPerToken = OptionScorer.Best(scores, perToken: true);
        return [.. _queries.Select((query, i) => new ScoredQuery(query, scores[i], best[i], bestPerToken[i]))];
    }

    /// <summary>Accuracy over the queries that have an answer; null where none has.</summary>
    /// <param name="scored">From <see cref="Score"/>.</param>
    /// <param name="perToken">By log-probability per token instead of the sum.</param>
    public static Accuracy? AccuracyOf(IReadOnlyList<ScoredQuery> scored, bool perToken = false)
    {
        var answered = scored.Where(one => one.Query.AnswerIndex is not null).ToArray();
        return answered.Length == 0
            ? null
            : Accuracy.Of(answered.Select(one => (perToken ? one.PredictionPerToken : one.Prediction) == one.Query.AnswerIndex));
    }

    private void Tokenise(int index, PromptTemplate template, bool addSpecialTokens)
    {
        var query = _queries[index];
        if (query.TokenIds is { } ids)
        {
            _parts.Add((index, [.. Enumerable.Range(0, query.OptionCount)], new OptionQuery(ids, query.OptionTokenIds!)));
            return;
        }

        var start = _model.Encode(template.Query(query.Input!), addSpecialTokens);
        var groups = new List<(int[] Stem, List<int> Options, List<int[]> OptionIds)>();
        for (var option = 0; option < query.OptionCount; option++)
        {
            var (stem, optionIds) = query.OptionTokenIds is { } given
                ? (start, given[option])
                : Split(query, template.Answered(query.Input!, query.Options![option]), start.Length, addSpecialTokens);
            var group = groups.FindIndex(known => known.Stem.AsSpan().SequenceEqual(stem));
            if (group < 0)
            {
                group = groups.Count;
                groups.Add((stem, [], []));
            }

            groups[group].Options.Add(option);
            groups[group].OptionIds.Add(optionIds);
        }

        _parts.AddRange(groups.Select(group => (index, group.Options.ToArray(), new OptionQuery(group.Stem, [.. group.OptionIds]))));
    }

    private (int[] Stem, int[] Option) Split(Query query, string text, int start, bool addSpecialTokens)
    {
        var ids = _model.Encode(text, addSpecialTokens);
        return ids.Length > start && start > 0
            ? (ids[..start], ids[start..])
            : throw new UsageException($"{query.Place}: expected tokens in the query ({start} found) and behind it ({ids.Length - start} found)");
    }
}
