// Task vectors: the residual stream at a prompt's last token, averaged over prompts. Source: arXiv:2310.15916 and its published code.
using System.Globalization;
using Rt.Core;
using Rt.Formats;

namespace Rt.Model;

/// <summary>Residual vectors [layers][hidden] (or of one layer) read at prompts' last tokens. A value: save, load, compare.</summary>
public sealed class TaskVector
{
    private const string Format = "rt-task-vector";
    private const string Version = "1";

    private readonly double[][] _vectors;

    /// <param name="vectors">[layers][hidden], or one vector.</param>
    /// <param name="layer">The layer of the single vector; null when there is one per layer.</param>
    /// <param name="point">Where in the block they were read.</param>
    /// <param name="prompts">Number of prompts averaged.</param>
    public TaskVector(double[][] vectors, int? layer, Point point, int prompts)
    {
        _vectors = vectors;
        Layer = layer;
        Point = point;
        Prompts = prompts;
    }

    /// <summary>The layer of the single vector; null when there is one per layer.</summary>
    public int? Layer { get; }

    /// <summary>Where in the block the vectors were read, and are written.</summary>
    public Point Point { get; }

    /// <summary>Number of prompts averaged.</summary>
    public int Prompts { get; }

    /// <summary>Width of a vector.</summary>
    public int HiddenSize => _vectors[0].Length;

    /// <summary>Layers there are vectors for.</summary>
    public IEnumerable<int> Layers => Layer is { } layer ? [layer] : Enumerable.Range(0, _vectors.Length);

    /// <summary>The vector of a layer, [hidden].</summary>
    /// <exception cref="UsageException">There is none for that layer.</exception>
    public double[] this[int layer] => Layer is { } only
        ? only == layer ? _vectors[0] : throw new UsageException($"layer {layer}: the task vector was read at layer {only} only")
        : layer >= 0 && layer < _vectors.Length
            ? _vectors[layer]
            : throw new UsageException($"layer {layer}: expected 0 to {_vectors.Length - 1}");

    /// <summary>Reads the residual stream at the last token of every prompt, all layers in one pass.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">Token ids: demonstrations and a query, as a few-shot prompt.</param>
    /// <param name="point">Where in the block; a task vector as published is <see cref="Point.Post"/>.</param>
    /// <param name="cancellation">Noticed between passes.</param>
    /// <returns>[prompts][layers][hidden].</returns>
    /// <exception cref="UsageException">No prompts, an empty prompt, or a point the model does not have.</exception>
    public static double[][][] ExtractEach(
        LanguageModel model, IReadOnlyList<int[]> prompts, Point point = Point.Post, CancellationToken cancellation = default)
    {
        if (prompts.Count == 0 || prompts.Any(prompt => prompt.Length == 0))
        {
            throw new UsageException("prompts: expected at least one, none of them empty");
        }

        var layers = model.Config.NumHiddenLayers;
        model.Require(new ResidualPoint(0, point));
        var points = Enumerable.Range(0, layers).Select(layer => new ResidualPoint(layer, point)).ToArray();
        var states = new double[prompts.Count][][];
        foreach (var group in PromptRunner.Groups(prompts))
        {
            var (start, count) = group.GetOffsetAndLength(prompts.Count);
            var members = prompts.Skip(start).Take(count).ToArray();
            using var cache = model.NewCache(count, members.Max(prompt => prompt.Length), shareLayers: PromptRunner.IsOnePass(members));
            var tap = new ResidualTap(points, TapRows.PromptEnds);
            using (model.Attach(tap))
            {
                PromptRunner.Run(
                    model, [.. members.Select((prompt, slot) => new PromptRun(prompt, slot))], cache, null, (_, _, _) => { }, cancellation);
            }

            for (var i = 0; i < count; i++)
            {
                states[start + i] = [.. points.Select(at => tap[at].Rows[i])];
            }
        }

        return states;
    }

