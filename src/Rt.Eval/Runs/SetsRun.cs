// The methods on the sets of one unit: prompts of all sets share forward passes, prefixes are read once per pass.
using System.Diagnostics;
using Rt.Core;
using Rt.Model;

namespace Rt.Eval;

/// <summary>Measures methods on sets.</summary>
internal sealed class SetsRun
{
    private readonly LanguageModel _model;
    private readonly EvalTask _task;
    private readonly IReadOnlyList<DemonstrationSet> _sets;
    private readonly string? _control;
    private readonly EvalSettings _settings;
    private readonly List<Measurement> _measurements;
    private readonly CancellationToken _cancellation;
    private readonly EvalExample[] _queries;
    private readonly int[] _owners;
    private readonly int _testCount;

    /// <param name="model">The model.</param>
    /// <param name="task">The task.</param>
    /// <param name="sets">Its sets.</param>
    /// <param name="control">The control that is in force; null for none.</param>
    /// <param name="settings">What is measured.</param>
    /// <param name="measurements">Receives the results.</param>
    /// <param name="cancellation">Noticed between passes.</param>
    public SetsRun(
        LanguageModel model, EvalTask task, IReadOnlyList<DemonstrationSet> sets, string? control, EvalSettings settings,
        List<Measurement> measurements, CancellationToken cancellation)
    {
        (_model, _task, _sets, _control, _settings, _measurements, _cancellation) = (model, task, sets, control, settings, measurements, cancellation);
        _queries = [.. sets.SelectMany(set => set.Queries), .. sets.SelectMany(set => set.Dev)];
        _owners = [.. sets.SelectMany((set, i) => set.Queries.Select(_ => i)), .. sets.SelectMany((set, i) => set.Dev.Select(_ => i))];
        _testCount = sets.Sum(set => set.Queries.Count);
    }

    /// <summary>[steps][layers] norm of G for keys, mean over sets.</summary>
    public List<double[]> KeyNorms { get; } = [];

    /// <summary>[steps][layers] norm of G for values.</summary>
    public List<double[]> ValueNorms { get; } = [];

    /// <summary>The vector of every set.</summary>
    public IReadOnlyList<TaskVector> Vectors { get; private set; } = [];

    /// <summary>Runs the methods that the settings name and that the control does not make void.</summary>
    public void Run(Action<string>? stage)
    {
        if (_settings.Has(Methods.ZeroShot) && _control != Methods.ShuffledLabels)
        {
            Tell(Methods.ZeroShot);
            ZeroShot();
        }

        if (_settings.Has(Methods.Icl))
        {
            Tell(Methods.Icl);
            Icl();
        }

        if (_settings.Has(Methods.DeepThinking))
        {
            Tell(Methods.DeepThinking);
            DeepThink();
        }

        if (_settings.Has(Methods.TaskVector))
        {
            Tell(Methods.TaskVector);
            PatchVectors();
        }

        void Tell(string method) => stage?.Invoke(_control is null ? method : $"{method}, {_control}");
    }

    /// <summary>In-context learning with the demonstrations r times.</summary>
    public void Repeated()
    {
        var batch = Batch(_testCount, behindPrefix: true);
        var (outcomes, tokens, milliseconds) = (new List<Outcome[]>(), new List<long>(), new List<double>());
        foreach (var repeats in _settings.Repeats)
        {
            var clock = Stopwatch.StartNew();
            outcomes.Add(AnswerBehind(batch, _testCount, set => DemonstrationIds(set, repeats), out var prefixes));
            milliseconds.Add(clock.Elapsed.TotalMilliseconds);
            tokens.Add(prefixes + Sum(batch));
        }

        Add(Methods.Repeated, "repeats", _settings.Repeats, outcomes, tokens, milliseconds);
    }

