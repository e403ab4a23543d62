// Kept keys and values: what a think pass leaves behind and inference reads instead of demonstrations.
using System.Globalization;
using Rt.Core;
using Rt.Formats;

namespace Rt.Model;

/// <summary>Positions of the demonstrations in think passes after the first.</summary>
public enum PositionsMode
{
    /// <summary>L..2L-1, as the published code does.</summary>
    Paper,

    /// <summary>0..L-1 in every pass.</summary>
    Aligned,
}

/// <summary>How kept keys and values came to be.</summary>
public sealed record KeptKvOrigin
{
    /// <summary>Tokens of the demonstrations.</summary>
    public required int[] DemonstrationIds { get; init; }

    /// <summary>Forward passes done; 1 is a plain prefill.</summary>
    public int Steps { get; init; } = 1;

    /// <summary>η.</summary>
    public double StepSize { get; init; }

    /// <summary>β.</summary>
    public double Momentum { get; init; }

    /// <summary>Positions of passes after the first.</summary>
    public PositionsMode Positions { get; init; }

    /// <summary>Dtype of the update's arithmetic.</summary>
    public required DType Precision { get; init; }
}

/// <summary>Keys and values of a prefix, [kv_heads, length, head_dim] per layer, with their velocity. A value: fork, save, load, compare.</summary>
public sealed class KeptKv : IDisposable
{
    private const string Format = "rt-kept-kv";
    private const string Version = "1";

    internal KeptKv(LanguageModel model, KeptKvOrigin origin)
    {
        Model = model;
        Origin = origin;
        var length = origin.DemonstrationIds.Length;
        Cache = model.NewCache(1, length);
        Master = model.Device.MasterType == model.Device.ActivationType ? Cache : model.NewCache(1, length, type: model.Device.MasterType);
        Velocity = model.NewCache(1, length, type: model.Device.MasterType);
    }

    /// <summary>The model they belong to.</summary>
    public LanguageModel Model { get; }

    /// <summary>How they came to be.</summary>
    public KeptKvOrigin Origin { get; internal set; }

    /// <summary>Number of entries: demonstration tokens.</summary>
    public int Length => Origin.DemonstrationIds.Length;

    /// <summary>What attention reads.</summary>
    internal KvCache Cache { get; }

    /// <summary>What is updated, kept and saved: <see cref="Cache"/> itself where activations are not narrower.</summary>
    internal KvCache Master { get; }

    internal KvCache Velocity { get; }

    /// <summary>Keys of a layer, [kv_heads x length x head_dim] row-major.</summary>
    public double[] Keys(int layer) => Download(Master[layer].Key);

    /// <summary>Values of a layer, [kv_heads x length x head_dim] row-major.</summary>
    public double[] Values(int layer) => Download(Master[layer].Value);

    /// <summary>What an update also writes besides <see cref="Master"/>.</summary>
    internal KvLayer? CopyOf(int layer) => Master == Cache ? null : Cache[layer];

    /// <summary>Makes what attention reads follow what is kept.</summary>
    internal void MasterToCache() => CopyLayers(Master, Cache);

    /// <summary>Takes over keys and values that a forward pass has written.</summary>
    internal void CacheToMaster() => CopyLayers(Cache, Master);

    /// <summary>An independent copy; changing one leaves the other.</summary>
    public KeptKv Fork()
    {
        var fork = new KeptKv(Model, Origin);
        CopyLayers(Master, fork.Master);
        CopyLayers(Velocity, fork.Velocity);
        fork.MasterToCache();
        return fork;
    }

    /// <summary>Frobenius distances of keys and values per layer, [layers].</summary>
    /// <exception cref="UsageException">The lengths differ.</exception>
    public (double Key, double Value)[] DistanceTo(KeptKv other)
    {
        if (other.Length != Length || other.Cache.Layers != Cache.Layers)
        {
            throw new UsageException($"kept KV of {Length} entries cannot be compared with one of {other.Length}");
        }

        return [.. Enumerable.Range(0, Cache.Layers).Select(layer =>
            (Distance(Keys(layer), other.Keys(layer)), Distance(Values(layer), other.Values(layer))))];

        static double Distance(double[] a, double[] b) => Math.Sqrt(a.Zip(b, (x, y) => (x - y) * (x - y)).Sum());
    }

