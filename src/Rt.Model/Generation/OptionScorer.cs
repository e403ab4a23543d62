// Log-probabilities of answer options, many queries per pass over one kept prefix.
using Rt.Core;

namespace Rt.Model;

/// <summary>A query and its possible continuations.</summary>
/// <param name="StemIds">Query tokens; at least one.</param>
/// <param name="OptionIds">Tokens of each option; at least one each.</param>
public readonly record struct OptionQuery(int[] StemIds, int[][] OptionIds);

/// <summary>How likely a model finds an option.</summary>
/// <param name="LogProbability">Sum over the option's tokens, natural logarithm.</param>
/// <param name="TokenCount">Tokens of the option.</param>
public readonly record struct OptionScore(double LogProbability, int TokenCount)
{
    /// <summary>The sum divided by the number of tokens.</summary>
    public double PerToken => LogProbability / TokenCount;
}

/// <summary>Scores options.</summary>
/// <remarks>Each stem runs once. An option's first token is scored at the stem's last row; only options of several tokens run
/// further rows, over a copy of the stem's keys and values. Logits are never held for all rows.</remarks>
public static class OptionScorer
{
    /// <summary>Log-probabilities of every option of every query.</summary>
    /// <param name="model">The model.</param>
    /// <param name="queries">The queries.</param>
    /// <param name="kept">Prefix that every query sees; read once per layer and pass. Null for none.</param>
    /// <param name="cancellation">Noticed between passes.</param>
    /// <returns>[queries][options].</returns>
    /// <exception cref="UsageException">An empty stem or option, or too many positions.</exception>
    public static OptionScore[][] Score(
        LanguageModel model, IReadOnlyList<OptionQuery> queries, KeptKv? kept = null, CancellationToken cancellation = default) =>
        ScoreBehind(model, queries, [.. queries.Select(_ => kept)], cancellation);

    /// <summary>Log-probabilities of every option of every query, each query behind a prefix of its own.</summary>
    /// <param name="model">The model.</param>
    /// <param name="queries">The queries.</param>
    /// <param name="kept">Per query, the prefix that it sees; null for none. Queries may share one.</param>
    /// <param name="cancellation">Noticed between passes.</param>
    /// <returns>[queries][options].</returns>
    /// <exception cref="UsageException">An empty stem or option, or too many positions.</exception>
    public static OptionScore[][] ScoreBehind(
        LanguageModel model, IReadOnlyList<OptionQuery> queries, IReadOnlyList<KeptKv?> kept, CancellationToken cancellation = default)
    {
        var scores = new OptionScore[queries.Count][];
        for (var i = 0; i < queries.Count; i++)
        {
            if (queries[i].StemIds.Length == 0 || queries[i].OptionIds.Any(option => option.Length == 0))
            {
                throw new UsageException($"query {i}: expected tokens in the query and in every option, found none");
            }

            scores[i] = [.. queries[i].OptionIds.Select(option => new OptionScore(0, option.Length))];
        }

        foreach (var group in PromptRunner.Groups([.. queries.Select(query => query.StemIds)]))
        {
            var (start, count) = group.GetOffsetAndLength(queries.Count);
            ScoreGroup(model, queries, start, count, kept, scores, cancellation);
        }

        return scores;
    }

    /// <summary>Index of the largest score of each query; the first on ties.</summary>
    /// <param name="scores">From <see cref="Score"/>.</param>
    /// <param name="perToken">Compare <see cref="OptionScore.PerToken"/> instead of the sum.</param>
    public static int[] Best(OptionScore[][] scores, bool perToken = false) => [.. scores.Select(options =>
    {
        var best = 0;
        for (var i = 1; i < options.Length; i++)
        {
            var (a, b) = perToken ? (options[i].PerToken, options[best].PerToken) : (options[i].LogProbability, options[best].LogProbability);
            best = a > b ? i : best;
        }

        return best;
    })];

