// A loaded model: its config, weights, tokenizer and device, and the scope in which hooks watch or change it.
using Rt.Core;
using Rt.Formats;
using Rt.Formats.Tokenizers;
using Rt.Model.Families;

namespace Rt.Model;

/// <summary>A model loaded from a folder in Hugging Face layout, on one device.</summary>
/// <remarks>Weights are views of the mapped files. One caller at a time: the activations are shared by all calls.</remarks>
public sealed class LanguageModel : IDisposable
{
    /// <summary>Rows of one forward pass where the caller leaves the choice: enough for the matrix units, small enough for the caches.</summary>
    public const int DefaultRowBudget = 512;

    private readonly Checkpoint _checkpoint;
    private readonly Lazy<ModelIdentity> _identity;
    private Workspace? _workspace;
    private RowBatch? _rows;
    private HeadBuffers? _head;

    private LanguageModel(string folder, Checkpoint checkpoint, ModelConfig config, TransformerWeights weights, IDevice device)
    {
        Folder = folder;
        Config = config;
        Weights = weights;
        Device = device;
        _checkpoint = checkpoint;
        _identity = new Lazy<ModelIdentity>(() => ModelIdentity.Of(checkpoint));
        Transformer = new Transformer(device, config, weights);
    }

    /// <summary>The folder loaded from.</summary>
    public string Folder { get; }

    /// <summary>Shape and rules.</summary>
    public ModelConfig Config { get; }

    /// <summary>The device that computes.</summary>
    public IDevice Device { get; }

    /// <summary>Null where the folder has none; token ids then are the only text.</summary>
    public Tokenizer? Tokenizer { get; private init; }

    /// <summary>What is odd about the folder but does no harm.</summary>
    public IReadOnlyList<string> Warnings { get; private init; } = [];

    /// <summary>Digests of the model and its tokenizer; computed when first asked for.</summary>
    public ModelIdentity Identity => _identity.Value;

    /// <summary>The dtype of the stored weights (that of the token embedding).</summary>
    public DType WeightType => Weights.TokenEmbedding.DType;

    /// <summary>Bytes of all stored tensors.</summary>
    public long WeightBytes => _checkpoint.ByteLength;

    internal Transformer Transformer { get; }

    internal TransformerWeights Weights { get; }