    /// <summary>The mean of <see cref="ExtractEach"/> over the prompts: one vector per layer.</summary>
    public static TaskVector Extract(
        LanguageModel model, IReadOnlyList<int[]> prompts, Point point = Point.Post, CancellationToken cancellation = default) =>
        Mean(ExtractEach(model, prompts, point, cancellation), point);

    /// <summary>The mean of states [prompts][layers][hidden] over the prompts.</summary>
    public static TaskVector Mean(IReadOnlyList<double[][]> states, Point point = Point.Post)
    {
        var mean = states[0].Select(vector => new double[vector.Length]).ToArray();
        foreach (var state in states)
        {
            for (var layer = 0; layer < mean.Length; layer++)
            {
                for (var i = 0; i < mean[layer].Length; i++)
                {
                    mean[layer][i] += state[layer][i] / states.Count;
                }
            }
        }

        return new TaskVector(mean, null, point, states.Count);
    }

    /// <summary>The vector of one layer alone.</summary>
    public TaskVector At(int layer) => new([this[layer]], layer, Point, Prompts);

    /// <summary>Cosine of the angle to another task vector at a layer.</summary>
    public double Cosine(TaskVector other, int layer)
    {
        var (a, b) = (this[layer], other[layer]);
        return Dot(a, b) / Math.Sqrt(Dot(a, a) * Dot(b, b));

        static double Dot(double[] x, double[] y) => x.Zip(y, (p, q) => p * q).Sum();
    }

    /// <summary>Reads a vector out through the final norm and the head: its top tokens with their logits.</summary>
    /// <param name="model">The model.</param>
    /// <param name="layer">Which vector.</param>
    /// <param name="count">How many tokens.</param>
    public (int TokenId, double Logit)[] TopTokens(LanguageModel model, int layer, int count) =>
        [.. model.ReadOut(this[layer]).Select((logit, id) => (id, logit)).OrderByDescending(pair => pair.logit).Take(count)];

    /// <summary>Writes a safetensors file with <c>task_vector</c> [hidden] or [layers, hidden], by a temporary file beside it.</summary>
    public void Save(string path, LanguageModel model, CancellationToken cancellation = default)
    {
        var writer = StateMetadata.NewFile(Format, Version, model);
        writer.SetMetadata("layer", Layer?.ToString(CultureInfo.InvariantCulture) ?? "all");
        writer.SetMetadata("point", Point.ToString().ToLowerInvariant());
        writer.SetMetadata("position", "-1");
        writer.SetMetadata("prompts", Prompts.ToString(CultureInfo.InvariantCulture));
        long[] shape = Layer is null ? [_vectors.Length, HiddenSize] : [HiddenSize];
        if (model.Device.ActivationType == DType.F64)
        {
            writer.Add<double>("task_vector", DType.F64, shape, _vectors.SelectMany(vector => vector).ToArray());
        }
        else
        {
            writer.Add<float>("task_vector", DType.F32, shape, _vectors.SelectMany(vector => vector.Select(x => (float)x)).ToArray());
        }

        writer.Write(path, cancellation);
    }

    /// <summary>Reads a task-vector file.</summary>
    /// <exception cref="BadFileException">Not such a file, made with another model, or of another shape.</exception>
    public static TaskVector Load(string path, LanguageModel model)
    {
        using var file = SafetensorsFile.Open(path);
        var metadata = new StateMetadata(file, Format, Version);
        metadata.RequireModel(model);
        metadata.RequireTensors(1);
        var all = metadata.Text("layer") == "all";
        var hidden = model.Config.HiddenSize;
        var values = metadata.Values("task_vector", all ? [model.Config.NumHiddenLayers, hidden] : [hidden]);
        var point = (Point)metadata.OneOf("point", "pre", "mid", "post");
        return new TaskVector([.. values.Chunk(hidden)], all ? null : metadata.Int("layer"), point, metadata.Int("prompts"));
    }
}
