// LLaMA and its near relatives Mistral, Qwen 2 and Qwen 3: rotary, root-mean-square norms, gated feed-forward, grouped heads.
using Rt.Core;

namespace Rt.Model.Families;

/// <summary>LLaMA 1-3. Touvron et al. 2023, arXiv:2302.13971; Grattafiori et al. 2024, arXiv:2407.21783.</summary>
internal class Llama : Family
{
    public override ModelConfig Read(ConfigReader config) => ReadShared(config, "llama", (_, _) => 0) with
    {
        AttentionBias = config.FlagOr(false, "attention_bias"),
        MlpBias = config.FlagOr(false, "mlp_bias"),
    };

    public override TransformerWeights Bind(WeightBinder binder)
    {
        var config = binder.ChoosePrefix("embed_tokens.weight", Prefixes).Config;
        var embedding = binder.Matrix("embed_tokens.weight", config.VocabularySize, config.HiddenSize);
        return new TransformerWeights
        {
            TokenEmbedding = embedding,
            Layers = Layers(binder, l => Block(binder, $"layers.{l}")),
            FinalNorm = binder.RmsNorm("norm"),
            Head = binder.Head("lm_head", embedding),
        };
    }

    /// <summary>What hub files write before the names.</summary>
    protected virtual string[] Prefixes => ["model.", ""];

    /// <summary>The weights of the block whose names begin with <paramref name="at"/>.</summary>
    protected virtual LayerWeights Block(WeightBinder binder, string at)
    {
        var config = binder.Config;
        return new LayerWeights
        {
            AttentionNorm = binder.RmsNorm($"{at}.input_layernorm"),
            Qkv = Qkv(binder, at),
            Layout = QkvLayout.Stacked(config),
            QueryNorm = config.QueryKeyNorm ? binder.RmsNorm($"{at}.self_attn.q_norm", config.HeadDim) : null,
            KeyNorm = config.QueryKeyNorm ? binder.RmsNorm($"{at}.self_attn.k_norm", config.HeadDim) : null,
            Output = binder.Linear($"{at}.self_attn.o_proj", config.HiddenSize, config.NumAttentionHeads * config.HeadDim, OutputBias(config)),
            MlpNorm = binder.RmsNorm($"{at}.post_attention_layernorm"),
            Up = GateAndUp(binder, at),
            Down = binder.Linear($"{at}.mlp.down_proj", config.HiddenSize, config.IntermediateSize, config.MlpBias),
        };
    }

    /// <summary>Query, key and value: stored apart.</summary>
    protected virtual Linear Qkv(WeightBinder binder, string at) => binder.SeparateQkv(
        $"{at}.self_attn.q_proj", $"{at}.self_attn.k_proj", $"{at}.self_attn.v_proj", binder.Config.AttentionBias);

    /// <summary>Gate and up: stored apart.</summary>
    protected virtual Linear GateAndUp(WeightBinder binder, string at) => new(
        binder.Part($"{at}.mlp.gate_proj", binder.Config.IntermediateSize, binder.Config.HiddenSize, binder.Config.MlpBias),
        binder.Part($"{at}.mlp.up_proj", binder.Config.IntermediateSize, binder.Config.HiddenSize, binder.Config.MlpBias));

    /// <summary>Whether attention's output projection has a bias.</summary>
    protected virtual bool OutputBias(ModelConfig config) => config.AttentionBias;

