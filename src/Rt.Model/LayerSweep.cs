// Layer sweeps: every query with a vector at every layer, packed so that a row enters the network only where it is patched.
// Source: the cached procedure of arXiv:2310.15916's published code.
using Rt.Core;

namespace Rt.Model;

/// <summary>A query with the task vector written at its last token.</summary>
/// <param name="TokenIds">The zero-shot prompt.</param>
/// <param name="Vector">Its own vector per layer.</param>
public readonly record struct PatchedQuery(int[] TokenIds, TaskVector Vector);

/// <summary>Runs layer sweeps.</summary>
/// <remarks>The prompt runs once, unpatched. Then its last token runs once per layer l: its residual is the vector at the output of
/// block l, so blocks 0..l need no computation, and it sees the unpatched keys and values of the tokens before it.</remarks>
public static class LayerSweep
{
    /// <summary>Most rows of a packed pass of patched last tokens.</summary>
    private const int RowBudget = 1024;

    /// <summary>Receives the logits [1, vocabulary] of a query patched at a layer.</summary>
    public delegate void Result(int query, int layer, Tensor logits);

    /// <summary>The token predicted by every query at every layer.</summary>
    /// <returns>[queries][layers].</returns>
    public static int[][] Predict(
        LanguageModel model, IReadOnlyList<PatchedQuery> queries, IReadOnlyList<int> layers, CancellationToken cancellation = default)
    {
        var tokens = queries.Select(_ => new int[layers.Count]).ToArray();
        var indices = new int[1];
        Run(model, queries, layers, (query, layer, logits) =>
        {
            model.Device.ArgMax(logits, indices);
            tokens[query][layer] = indices[0];
        }, cancellation);
        return tokens;
    }

    /// <summary>Runs every query at every layer.</summary>
    /// <param name="model">The model.</param>
    /// <param name="queries">Prompts with their vectors, read at <see cref="Point.Post"/>.</param>
    /// <param name="layers">Layers to patch, ascending.</param>
    /// <param name="result">Receives logits; the second argument is the index into <paramref name="layers"/>.</param>
    /// <param name="cancellation">Noticed between passes.</param>
    /// <exception cref="UsageException">An empty prompt, or a vector of another point.</exception>
    public static void Run(
        LanguageModel model,
        IReadOnlyList<PatchedQuery> queries,
        IReadOnlyList<int> layers,
        Result result,
        CancellationToken cancellation = default)
    {
        if (queries.Any(query => query.TokenIds.Length == 0 || query.Vector.Point != Point.Post))
        {
            throw new UsageException("a layer sweep needs non-empty prompts and vectors read at the output of blocks (post)");
        }

        foreach (var group in PromptRunner.Groups([.. queries.Select(query => query.TokenIds)]))
        {
            var (start, count) = group.GetOffsetAndLength(queries.Count);
            var prompts = queries.Skip(start).Take(count).Select(query => query.TokenIds).ToArray();
            using var cache = model.NewCache(count, prompts.Max(prompt => prompt.Length));
            PromptRunner.Run(model, [.. prompts.Select((ids, slot) => new PromptRun(ids, slot))], cache, null, (_, _, _) => { }, cancellation, LastBlock.KeysAndValues);
            var cells = layers.Index().SelectMany(layer => Enumerable.Range(0, count).Select(slot => (layer.Index, layer.Item, slot)));
            foreach (var chunk in cells.Chunk(RowBudget))
            {
                cancellation.ThrowIfCancellationRequested();
                RunCells(model, queries, start, cache, chunk, result);
            }
        }
    }

    private static void RunCells(
        LanguageModel model,
        IReadOnlyList<PatchedQuery> queries,
        int start,
        KvCache prompts,
        (int Index, int Layer, int Slot)[] cells,
        Result result)
    {
        var hidden = model.Config.HiddenSize;
        // A patched row's own keys and values are read in the same layer only.
        using var own = model.NewCache(cells.Length, 1, shareLayers: true);
        var entries = new EntryHook(model.Device, cells.Length, hidden);
        var rows = model.RowsFor(Math.Max(cells.Length, LanguageModel.DefaultRowBudget), own);
        for (var i = 0; i < cells.Length; i++)
        {
            var query = queries[start + cells[i].Slot];
            var before = query.TokenIds.Length - 1;
            rows.Add(
                query.TokenIds.AsSpan(before), i, 0, before,
                before == 0 ? -1 : rows.AddPrefix(prompts, cells[i].Slot), before, Stage.PromptEnd, cells[i].Layer + 1);
            model.Device.Upload(query.Vector[cells[i].Layer], entries.Vectors.SliceRows(i, 1));
        }

        using (model.Attach(entries))
        {
            model.Transformer.Forward(rows, model.WorkspaceFor(cells.Length));
        }

        var residual = model.WorkspaceFor(cells.Length).Residual.SliceRows(0, cells.Length);
        var head = model.HeadFor(LogitsBlock);
        for (var first = 0; first < cells.Length; first += LogitsBlock)
        {
            var count = Math.Min(LogitsBlock, cells.Length - first);
            var indices = Enumerable.Range(first, count).ToArray();
            model.Transformer.FinalStates(residual, indices, head.Gathered(count), head.States(count));
            model.Transformer.Logits(head.States(count), head.Logits(count));
            for (var i = 0; i < count; i++)
            {
                result(start + cells[first + i].Slot, cells[first + i].Index, head.Logits(count).SliceRows(i, 1));
            }
        }
    }

    /// <summary>Rows whose logits are held at once.</summary>
    private const int LogitsBlock = 64;

    /// <summary>Gives rows their residual at the layer where they enter.</summary>
    private sealed class EntryHook(IDevice device, int rows, int hidden) : ForwardHook, IDisposable
    {
        private int _entered;

        public Tensor Vectors { get; } = device.Allocate(device.ActivationType, 1, rows, hidden);

        public override bool WantsAllRows => false;

        public override void OnBegin(IDevice device, RowBatch rows) => _entered = 0;

        public override void OnResidual(IDevice device, RowBatch rows, ResidualPoint point, Tensor residual)
        {
            if (point.Point == Point.Pre && rows.RowCount > _entered)
            {
                var count = rows.RowCount - _entered;
                device.Copy(Vectors.SliceRows(_entered, count), residual.SliceRows(_entered, count));
                _entered = rows.RowCount;
            }
        }

        public void Dispose() => Vectors.Storage.Dispose();
    }
}
