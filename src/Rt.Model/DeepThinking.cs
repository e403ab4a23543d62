// Deep-Thinking: demonstrations run forward T times, their meta-gradients accumulated into the kept keys and values.
// Source: arXiv:2305.13016 and its published code.
using Rt.Core;

namespace Rt.Model;

/// <summary>How the step whose keys and values are kept is chosen.</summary>
public enum StepChoice
{
    /// <summary>The last one.</summary>
    Fixed,

    /// <summary>The first best on a development set.</summary>
    Dev,

    /// <summary>The first best on the very queries reported: an upper bound, not a result.</summary>
    Oracle,
}

/// <summary>Settings of a think stage.</summary>
public sealed record ThinkOptions
{
    /// <summary>T: forward passes over the demonstrations; 1 is plain in-context learning.</summary>
    public int Steps { get; init; } = 15;

    /// <summary>η.</summary>
    public double StepSize { get; init; } = 0.01;

    /// <summary>β.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Positions of passes after the first.</summary>
    public PositionsMode Positions { get; init; }

    /// <summary>Dtype to which the update's arithmetic is rounded: null for the device's master dtype (F32),
    /// the model's dtype for parity with the published code.</summary>
    public DType? Precision { get; init; }

    /// <summary>Layers that are updated; null for all.</summary>
    public IReadOnlySet<int>? Layers { get; init; }

    /// <summary>Whether keys are updated.</summary>
    public bool UpdateKey { get; init; } = true;

    /// <summary>Whether values are updated.</summary>
    public bool UpdateValue { get; init; } = true;
}

/// <summary>What one step did to one layer: Frobenius norms over [kv_heads, length, head_dim].</summary>
/// <param name="KeyGradient">Norm of G for keys.</param>
/// <param name="ValueGradient">Norm of G for values.</param>
/// <param name="KeyDisplacement">Distance of the kept keys from those of step 1.</param>
/// <param name="ValueDisplacement">Distance of the kept values from those of step 1.</param>
public readonly record struct LayerChange(double KeyGradient, double ValueGradient, double KeyDisplacement, double ValueDisplacement);

/// <summary>Report of one step.</summary>
/// <param name="Step">Forward passes done; step 1 changes nothing.</param>
/// <param name="Layers">Per layer.</param>
/// <param name="Score">The evaluation's result, where there is one.</param>
/// <param name="ElapsedMs">Wall time of the pass with its update; of all sets together where several think at once.</param>
public sealed record ThinkStep(int Step, IReadOnlyList<LayerChange> Layers, double? Score, double ElapsedMs);

/// <summary>A finished think stage.</summary>
/// <param name="Kept">Keys and values of the chosen step.</param>
/// <param name="Steps">All steps.</param>
/// <param name="Choice">How the step was chosen.</param>
public sealed record ThinkResult(KeptKv Kept, IReadOnlyList<ThinkStep> Steps, StepChoice Choice);