    /// <summary>As many orders of the demonstrations as there are steps, without thinking: what choosing the best of them gains.</summary>
    public void SelectionOnly()
    {
        var batch = Batch(_queries.Length, behindPrefix: true);
        var (outcomes, tokens, milliseconds) = (new List<Outcome[]>(), new List<long>(), new List<double>());
        for (var order = 1; order <= _settings.Steps; order++)
        {
            var clock = Stopwatch.StartNew();
            var at = order;
            outcomes.Add(AnswerBehind(batch, _queries.Length, set => DemonstrationIds(DemonstrationDraw.Reorder(set, at)), out var prefixes));
            milliseconds.Add(clock.Elapsed.TotalMilliseconds * TestShare);
            tokens.Add(prefixes + Sum(batch));
        }

        Add(Methods.SelectionOnly, "order", [.. Enumerable.Range(1, _settings.Steps)], outcomes, tokens, milliseconds);
    }

    /// <summary>Prompts of a set at whose end its task vector is read: demonstrations and a dummy query.</summary>
    public static int[][] ExtractionPrompts(LanguageModel model, EvalTask task, DemonstrationSet set)
    {
        var demonstrations = Encode(model, task, set, 1);
        return [.. set.Dummies.Select(dummy => (int[])[.. demonstrations, .. model.Encode(task.Template.Query(dummy.Input), addSpecialTokens: false)])];
    }

    /// <summary>A measurement from outcomes.</summary>
    public static Measurement Measure(
        string method, string? control, string axis, IReadOnlyList<int> at, IReadOnlyList<Outcome[]> outcomes, IReadOnlyList<long> tokens,
        IReadOnlyList<double> milliseconds) => new()
        {
            Method = method,
            Control = control,
            Axis = axis,
            At = at,
            Predictions = [.. outcomes.Select(point => (IReadOnlyList<string>)[.. point.Select(outcome => outcome.Prediction)])],
            Correct = [.. outcomes.Select(point => string.Concat(point.Select(outcome => outcome.Correct ? '1' : '0')))],
            Tokens = tokens,
            Milliseconds = milliseconds,
        };

    private double TestShare => (double)_testCount / _queries.Length;

    private void ZeroShot()
    {
        var batch = Batch(_testCount, behindPrefix: false);
        var clock = Stopwatch.StartNew();
        var outcomes = batch.Answer(new KeptKv?[_testCount], _cancellation);
        Add(Methods.ZeroShot, "", [0], [outcomes], [Sum(batch)], [clock.Elapsed.TotalMilliseconds]);
    }

    private void Icl()
    {
        var batch = Batch(_testCount, behindPrefix: true);
        var clock = Stopwatch.StartNew();
        var outcomes = AnswerBehind(batch, _testCount, set => DemonstrationIds(set), out var prefixes);
        Add(Methods.Icl, "", [0], [outcomes], [prefixes + Sum(batch)], [clock.Elapsed.TotalMilliseconds]);
    }

    private void DeepThink()
    {
        var options = _settings.Think(_model);
        var batch = Batch(_queries.Length, behindPrefix: true);
        var (outcomes, tokens, milliseconds) = (new List<Outcome[]>(), new List<long>(), new List<double>());
        var kept = new List<KeptKv>();
        try
        {
            var thinking = Stopwatch.StartNew();
            foreach (var set in _sets)
            {
                kept.Add(DeepThinking.Begin(_model, DemonstrationIds(set), options, _cancellation));
            }

            var demonstrations = kept.Sum(set => (long)set.Length);
            Note([.. kept.Select(_ => new LayerChange[_model.Config.NumHiddenLayers])]);
            for (var step = 1; step <= _settings.Steps; step++)
            {
                if (step > 1)
                {
                    _cancellation.ThrowIfCancellationRequested();
                    thinking.Start();
                    Note(DeepThinking.Step(kept, options));
                }

                thinking.Stop();
                var scoring = Stopwatch.StartNew();
                outcomes.Add(batch.Answer([.. _owners.Select(owner => kept[owner])], _cancellation));
                milliseconds.Add(thinking.Elapsed.TotalMilliseconds + scoring.Elapsed.TotalMilliseconds * TestShare);
                tokens.Add(step * demonstrations + Sum(batch));
            }
        }
        finally
        {
            kept.ForEach(set => set.Dispose());
        }

        Add(Methods.DeepThinking, "step", [.. Enumerable.Range(1, _settings.Steps)], outcomes, tokens, milliseconds);

        void Note(LayerChange[][] changes)
        {
            var layers = Enumerable.Range(0, _model.Config.NumHiddenLayers).ToArray();
            KeyNorms.Add([.. layers.Select(layer => changes.Average(set => set[layer].KeyGradient))]);
            ValueNorms.Add([.. layers.Select(layer => changes.Average(set => set[layer].ValueGradient))]);
        }
    }

