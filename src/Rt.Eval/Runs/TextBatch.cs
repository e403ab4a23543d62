// Queries with free answers: greedy text up to the line's end, compared with the right answer.
using Rt.Core;
using Rt.Model;

namespace Rt.Eval;

/// <summary>Generates answers.</summary>
/// <remarks>A layer sweep reads the first token at every layer in packed passes; only where that token begins the right answer is
/// the rest generated: elsewhere the answer is wrong already.</remarks>
internal sealed class TextBatch : QueryBatch
{
    private const int LongestAnswer = 64;
    private const char Replacement = '\uFFFD';

    private readonly LanguageModel _model;
    private readonly int[][] _prompts;
    private readonly string[][] _answers;
    private readonly int[][] _answerIds;
    private readonly GenerationOptions _options;
    private readonly string _stop;
    private readonly bool _firstToken;

    /// <param name="model">The model.</param>
    /// <param name="template">Puts queries into words; the first line break of its separator ends an answer.</param>
    /// <param name="queries">Queries with their right answers.</param>
    /// <param name="otherAnswers">A second answer per query, judged beside the first; empty for none.</param>
    /// <param name="addSpecialTokens">True where the query begins the text.</param>
    /// <param name="firstToken">Judge the first token alone.</param>
    /// <param name="prefixes">Tokens before each query; null for none. Special tokens then stand there.</param>
    public TextBatch(
        LanguageModel model,
        PromptTemplate template,
        IReadOnlyList<EvalExample> queries,
        IReadOnlyList<string> otherAnswers,
        bool addSpecialTokens,
        bool firstToken,
        IReadOnlyList<int[]>? prefixes = null)
    {
        _model = model;
        _firstToken = firstToken;
        _stop = template.Separator.Contains('\n') ? "\n" : template.Separator;
        _answers = [.. queries.Select((query, i) => otherAnswers.Count == 0 ? [query.Output] : new[] { query.Output, otherAnswers[i] })];
        _prompts = new int[queries.Count][];
        _answerIds = new int[queries.Count][];
        var longest = 1;
        for (var i = 0; i < _prompts.Length; i++)
        {
            var ids = model.Encode(template.Query(queries[i].Input), addSpecialTokens);
            if (ids.Length == 0)
            {
                throw new UsageException($"query '{queries[i].Input}': expected at least one token, found none");
            }

            var answered = _answers[i].Select(answer => model.Encode(template.Answered(queries[i].Input, answer), addSpecialTokens)).ToArray();
            if (answered.Any(whole => whole.Length <= ids.Length))
            {
                throw new UsageException($"query '{queries[i].Input}': its answer adds no tokens to it");
            }

            _prompts[i] = prefixes is null ? ids : [.. prefixes[i], .. ids];
            _answerIds[i] = [.. answered.Select(whole => whole[ids.Length])];
            longest = Math.Max(longest, answered.Max(whole => whole.Length - ids.Length));
        }

        // One token more than the longest answer: it tells an answer that ends from one that goes on.
        _options = new GenerationOptions
        {
            MaxNewTokens = firstToken ? 1 : Math.Min(longest, LongestAnswer) + 1,
            Stop = _stop.Length > 0 ? [_stop] : [],
        };
        TokenCounts = [.. _prompts.Select(prompt => prompt.Length)];
    }

    public override IReadOnlyList<int> TokenCounts { get; }

    public override Outcome[] Answer(IReadOnlyList<KeptKv?> kept, CancellationToken cancellation)
    {
        var outcomes = new List<Outcome>();
        foreach (var chunk in Enumerable.Range(0, _prompts.Length).Chunk(ChunkSize))
        {
            var generations = Generator.GenerateBehind(
                _model, [.. chunk.Select(i => _prompts[i])], _options, [.. chunk.Select(i => kept[i])], cancellation: cancellation);
            outcomes.AddRange(chunk.Select((query, i) => Judge(query, generations[i].TokenIds, generations[i].Text!)));
        }

        return [.. outcomes];
    }

    public override Outcome[][] Sweep(IReadOnlyList<TaskVector> vectors, int layers, CancellationToken cancellation)
    {
        var first = LayerSweep.Predict(
            _model, [.. _prompts.Select((prompt, i) => new PatchedQuery(prompt, vectors[i]))], [.. Enumerable.Range(0, layers)], cancellation);
        var outcomes = Enumerable.Range(0, layers).Select(_ => new Outcome[_prompts.Length]).ToArray();
        var open = new List<(int Layer, int Query)>();
        for (var layer = 0; layer < layers; layer++)
        {
            for (var query = 0; query < _prompts.Length; query++)
            {
                var id = first[query][layer];
                var ends = _model.Config.EosTokenIds.Contains(id);
                var text = ends ? "" : _model.Decode([id]);
                outcomes[layer][query] = Judge(query, [id], text);
                if (!_firstToken && !ends && MayBegin(query, text))
                {
                    open.Add((layer, query));
                }
            }
        }

        foreach (var chunk in open.Chunk(ChunkSize))
        {
            Complete(vectors, chunk, outcomes, cancellation);
        }

        return outcomes;
    }

    private void Complete(IReadOnlyList<TaskVector> vectors, (int Layer, int Query)[] cells, Outcome[][] outcomes, CancellationToken cancellation)
    {
        var patches = cells.Select(cell => new PromptPatch(new ResidualPoint(cell.Layer, Point.Post), vectors[cell.Query][cell.Layer])).ToArray();
        IReadOnlyList<Generation> generations;
        using (_model.Attach(new ResidualPatch(_model, patches)))
        {
            generations = Generator.Generate(_model, [.. cells.Select(cell => _prompts[cell.Query])], _options, cancellation: cancellation);
        }

        foreach (var (cell, generation) in cells.Zip(generations))
        {
            outcomes[cell.Layer][cell.Query] = Judge(cell.Query, generation.TokenIds, generation.Text!);
        }
    }

    /// <summary>Whether text that begins so can still become a right answer.</summary>
    private bool MayBegin(int query, string text)
    {
        if (_stop.Length > 0 && text.Contains(_stop, StringComparison.Ordinal))
        {
            return false;
        }

        var begun = text.TrimStart();
        return begun.Contains(Replacement) || _answers[query].Any(answer => answer.Trim().StartsWith(begun.TrimEnd(), StringComparison.Ordinal));
    }

    private Outcome Judge(int query, IReadOnlyList<int> tokenIds, string text)
    {
        var end = _stop.Length > 0 ? text.IndexOf(_stop, StringComparison.Ordinal) : -1;
        var prediction = (end >= 0 ? text[..end] : text).Trim();
        return new Outcome(prediction, Right(0), _answers[query].Length > 1 && Right(1));

        bool Right(int answer) => _firstToken
            ? tokenIds.Count > 0 && tokenIds[0] == _answerIds[query][answer]
            : prediction == _answers[query][answer].Trim();
    }
}