/// <summary>The think stage.</summary>
public static class DeepThinking
{
    /// <summary>Step 1: keys and values of the demonstrations by a plain forward pass.</summary>
    /// <param name="model">The model.</param>
    /// <param name="demonstrationIds">At least one token.</param>
    /// <param name="options">Precision and positions are recorded with the result.</param>
    /// <param name="cancellation">Noticed between passes.</param>
    /// <exception cref="UsageException">No tokens, unknown tokens, or too many for the model's positions.</exception>
    public static KeptKv Begin(LanguageModel model, int[] demonstrationIds, ThinkOptions options, CancellationToken cancellation = default)
    {
        if (demonstrationIds.Length == 0)
        {
            throw new UsageException("demonstrations: expected at least one token, found none");
        }

        model.Require(demonstrationIds, demonstrationIds.Length);
        var precision = options.Precision ?? model.Device.MasterType;
        var kept = new KeptKv(model, new KeptKvOrigin
        {
            DemonstrationIds = demonstrationIds,
            StepSize = options.StepSize,
            Momentum = options.Momentum,
            Positions = options.Positions,
            Precision = precision,
        });
        try
        {
            // Passes of equal size: a last one of very few rows could take another matmul variant than later steps do.
            var passes = (demonstrationIds.Length + LanguageModel.DefaultRowBudget - 1) / LanguageModel.DefaultRowBudget;
            var size = (demonstrationIds.Length + passes - 1) / passes;
            var workspace = model.WorkspaceFor(size);
            foreach (var (pass, chunk) in demonstrationIds.Chunk(size).Index())
            {
                cancellation.ThrowIfCancellationRequested();
                var rows = model.RowsFor(size, kept.Cache);
                rows.Add(chunk, 0, pass * size, 0);
                model.Transformer.Forward(rows, workspace, LastBlock.KeysAndValues);
            }

            RoundTo(precision, kept.Cache, model.Device);
            kept.CacheToMaster();
            return kept;
        }
        catch
        {
            kept.Dispose();
            throw;
        }
    }

    /// <summary>One step t >= 2 for one or more demonstration sets: a forward pass over kept keys and values, each layer updated
    /// as soon as its attention has read them.</summary>
    /// <param name="kept">The sets; all of one model.</param>
    /// <param name="options">Step size, momentum, positions, masks.</param>
    /// <param name="firsts">Keys and values of step 1 per set, to measure displacement; null where not wanted.</param>
    /// <returns>[sets][layers].</returns>
    /// <exception cref="UsageException">A set needs more positions than the model has.</exception>
    public static LayerChange[][] Step(IReadOnlyList<KeptKv> kept, ThinkOptions options, IReadOnlyList<KeptKv>? firsts = null)
    {
        var changes = new LayerChange[kept.Count][];
        foreach (var group in PromptRunner.Groups([.. kept.Select(set => set.Origin.DemonstrationIds)]))
        {
            var (start, count) = group.GetOffsetAndLength(kept.Count);
            StepTogether(kept, start, count, options, firsts, changes);
        }

        return changes;
    }

    /// <summary>A whole think stage over one demonstration set.</summary>
    /// <param name="kept">From <see cref="Begin"/>, or loaded from a file to think on.</param>
    /// <param name="options">Settings; <see cref="ThinkOptions.Steps"/> counts from step 1, also when thinking on.</param>
    /// <param name="choice">How the step to keep is chosen; other than fixed needs <paramref name="evaluate"/>.</param>
    /// <param name="evaluate">Scores kept keys and values, higher is better; called after every step.</param>
    /// <param name="onStep">Told of every step.</param>
    /// <param name="cancellation">Noticed between passes.</param>
    /// <returns>The chosen step; <paramref name="kept"/> has moved on to the last.</returns>
    public static ThinkResult Think(
        KeptKv kept,
        ThinkOptions options,
        StepChoice choice = StepChoice.Fixed,
        Func<KeptKv, double>? evaluate = null,
        Action<ThinkStep>? onStep = null,
        CancellationToken cancellation = default)
    {
        Func<int, KeptKv, double>? score = evaluate is null ? null : (_, set) => evaluate(set);
        Action<int, ThinkStep>? report = onStep is null ? null : (_, step) => onStep(step);
        return Think([kept], options, choice, score, report, cancellation)[0];
    }

