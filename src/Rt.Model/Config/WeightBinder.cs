// Finds a family's tensors in a checkpoint, checks their shapes against the config and hands them to the device.
using System.Text.RegularExpressions;
using Rt.Core;
using Rt.Formats;

namespace Rt.Model;

/// <summary>Binds checkpoint tensors by name. A missing or misshapen tensor is an error that names it.</summary>
public sealed partial class WeightBinder
{
    private readonly Checkpoint _checkpoint;
    private readonly IDevice _device;
    private readonly HashSet<string> _bound = new(StringComparer.Ordinal);

    /// <param name="checkpoint">The opened checkpoint.</param>
    /// <param name="config">The model's shape.</param>
    /// <param name="device">The device that will read the weights.</param>
    /// <param name="folder">For messages.</param>
    public WeightBinder(Checkpoint checkpoint, ModelConfig config, IDevice device, string folder)
    {
        _checkpoint = checkpoint;
        _device = device;
        Config = config;
        Folder = folder;
    }

    /// <summary>The model's shape.</summary>
    public ModelConfig Config { get; }

    /// <summary>The model folder.</summary>
    public string Folder { get; }

    /// <summary>Prefix of the names, chosen by <see cref="ChoosePrefix"/>.</summary>
    public string Prefix { get; private set; } = "";

    /// <summary>Chooses the first prefix under which <paramref name="anchor"/> exists: hub files come with and without it.</summary>
    /// <exception cref="BadFileException">None does.</exception>
    public WeightBinder ChoosePrefix(string anchor, params ReadOnlySpan<string> prefixes)
    {
        foreach (var prefix in prefixes)
        {
            if (_checkpoint.Contains(prefix + anchor))
            {
                Prefix = prefix;
                return this;
            }
        }

        throw new BadFileException(Folder, $"tensor {prefixes[0]}{anchor}: expected in a {Config.ModelType} checkpoint, found nothing");
    }

    /// <summary>Whether a tensor exists under the prefix.</summary>
    public bool Has(string name) => _checkpoint.Contains(Prefix + name);

    /// <summary>A matrix [rows, columns].</summary>
    public Tensor Matrix(string name, int rows, int columns) => Bind(Prefix + name, rows, columns);

    /// <summary>A vector [length].</summary>
    public Tensor Vector(string name, int length) => Bind(Prefix + name, length);

    /// <summary>A layer norm: weight and bias.</summary>
    public Norm LayerNorm(string name, int? width = null, bool affine = true) => new(
        NormKind.Layer,
        affine ? Vector(name + ".weight", width ?? Config.HiddenSize) : null,
        affine ? Vector(name + ".bias", width ?? Config.HiddenSize) : null,
        Config.NormEpsilon);

    /// <summary>A root-mean-square norm: weight only.</summary>
    public Norm RmsNorm(string name, int? width = null) => new(
        NormKind.RootMeanSquare,
        Vector(name + ".weight", width ?? Config.HiddenSize), null, Config.NormEpsilon, Config.NormWeightOffset);

    /// <summary>One stored matrix [out, in] (or [in, out]) as part of a linear map.</summary>
    public LinearPart Part(string name, int @out, int @in, bool bias, bool inputMajor = false) => new(
        inputMajor ? Matrix(name + ".weight", @in, @out) : Matrix(name + ".weight", @out, @in),
        bias ? Vector(name + ".bias", @out) : null,
        inputMajor);

    /// <summary>A linear map stored as one matrix.</summary>
    public Linear Linear(string name, int @out, int @in, bool bias, bool inputMajor = false) =>
        new(Part(name, @out, @in, bias, inputMajor));

    /// <summary>Query, key and value projections stored apart.</summary>
    public Linear SeparateQkv(string query, string key, string value, bool bias)
    {
        var queryWidth = Config.NumAttentionHeads * Config.HeadDim;
        var keyWidth = Config.NumKeyValueHeads * Config.HeadDim;
        return new Linear(
            Part(query, queryWidth, Config.HiddenSize, bias),
            Part(key, keyWidth, Config.HiddenSize, bias),
            Part(value, keyWidth, Config.HiddenSize, bias));
    }

    /// <summary>The head: the token embedding where tied, else its own matrix.</summary>
    /// <param name="name">Full name without <c>.weight</c>, tried bare and under the prefix.</param>
    /// <param name="embedding">The token embedding.</param>
    /// <param name="bias">Whether the head has a bias.</param>
    public Linear Head(string name, Tensor embedding, bool bias = false)
    {
        var full = _checkpoint.Contains(name + ".weight") ? name : Prefix + name;
        if (Config.TieWordEmbeddings)
        {
            _bound.Add(full + ".weight");
            return new Linear(new LinearPart(embedding, bias ? Bind(full + ".bias", Config.VocabularySize) : null, false));
        }

        return new Linear(new LinearPart(
            Bind(full + ".weight", Config.VocabularySize, Config.EmbeddingSize ?? Config.HiddenSize),
            bias ? Bind(full + ".bias", Config.VocabularySize) : null,
            false));
    }

    /// <summary>Tensors that were not bound and are not known buffers.</summary>
    /// <exception cref="UnsupportedModelException">One of them is a weight inside a block, which this family does not have here:
    /// leaving it out would compute another model.</exception>
    public IReadOnlyList<string> Unbound()
    {
        var unbound = _checkpoint.Names.Where(name => !_bound.Contains(name) && !Buffer().IsMatch(name)).Order(StringComparer.Ordinal).ToList();
        var inBlock = unbound.Find(name => name.StartsWith(Prefix, StringComparison.Ordinal) && BlockWeight().IsMatch(name[Prefix.Length..]));
        return inBlock is null
            ? unbound
            : throw new UnsupportedModelException(
                $"{Folder}: tensor {inBlock} is not part of a {Config.ModelType} block as this runtime computes it");
    }

    private Tensor Bind(string name, params ReadOnlySpan<int> shape)
    {
        if (!_checkpoint.Contains(name))
        {
            throw new BadFileException(Folder, $"tensor {name}: expected [{string.Join(", ", shape.ToArray())}], found nothing");
        }

        var entry = _checkpoint.Entry(name);
        var same = entry.Shape.Length == shape.Length;
        for (var i = 0; same && i < shape.Length; i++)
        {
            same = entry.Shape[i] == shape[i];
        }

        if (!same)
        {
            throw new BadFileException(Folder, $"tensor {name}: expected [{string.Join(", ", shape.ToArray())}] by config.json, "
                + $"found [{string.Join(", ", entry.Shape)}]");
        }

        if (!entry.DType.IsWeight())
        {
            throw new BadFileException(Folder, $"tensor {name}: expected F32, F16 or BF16, found {entry.DType}");
        }

        _bound.Add(name);
        return _device.Import(_checkpoint.Tensor(name));
    }

    // Masks, tables and position ids that old files carry along; they hold nothing that config.json does not say.
    [GeneratedRegex(@"(^|\.)(attn|attention|self_attn|self_attention)\.(bias|masked_bias)$|\.inv_freq$|position_ids$|\.alibi$|\.rotary_pos_emb\.")]
    private static partial Regex Buffer();

    [GeneratedRegex(@"^(h|layers|blocks)\.\d+\..*(weight|bias)$")]
    private static partial Regex BlockWeight();
}