    /// <summary>Writes a safetensors file, by a temporary file beside it.</summary>
    /// <param name="path">Target.</param>
    /// <param name="withVelocity">Also writes the velocity, which resuming needs.</param>
    /// <param name="cancellation">Leaves no file behind when cancelled.</param>
    public void Save(string path, bool withVelocity = true, CancellationToken cancellation = default)
    {
        var writer = StateMetadata.NewFile(Format, Version, Model);
        writer.SetMetadata("demonstration_ids", string.Join(",", Origin.DemonstrationIds));
        writer.SetMetadata("steps", Origin.Steps.ToString(CultureInfo.InvariantCulture));
        writer.SetMetadata("step_size", Origin.StepSize.ToString("R", CultureInfo.InvariantCulture));
        writer.SetMetadata("momentum", Origin.Momentum.ToString("R", CultureInfo.InvariantCulture));
        writer.SetMetadata("positions", Origin.Positions == PositionsMode.Paper ? "paper" : "aligned");
        writer.SetMetadata("precision", Origin.Precision.ToString());
        long[] shape = [Cache.KvHeads, Length, Cache.HeadDim];
        for (var layer = 0; layer < Cache.Layers; layer++)
        {
            Add($"layers.{layer}.key", Master[layer].Key);
            Add($"layers.{layer}.value", Master[layer].Value);
            if (withVelocity)
            {
                Add($"layers.{layer}.key_velocity", Velocity[layer].Key);
                Add($"layers.{layer}.value_velocity", Velocity[layer].Value);
            }
        }

        writer.Write(path, cancellation);

        void Add(string name, Tensor tensor)
        {
            if (Model.Device.ActivationType == DType.F64)
            {
                writer.Add<double>(name, DType.F64, shape, Download(tensor));
                return;
            }

            var values = new float[tensor.Count];
            Model.Device.Download(tensor, values);
            writer.Add<float>(name, DType.F32, shape, values);
        }
    }

    /// <summary>Reads a kept-KV file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="model">The model it was made with.</param>
    /// <exception cref="BadFileException">Not such a file, made with another model, or of another shape.</exception>
    public static KeptKv Load(string path, LanguageModel model)
    {
        using var file = SafetensorsFile.Open(path);
        var metadata = new StateMetadata(file, Format, Version);
        metadata.RequireModel(model);
        var config = model.Config;
        var ids = metadata.Ids("demonstration_ids");
        long[] shape = [config.NumKeyValueHeads, ids.Length, config.HeadDim];
        var kept = new KeptKv(model, new KeptKvOrigin
        {
            DemonstrationIds = ids,
            Steps = metadata.Int("steps"),
            StepSize = metadata.Number("step_size"),
            Momentum = metadata.Number("momentum"),
            Positions = metadata.OneOf("positions", "paper", "aligned") == 0 ? PositionsMode.Paper : PositionsMode.Aligned,
            Precision = metadata.Type("precision"),
        });
        try
        {
            var withVelocity = file.Entries.ContainsKey("layers.0.key_velocity");
            for (var layer = 0; layer < config.NumHiddenLayers; layer++)
            {
                Read($"layers.{layer}.key", kept.Master[layer].Key);
                Read($"layers.{layer}.value", kept.Master[layer].Value);
                if (withVelocity)
                {
                    Read($"layers.{layer}.key_velocity", kept.Velocity[layer].Key);
                    Read($"layers.{layer}.value_velocity", kept.Velocity[layer].Value);
                }
            }

            kept.MasterToCache();
            kept.HasVelocity = withVelocity;
            metadata.RequireTensors((withVelocity ? 4 : 2) * config.NumHiddenLayers);
            return kept;
        }
        catch
        {
            kept.Dispose();
            throw;
        }

        void Read(string name, Tensor destination) => model.Device.Upload(metadata.Values(name, shape), destination);
    }

    /// <summary>False after loading a file without velocity: thinking on then starts with velocity zero.</summary>
    public bool HasVelocity { get; private set; } = true;

    /// <inheritdoc/>
    public void Dispose()
    {
        Cache.Dispose();
        Velocity.Dispose();
        if (Master != Cache)
        {
            Master.Dispose();
        }
    }

    private void CopyLayers(KvCache source, KvCache destination)
    {
        for (var layer = 0; layer < source.Layers && source != destination; layer++)
        {
            Model.Device.Copy(source[layer].Key, destination[layer].Key);
            Model.Device.Copy(source[layer].Value, destination[layer].Value);
        }
    }

    private double[] Download(Tensor tensor)
    {
        var values = new double[tensor.Count];
        Model.Device.Download(tensor, values);
        return values;
    }
}