    /// <summary>What the four families share.</summary>
    /// <param name="config">The fields.</param>
    /// <param name="modelType">The family's name.</param>
    /// <param name="window">Sliding window of a layer, from its index and the number of layers.</param>
    /// <param name="defaultHeadDim">Head dim where the config names none; null for hidden size / heads.</param>
    /// <param name="partialRotary">Whether <c>partial_rotary_factor</c> applies.</param>
    protected static ModelConfig ReadShared(
        ConfigReader config, string modelType, Func<int, int, int> window, int? defaultHeadDim = null, bool partialRotary = false)
    {
        var hidden = config.Size("hidden_size");
        var layers = config.Size("num_hidden_layers");
        var heads = config.Size("num_attention_heads");
        var headDim = config.SizeOrNull("head_dim") ?? defaultHeadDim ?? DividedHeadDim(config, hidden, heads);
        var positions = config.Size("max_position_embeddings");
        var rope = RopeConfig.Read(config, partialRotary ? RopeConfig.RotatingDim(config, headDim, 1) : headDim, positions);
        return new ModelConfig
        {
            ModelType = modelType,
            VocabularySize = config.Size("vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = config.Size("intermediate_size"),
            NumHiddenLayers = layers,
            NumAttentionHeads = heads,
            NumKeyValueHeads = config.SizeOr(heads, "num_key_value_heads"),
            HeadDim = headDim,
            MaxPositionEmbeddings = positions,
            NormEpsilon = config.PositiveOr(1e-6, "rms_norm_eps"),
            Activation = ReadActivation(config, "silu", "hidden_act"),
            Layers = [.. Enumerable.Range(0, layers).Select(l => new LayerAttention(1 / Math.Sqrt(headDim), window(l, layers), rope))],
            TieWordEmbeddings = config.FlagOr(false, "tie_word_embeddings"),
            Gated = true,
        };
    }

    /// <summary>Windows by <c>layer_types</c>, or by a rule where the config has none.</summary>
    /// <exception cref="UnsupportedModelException">A layer type other than full or sliding attention.</exception>
    protected internal static Func<int, int, int> WindowByLayer(ConfigReader config, int window, Func<int, bool> slides)
    {
        var types = config.Texts("layer_types");
        return (layer, layers) =>
        {
            if (types is not null && types.Length != layers)
            {
                throw config.Wrong("layer_types", $"{layers} entries", types.Length);
            }

            var sliding = types?[layer] switch
            {
                null => slides(layer),
                "sliding_attention" => true,
                "full_attention" => false,
                var other => throw new UnsupportedModelException($"{config.File}: layer type '{other}' is not supported"),
            };
            return sliding ? window : 0;
        };
    }
}

/// <summary>Mistral: a sliding window in every layer. Jiang et al. 2023, arXiv:2310.06825.</summary>
internal sealed class Mistral : Llama
{
    // What an old config without the key means.
    private const int DefaultWindow = 4096;

    public override ModelConfig Read(ConfigReader config)
    {
        var window = config.IsNull("sliding_window") ? 0 : config.SizeOr(DefaultWindow, "sliding_window");
        return ReadShared(config, "mistral", WindowByLayer(config, window, _ => true));
    }
}

/// <summary>Qwen 2 and 2.5: biases on query, key and value; optional sliding window in the upper layers. arXiv:2407.10671.</summary>
internal sealed class Qwen2 : Llama
{
    public override ModelConfig Read(ConfigReader config) =>
        ReadShared(config, "qwen2", QwenWindow(config)) with { AttentionBias = true };

    protected override bool OutputBias(ModelConfig config) => false;

    internal static Func<int, int, int> QwenWindow(ConfigReader config)
    {
        var window = config.SizeOr(4096, "sliding_window");
        var first = config.CountOr(28, "max_window_layers");
        var use = config.FlagOr(false, "use_sliding_window");
        var byLayer = WindowByLayer(config, window, layer => layer >= first);
        return (layer, layers) => use ? byLayer(layer, layers) : 0;
    }
}

/// <summary>Qwen 3: norms on every head of queries and keys. arXiv:2505.09388.</summary>
internal sealed class Qwen3 : Llama
{
    public override ModelConfig Read(ConfigReader config) =>
        ReadShared(config, "qwen3", Qwen2.QwenWindow(config), defaultHeadDim: 128) with
        {
            AttentionBias = config.FlagOr(false, "attention_bias"),
            QueryKeyNorm = true,
        };
}