    /// <summary>Loads a model folder.</summary>
    /// <param name="folder">Holds config.json, safetensors and usually a tokenizer.</param>
    /// <param name="device">Computes; stays the caller's.</param>
    /// <exception cref="BadFileException">A file is missing or malformed.</exception>
    /// <exception cref="UnsupportedModelException">The architecture or one of its keys is not supported.</exception>
    public static LanguageModel Load(string folder, IDevice device)
    {
        if (!Directory.Exists(folder))
        {
            throw new BadFileException(folder, "expected a model folder, found nothing");
        }

        var warnings = new List<string>();
        var config = ReadConfig(folder, warnings, out var family);
        var checkpoint = Checkpoint.Open(folder);
        try
        {
            var binder = new WeightBinder(checkpoint, config, device, folder);
            var weights = family.Bind(binder);
            warnings.AddRange(checkpoint.Warnings);
            var unbound = binder.Unbound();
            if (unbound.Count > 0)
            {
                warnings.Add($"{folder}: {unbound.Count} tensors are not used, the first is {unbound[0]}");
            }

            return new LanguageModel(folder, checkpoint, config, weights, device)
            {
                Tokenizer = Tokenizer.Exists(folder) ? Tokenizer.Load(folder) : null,
                Warnings = warnings,
            };
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>The dtype that most bytes of a folder's weights are stored in; reads headers only.</summary>
    /// <exception cref="BadFileException">A file is missing or malformed, or no tensor holds numbers that weights may have.</exception>
    public static DType WeightTypeOf(string folder)
    {
        using var checkpoint = Checkpoint.Open(folder);
        var types = checkpoint.Names.Select(checkpoint.Entry).Where(entry => entry.DType.IsWeight()).GroupBy(entry => entry.DType).ToArray();
        return types.Length > 0
            ? types.MaxBy(group => group.Sum(entry => entry.ByteLength))!.Key
            : throw new BadFileException(folder, "expected weights in F32, F16, BF16 or F64, found none");
    }

    /// <summary>Reads and checks config.json alone.</summary>
    public static ModelConfig ReadConfig(string folder) => ReadConfig(folder, [], out _);

    /// <summary>Lets a hook watch or change every forward pass until the returned scope is disposed; the model is then as before,
    /// bit for bit, and a disposable hook is disposed.</summary>
    public IDisposable Attach(ForwardHook hook)
    {
        Transformer.Hooks.Add(hook);
        return new Scope(() =>
        {
            Transformer.Hooks.Remove(hook);
            (hook as IDisposable)?.Dispose();
        });
    }

    /// <summary>Writes a vector into the residual stream at the last row of every prompt, until the returned scope is disposed.</summary>
    /// <param name="point">Where.</param>
    /// <param name="vector">[hidden].</param>
    /// <param name="mode">Replace the row or add to it.</param>
    /// <param name="scale">Factor on the vector.</param>
    /// <param name="generatedRows">Also patches every generated row.</param>
    /// <exception cref="UsageException">The point does not exist in this model, or the vector has another width.</exception>
    public IDisposable Patch(
        ResidualPoint point, double[] vector, PatchMode mode = PatchMode.Replace, double scale = 1, bool generatedRows = false) =>
        Attach(new ResidualPatch(this, [new PromptPatch(point, vector)], mode, scale, generatedRows));

    /// <summary>Token ids of a text.</summary>
    /// <exception cref="UsageException">The model has no tokenizer.</exception>
    public int[] Encode(string text, bool addSpecialTokens = true) => RequireTokenizer().Encode(text, addSpecialTokens);

    /// <summary>Text of token ids.</summary>
    /// <exception cref="UsageException">The model has no tokenizer.</exception>
    public string Decode(ReadOnlySpan<int> tokenIds, bool skipSpecialTokens = true) => RequireTokenizer().Decode(tokenIds, skipSpecialTokens);

    /// <summary>A readable name for a token: its text, or its id without a tokenizer.</summary>
    public string TokenName(int tokenId) => Tokenizer?.TokenText(tokenId) ?? tokenId.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>The head's argument for residual vectors of the last block's output: final norm and projection.</summary>
    /// <param name="residuals">[rows][hidden].</param>
    /// <returns>[rows][embedding size].</returns>
    public double[][] FinalStates(IReadOnlyList<double[]> residuals) => [.. residuals.Select(residual =>
    {
        var states = ReadOutStates(residual);
        var values = new double[states.Columns];
        Device.Download(states, values);
        return values;
    })];

    /// <summary>Logits of a residual vector, read out through the final norm and the head.</summary>
    /// <param name="residual">[hidden].</param>
    /// <param name="finalNorm">False leaves the final norm out, as the published task-vector code does for GPT-J.</param>
    /// <returns>[vocabulary].</returns>
    public double[] ReadOut(double[] residual, bool finalNorm = true)
    {
        var logits = HeadFor(1).Logits(1);
        Transformer.Logits(ReadOutStates(residual, finalNorm), logits);
        var values = new double[Config.VocabularySize];
        Device.Download(logits, values);
        return values;
    }

    /// <summary>Checks that tokens exist in the vocabulary and that positions up to <paramref name="length"/> exist in the model.</summary>
    /// <exception cref="UsageException">One does not.</exception>
    public void Require(ReadOnlySpan<int> tokenIds, int length)
    {
        foreach (var id in tokenIds)
        {
            if (id < 0 || id >= Config.VocabularySize)
            {
                throw new UsageException($"token id {id}: expected 0 to {Config.VocabularySize - 1}, the vocabulary of {Folder}");
            }
        }

        if (length > Config.PositionLimit)
        {
            throw new UsageException($"{length} positions are needed, {Folder} has {Config.PositionLimit} (max_position_embeddings)");
        }
    }

    /// <summary>Checks that a residual point exists.</summary>
    /// <exception cref="UsageException">No such layer, or the middle of a parallel block.</exception>
    public void Require(ResidualPoint point)
    {
        if (point.Layer < 0 || point.Layer >= Config.NumHiddenLayers)
        {
            throw new UsageException($"layer {point.Layer}: expected 0 to {Config.NumHiddenLayers - 1}");
        }

        if (point.Point == Point.Mid && Config.ParallelResidual)
        {
            throw new UsageException(
                $"point {point}: {Config.ModelType} computes attention and feed-forward in parallel, there is no middle of the block");
        }
    }

    /// <summary>An empty cache for this model.</summary>
    /// <param name="slots">Sequences.</param>
    /// <param name="capacity">Entries per sequence.</param>
    /// <param name="shareLayers">See <see cref="KvCache"/>.</param>
    /// <param name="type">Dtype of the entries; null for the activation dtype.</param>
    public KvCache NewCache(int slots, int capacity, bool shareLayers = false, DType? type = null) => new(
        Device, Config.NumHiddenLayers, slots, Config.NumKeyValueHeads, capacity, Config.HeadDim, shareLayers, type);

    /// <inheritdoc/>
    public void Dispose()
    {
        _workspace?.Dispose();
        _head?.Dispose();
        Transformer.Dispose();
        _checkpoint.Dispose();
    }

    /// <summary>The shared activations, grown to hold <paramref name="rows"/> rows.</summary>
    internal Workspace WorkspaceFor(int rows)
    {
        if (_workspace is null || _workspace.RowCapacity < rows)
        {
            _workspace?.Dispose();
            _workspace = new Workspace(Device, Config, rows);
        }

        return _workspace;
    }

    /// <summary>The shared batch, grown to hold <paramref name="rows"/> rows and as many sequences, emptied for <paramref name="cache"/>.</summary>
    internal RowBatch RowsFor(int rows, KvCache cache)
    {
        if (_rows is null || _rows.RowCapacity < rows)
        {
            _rows = new RowBatch(rows, rows);
        }

        return _rows.Reset(cache);
    }

    /// <summary>Buffers behind the last block, grown to hold <paramref name="rows"/> rows.</summary>
    internal HeadBuffers HeadFor(int rows)
    {
        if (_head is null || _head.RowCapacity < rows)
        {
            _head?.Dispose();
            _head = new HeadBuffers(Device, Config, rows);
        }

        return _head;
    }

    private Tensor ReadOutStates(double[] residual, bool finalNorm = true)
    {
        if (residual.Length != Config.HiddenSize)
        {
            throw new UsageException($"vector of width {residual.Length}: expected the hidden size {Config.HiddenSize}");
        }

        var head = HeadFor(1);
        var row = WorkspaceFor(1).Residual.SliceRows(0, 1);
        Device.Upload(residual, row);
        Transformer.FinalStates(row, [0], head.Gathered(1), head.States(1), finalNorm);
        return head.States(1);
    }

    private static ModelConfig ReadConfig(string folder, List<string> warnings, out Family family)
    {
        var path = Path.Combine(folder, "config.json");
        using var json = JsonFile.Read(path);
        var root = new ConfigReader(new JsonFields(path, json.RootElement));
        var modelType = root.Text("model_type");
        family = Family.Of(modelType, path);
        var fields = family.Fields(root);
        var config = family.Read(fields).Validate(fields);
        fields.RefuseUnknown();
        if (root.Has("auto_map") || root.Has("trust_remote_code"))
        {
            warnings.Add($"{path}: names code to run (auto_map); it is ignored");
        }

        var endings = root.Ids("eos_token_id");
        var generation = Path.Combine(folder, "generation_config.json");
        if (File.Exists(generation))
        {
            using var generationJson = JsonFile.Read(generation);
            var ids = new JsonFields(generation, generationJson.RootElement).Ints("eos_token_id", 0);
            endings = [.. endings.Union(ids)];
        }

        return config with { BosTokenId = root.Ids("bos_token_id") is [var bos, ..] ? bos : null, EosTokenIds = endings };
    }

    private Tokenizer RequireTokenizer() => Tokenizer
        ?? throw new UsageException($"{Folder} has no tokenizer.json (nor vocab.json and merges.txt): give token ids instead of text");

    private sealed class Scope(Action end) : IDisposable
    {
        private Action? _end = end;

        public void Dispose()
        {
            _end?.Invoke();
            _end = null;
        }
    }
}