    private void PatchVectors()
    {
        var clock = Stopwatch.StartNew();
        var prompts = _sets.Select(set => ExtractionPrompts(_model, _task, set)).ToArray();
        var states = TaskVector.ExtractEach(_model, [.. prompts.SelectMany(own => own)], cancellation: _cancellation);
        var vectors = new List<TaskVector>();
        var next = 0;
        foreach (var own in prompts)
        {
            vectors.Add(TaskVector.Mean(states[next..(next + own.Length)]));
            next += own.Length;
        }

        Vectors = vectors;
        var extraction = clock.Elapsed.TotalMilliseconds;
        var layers = _model.Config.NumHiddenLayers;
        var batch = Batch(_queries.Length, behindPrefix: false);
        var outcomes = batch.Sweep([.. _owners.Select(owner => vectors[owner])], layers, _cancellation);
        var perLayer = extraction + (clock.Elapsed.TotalMilliseconds - extraction) / layers * TestShare;
        var tokens = prompts.SelectMany(own => own).Sum(prompt => (long)prompt.Length) + Sum(batch);
        Add(
            Methods.TaskVector, "layer", [.. Enumerable.Range(0, layers)], outcomes, [.. Enumerable.Repeat(tokens, layers)],
            [.. Enumerable.Repeat(perLayer, layers)]);
    }

    private Outcome[] AnswerBehind(QueryBatch batch, int count, Func<DemonstrationSet, int[]> demonstrationIds, out long prefixTokens)
    {
        var kept = new List<KeptKv>();
        try
        {
            foreach (var set in _sets)
            {
                kept.Add(DeepThinking.Begin(_model, demonstrationIds(set), _settings.Think(_model), _cancellation));
            }

            prefixTokens = kept.Sum(set => (long)set.Length);
            return batch.Answer([.. _owners.Take(count).Select(owner => kept[owner])], _cancellation);
        }
        finally
        {
            kept.ForEach(set => set.Dispose());
        }
    }

    private QueryBatch Batch(int count, bool behindPrefix) =>
        QueryBatch.Create(_model, _task.Template, _queries[..count], addSpecialTokens: !behindPrefix, _settings.FirstToken);

    /// <summary>Prompt tokens of the test queries.</summary>
    private long Sum(QueryBatch batch) => batch.TokenCounts.Take(_testCount).Sum(count => (long)count);

    private int[] DemonstrationIds(DemonstrationSet set, int repeats = 1) => Encode(_model, _task, set, repeats);

    private static int[] Encode(LanguageModel model, EvalTask task, DemonstrationSet set, int repeats)
    {
        var text = task.Template.Demonstrations(set.Demonstrations.Select(example => example.Demonstration));
        return model.Encode(string.Concat(Enumerable.Repeat(text, repeats)));
    }

    private void Add(
        string method, string axis, IReadOnlyList<int> at, IReadOnlyList<Outcome[]> outcomes, IReadOnlyList<long> tokens, IReadOnlyList<double> milliseconds)
    {
        var measurement = Measure(method, _control, axis, at, outcomes, tokens, _settings.Timing ? milliseconds : []);
        _measurements.Add(_task.HasOptions
            ? measurement with { CorrectOther = [.. outcomes.Select(point => string.Concat(point.Select(outcome => outcome.CorrectOther ? '1' : '0')))] }
            : measurement);
    }
}