    /// <summary>A whole think stage over several demonstration sets at once: each step is one packed pass over all of them.</summary>
    /// <param name="kept">The sets, all of one model and after the same number of steps.</param>
    /// <param name="options">Settings; <see cref="ThinkOptions.Steps"/> counts from step 1, also when thinking on.</param>
    /// <param name="choice">How the step to keep is chosen, set by set; other than fixed needs <paramref name="evaluate"/>.</param>
    /// <param name="evaluate">Scores kept keys and values of a set, higher is better; called after every step.</param>
    /// <param name="onStep">Told of every step of every set.</param>
    /// <param name="cancellation">Noticed between passes.</param>
    /// <returns>The chosen step of every set; <paramref name="kept"/> have moved on to the last.</returns>
    /// <exception cref="UsageException">Nothing to choose the step by, or the sets are at different steps.</exception>
    public static ThinkResult[] Think(
        IReadOnlyList<KeptKv> kept,
        ThinkOptions options,
        StepChoice choice = StepChoice.Fixed,
        Func<int, KeptKv, double>? evaluate = null,
        Action<int, ThinkStep>? onStep = null,
        CancellationToken cancellation = default)
    {
        if (choice != StepChoice.Fixed && evaluate is null)
        {
            throw new UsageException($"choosing the step by {choice.ToString().ToLowerInvariant()} needs queries with answers to score");
        }

        if (kept.Any(set => set.Origin.Steps != kept[0].Origin.Steps))
        {
            throw new UsageException("demonstration sets that think together must be at the same step");
        }

        var firsts = new List<KeptKv>();
        var best = new KeptKv?[kept.Count];
        try
        {
            firsts.AddRange(kept.Select(set => FirstStep(set, options, cancellation)));
            var steps = kept.Select(_ => new List<ThinkStep>()).ToArray();
            var bestScores = kept.Select(_ => double.NegativeInfinity).ToArray();
            Note([.. kept.Select(set => new LayerChange[set.Cache.Layers])], 0);
            while (kept[0].Origin.Steps < options.Steps)
            {
                cancellation.ThrowIfCancellationRequested();
                var clock = System.Diagnostics.Stopwatch.StartNew();
                var changes = Step(kept, options, firsts);
                Note(changes, clock.Elapsed.TotalMilliseconds);
            }

            return [.. kept.Select((set, i) => new ThinkResult(best[i] ?? set.Fork(), steps[i], choice))];

            void Note(LayerChange[][] changes, double elapsedMs)
            {
                for (var i = 0; i < kept.Count; i++)
                {
                    var score = evaluate?.Invoke(i, kept[i]);
                    var step = new ThinkStep(kept[i].Origin.Steps, changes[i], score, elapsedMs);
                    steps[i].Add(step);
                    onStep?.Invoke(i, step);
                    if (choice != StepChoice.Fixed && score > bestScores[i])
                    {
                        best[i]?.Dispose();
                        best[i] = kept[i].Fork();
                        bestScores[i] = score.Value;
                    }
                }
            }
        }
        catch
        {
            Array.ForEach(best, set => set?.Dispose());
            throw;
        }
        finally
        {
            firsts.ForEach(set => set.Dispose());
        }
    }

    /// <summary>Keys and values of step 1: those given, or computed again where thinking goes on from a later step.</summary>
    private static KeptKv FirstStep(KeptKv kept, ThinkOptions options, CancellationToken cancellation) => kept.Origin.Steps == 1
        ? kept.Fork()
        : Begin(kept.Model, kept.Origin.DemonstrationIds, options, cancellation);

    private static void StepTogether(
        IReadOnlyList<KeptKv> kept, int start, int count, ThinkOptions options, IReadOnlyList<KeptKv>? firsts, LayerChange[][] changes)
    {
        var model = kept[start].Model;
        var length = 0;
        var rowCount = 0;
        for (var i = start; i < start + count; i++)
        {
            var positions = options.Positions == PositionsMode.Paper ? 2 * kept[i].Length : kept[i].Length;
            model.Require(kept[i].Origin.DemonstrationIds, positions);
            length = Math.Max(length, kept[i].Length);
            rowCount += kept[i].Length;
        }

        var workspace = model.WorkspaceFor(rowCount);
        using var scratch = model.NewCache(count, length, shareLayers: true);
        var rows = model.RowsFor(rowCount, scratch);
        for (var i = 0; i < count; i++)
        {
            var set = kept[start + i];
            rows.Add(
                set.Origin.DemonstrationIds, i, 0, options.Positions == PositionsMode.Paper ? set.Length : 0,
                rows.AddPrefix(set.Cache), set.Length);
        }

        var update = new UpdateHook(kept, start, count, options, firsts);
        using var scope = model.Attach(update);
        model.Device.Repeat(
            (model.Transformer, rows, workspace), static pass => pass.Transformer.Forward(pass.rows, pass.workspace, LastBlock.KeysAndValues));
        for (var i = start; i < start + count; i++)
        {
            changes[i] = update.Changes(i - start);
            kept[i].Origin = kept[i].Origin with
            {
                Steps = kept[i].Origin.Steps + 1,
                StepSize = options.StepSize,
                Momentum = options.Momentum,
                Positions = options.Positions,
                Precision = options.Precision ?? model.Device.MasterType,
            };
        }
    }

