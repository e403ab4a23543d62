// Queries with options: the most likely one is the answer. Source: arXiv:2305.13016 and its published code.
using System.Globalization;
using Rt.Core;
using Rt.Model;

namespace Rt.Eval;

/// <summary>Scores options.</summary>
internal sealed class OptionBatch : QueryBatch
{
    private readonly LanguageModel _model;
    private readonly OptionScoring _scoring;
    private readonly Query[] _queries;
    private readonly PromptTemplate _template;
    private readonly bool _addSpecialTokens;

    public OptionBatch(LanguageModel model, PromptTemplate template, IReadOnlyList<EvalExample> queries, bool addSpecialTokens)
    {
        _model = model;
        _template = template;
        _addSpecialTokens = addSpecialTokens;
        _queries = [.. queries.Select((query, i) => new Query(
            $"query {i.ToString(CultureInfo.InvariantCulture)}", query.Input, null, [.. query.Options!], null, query.AnswerIndex, null))];
        _scoring = new OptionScoring(model, _queries, template, addSpecialTokens);
        var counts = new int[_queries.Length];
        foreach (var (owner, prompt) in _scoring.PromptOwners.Zip(_scoring.Prompts))
        {
            counts[owner] += prompt.StemIds.Length + prompt.OptionIds.Sum(option => option.Length - 1);
        }

        TokenCounts = counts;
    }

    public override IReadOnlyList<int> TokenCounts { get; }

    public override Outcome[] Answer(IReadOnlyList<KeptKv?> kept, CancellationToken cancellation) =>
        [.. _scoring.ScoreBehind(kept, ChunkSize, null, cancellation).Select(Judge)];

    public override Outcome[][] Sweep(IReadOnlyList<TaskVector> vectors, int layers, CancellationToken cancellation)
    {
        var single = _scoring.Prompts.All(prompt => prompt.OptionIds.All(option => option.Length == 1)) && _scoring.Prompts.Count == _queries.Length;
        return single ? SweepFirstTokens(vectors, layers, cancellation) : SweepWholeOptions(vectors, layers, cancellation);
    }

    /// <summary>Options of one token each: their logits at the patched token decide.</summary>
    private Outcome[][] SweepFirstTokens(IReadOnlyList<TaskVector> vectors, int layers, CancellationToken cancellation)
    {
        var outcomes = Enumerable.Range(0, layers).Select(_ => new Outcome[_queries.Length]).ToArray();
        var prompts = _scoring.Prompts;
        var row = new float[_model.Config.VocabularySize];
        LayerSweep.Run(
            _model, [.. prompts.Select((prompt, i) => new PatchedQuery(prompt.StemIds, vectors[i]))], [.. Enumerable.Range(0, layers)],
            (query, layer, logits) =>
            {
                _model.Device.Download(logits, row);
                var best = 0;
                for (var option = 1; option < prompts[query].OptionIds.Length; option++)
                {
                    best = row[prompts[query].OptionIds[option][0]] > row[prompts[query].OptionIds[best][0]] ? option : best;
                }

                outcomes[layer][query] = Judge(_queries[query], best, best);
            },
            cancellation);
        return outcomes;
    }

    private Outcome[][] SweepWholeOptions(IReadOnlyList<TaskVector> vectors, int layers, CancellationToken cancellation)
    {
        var outcomes = new Outcome[layers][];
        for (var layer = 0; layer < layers; layer++)
        {
            var at = new ResidualPoint(layer, Point.Post);
            var patches = _scoring.PromptOwners.Select(owner => new PromptPatch(at, vectors[owner][layer])).ToArray();
            // One vector given alone would serve every prompt: that is right only where there is one prompt.
            using (_model.Attach(new ResidualPatch(_model, patches)))
            {
                outcomes[layer] = Answer(new KeptKv?[_queries.Length], cancellation);
            }
        }

        return outcomes;
    }

    private static Outcome Judge(ScoredQuery scored) => Judge(scored.Query, scored.Prediction, scored.PredictionPerToken);

    private static Outcome Judge(Query query, int option, int optionPerToken) =>
        new(query.OptionName(option), option == query.AnswerIndex, optionPerToken == query.AnswerIndex);
}