    private static void ScoreGroup(
        LanguageModel model,
        IReadOnlyList<OptionQuery> queries,
        int start,
        int count,
        IReadOnlyList<KeptKv?> kept,
        OptionScore[][] scores,
        CancellationToken cancellation)
    {
        var members = queries.Skip(start).Take(count).ToArray();
        int[][] stemIds = [.. members.Select(query => query.StemIds)];
        // Keys and values outlive their layer only where an option goes on from them.
        var goesOn = members.Any(query => query.OptionIds.Any(option => option.Length > 1));
        using var stems = model.NewCache(
            count, stemIds.Max(ids => ids.Length), shareLayers: !goesOn && PromptRunner.IsOnePass(stemIds));
        var runs = Enumerable.Range(0, count).Select(i => new PromptRun(stemIds[i], i, Kept: kept[start + i])).ToArray();
        PromptRunner.Run(model, runs, stems, null, FirstTokens, cancellation);

        var continuations = new List<(int Query, int Option)>();
        for (var i = 0; i < count; i++)
        {
            for (var option = 0; option < queries[start + i].OptionIds.Length; option++)
            {
                if (queries[start + i].OptionIds[option].Length > 1)
                {
                    continuations.Add((start + i, option));
                }
            }
        }

        foreach (var chunk in continuations.Chunk(LanguageModel.DefaultRowBudget / 8))
        {
            LaterTokens(model, queries, start, kept, stems, chunk, scores, cancellation);
        }

        void FirstTokens(ReadOnlySpan<int> prompts, ReadOnlySpan<int> lastRows, Tensor residual)
        {
            if (prompts.Length == 0)
            {
                return;
            }

            var head = model.HeadFor(lastRows.Length);
            model.Transformer.FinalStates(residual, lastRows, head.Gathered(lastRows.Length), head.States(lastRows.Length));
            var targets = new List<TokenTarget>();
            var owners = new List<(int Query, int Option)>();
            for (var n = 0; n < prompts.Length; n++)
            {
                var query = start + prompts[n];
                for (var option = 0; option < queries[query].OptionIds.Length; option++)
                {
                    model.Require(queries[query].OptionIds[option], 0);
                    targets.Add(new TokenTarget(n, queries[query].OptionIds[option][0]));
                    owners.Add((query, option));
                }
            }

            AddUp(model, head.States(lastRows.Length), targets, owners, scores);
        }
    }

    private static void LaterTokens(
        LanguageModel model,
        IReadOnlyList<OptionQuery> queries,
        int start,
        IReadOnlyList<KeptKv?> kept,
        KvCache stems,
        (int Query, int Option)[] continuations,
        OptionScore[][] scores,
        CancellationToken cancellation)
    {
        var capacity = continuations.Max(c => queries[c.Query].StemIds.Length + queries[c.Query].OptionIds[c.Option].Length - 1);
        using var cache = model.NewCache(continuations.Length, capacity);
        var runs = new PromptRun[continuations.Length];
        for (var slot = 0; slot < runs.Length; slot++)
        {
            var (query, option) = continuations[slot];
            var length = queries[query].StemIds.Length;
            for (var layer = 0; layer < cache.Layers; layer++)
            {
                model.Device.Copy(stems.Key(layer, query - start, length), cache.Key(layer, slot, length));
                model.Device.Copy(stems.Value(layer, query - start, length), cache.Value(layer, slot, length));
            }

            runs[slot] = new PromptRun(queries[query].OptionIds[option][..^1], slot, length, Stage.Generated, kept[query]);
        }

        // An option's rows stay in one pass: their logits are read together.
        var rowBudget = Math.Max(LanguageModel.DefaultRowBudget, runs.Max(run => run.TokenIds.Length));
        PromptRunner.Run(model, runs, cache, null, Tokens, cancellation, LastBlock.AllRows, rowBudget);

        void Tokens(ReadOnlySpan<int> prompts, ReadOnlySpan<int> lastRows, Tensor residual)
        {
            var rows = new List<int>();
            var targets = new List<TokenTarget>();
            var owners = new List<(int Query, int Option)>();
            for (var n = 0; n < prompts.Length; n++)
            {
                var ids = queries[continuations[prompts[n]].Query].OptionIds[continuations[prompts[n]].Option];
                for (var i = 1; i < ids.Length; i++)
                {
                    targets.Add(new TokenTarget(rows.Count, ids[i]));
                    owners.Add(continuations[prompts[n]]);
                    rows.Add(lastRows[n] - (ids.Length - 2) + i - 1);
                }
            }

            if (rows.Count > 0)
            {
                var head = model.HeadFor(rows.Count);
                model.Transformer.FinalStates(residual, rows.ToArray(), head.Gathered(rows.Count), head.States(rows.Count));
                AddUp(model, head.States(rows.Count), targets, owners, scores);
            }
        }
    }

    private static void AddUp(
        LanguageModel model, Tensor states, List<TokenTarget> targets, List<(int Query, int Option)> owners, OptionScore[][] scores)
    {
        var values = new double[targets.Count];
        model.Transformer.LogProbabilities(states, targets.ToArray(), values);
        for (var n = 0; n < values.Length; n++)
        {
            var (query, option) = owners[n];
            scores[query][option] = scores[query][option] with { LogProbability = scores[query][option].LogProbability + values[n] };
        }
    }
}