    private static void RoundTo(DType precision, KvCache cache, IDevice device)
    {
        if (precision.Bytes() >= device.ActivationType.Bytes())
        {
            return;
        }

        var shape = cache[0].Key;
        var rounded = device.Allocate(precision, shape.Dim0, shape.Dim1, shape.Dim2);
        for (var layer = 0; layer < cache.Layers; layer++)
        {
            device.Copy(cache[layer].Key, rounded);
            device.Copy(rounded, cache[layer].Key);
            device.Copy(cache[layer].Value, rounded);
            device.Copy(rounded, cache[layer].Value);
        }

        rounded.Storage.Dispose();
    }

    /// <summary>Updates a layer's kept keys and values right after its attention, and measures what it did.</summary>
    private sealed class UpdateHook(
        IReadOnlyList<KeptKv> kept, int start, int count, ThinkOptions options, IReadOnlyList<KeptKv>? firsts)
        : ForwardHook, IDisposable
    {
        private readonly int _layers = kept[start].Cache.Layers;
        private readonly IDevice _device = kept[start].Model.Device;

        // Per set and layer: squared norms of G for keys and values, then squared displacements.
        private readonly Tensor _squares = kept[start].Model.Device.Allocate(DType.F64, count, kept[start].Cache.Layers, 4);

        public override bool WantsAllRows => false;

        public override void OnHeads(IDevice device, RowBatch rows, int layer, Tensor heads)
        {
            var updated = options.Layers?.Contains(layer) ?? true;
            var step = new MetaGradientStep(
                options.StepSize, options.Momentum, options.Precision ?? device.MasterType,
                updated && options.UpdateKey, updated && options.UpdateValue);
            foreach (var sequence in rows.Sequences)
            {
                var set = kept[start + sequence.Slot];
                var current = new KvLayer(
                    rows.Cache.Key(layer, sequence.Slot, set.Length), rows.Cache.Value(layer, sequence.Slot, set.Length));
                var squares = _squares.Slice(sequence.Slot, 1).SliceRows(layer, 1);
                device.AccumulateMetaGradient(
                    current, set.Master[layer], set.Velocity[layer], step, squares.SliceColumns(0, 2), set.CopyOf(layer));
                if (firsts is not null)
                {
                    device.AccumulateMetaGradient(
                        firsts[start + sequence.Slot].Master[layer], set.Master[layer], set.Velocity[layer],
                        step with { UpdateKey = false, UpdateValue = false }, squares.SliceColumns(2, 2));
                }
            }
        }

        /// <summary>Norms per layer of one set.</summary>
        public LayerChange[] Changes(int set)
        {
            var squares = new double[4 * _layers];
            _device.Download(_squares.Slice(set, 1), squares);
            return [.. Enumerable.Range(0, _layers).Select(layer => new LayerChange(
                Math.Sqrt(squares[4 * layer]), Math.Sqrt(squares[4 * layer + 1]),
                Math.Sqrt(squares[4 * layer + 2]), Math.Sqrt(squares[4 * layer + 3])))];
        }

        public void Dispose() => _squares.Storage.Dispose();
    }
}
