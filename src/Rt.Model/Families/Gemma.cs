// Gemma 1, 2 and 3 (text): norms with 1 + w, scaled embeddings, sandwich norms, soft caps, local and global layers.
// Gemma Team 2024, arXiv:2403.08295 and arXiv:2408.00118; 2025, arXiv:2503.19786.
using Rt.Core;

namespace Rt.Model.Families;

/// <summary>Gemma 1.</summary>
internal class Gemma : Llama
{
    protected virtual bool Sandwich => false;

    public override ModelConfig Read(ConfigReader config) => ReadGemma(config, "gemma", null, (_, _) => 0, null);

    protected override string[] Prefixes => ["model.", "", "language_model.model.", "model.language_model.", "language_model."];

    protected override LayerWeights Block(WeightBinder binder, string at)
    {
        var block = base.Block(binder, at);
        return !Sandwich ? block : block with
        {
            PostAttentionNorm = binder.RmsNorm($"{at}.post_attention_layernorm"),
            MlpNorm = binder.RmsNorm($"{at}.pre_feedforward_layernorm"),
            PostMlpNorm = binder.RmsNorm($"{at}.post_feedforward_layernorm"),
        };
    }

    /// <summary>What the three generations share.</summary>
    /// <param name="config">The fields.</param>
    /// <param name="modelType">The family's name.</param>
    /// <param name="queryScalar">Default of <c>query_pre_attn_scalar</c>, or null where scores scale by the head dim.</param>
    /// <param name="window">Sliding window of a layer.</param>
    /// <param name="localTheta">Rotary base of sliding layers (unscaled); null where all layers share one.</param>
    protected ModelConfig ReadGemma(
        ConfigReader config, string modelType, double? queryScalar, Func<int, int, int> window, double? localTheta)
    {
        var hidden = config.Size("hidden_size");
        var layers = config.Size("num_hidden_layers");
        var heads = config.Size("num_attention_heads");
        var headDim = config.SizeOr(256, "head_dim");
        var positions = config.SizeOr(8192, "max_position_embeddings");
        var global = RopeConfig.Read(config, headDim, positions, localTheta is null ? 10000 : 1e6, localTheta is null ? null : "full_attention");
        var local = localTheta is { } theta ? ReadLocal(config, headDim, positions, theta) : global;
        var scale = 1 / Math.Sqrt(queryScalar is { } fallback ? config.PositiveOr(fallback, "query_pre_attn_scalar") : headDim);
        // The gate is the tanh form also where old configs say "gelu": hidden_activation, where present, decides.
        var activation = config.Has("hidden_activation") || Sandwich
            ? ReadActivation(config, "gelu_pytorch_tanh", "hidden_activation")
            : Activation.GeluTanh;
        config.TextOr("", "hidden_act");
        return new ModelConfig
        {
            ModelType = modelType,
            VocabularySize = config.SizeOr(262208, "vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = config.Size("intermediate_size"),
            NumHiddenLayers = layers,
            NumAttentionHeads = heads,
            NumKeyValueHeads = config.SizeOr(heads, "num_key_value_heads"),
            HeadDim = headDim,
            MaxPositionEmbeddings = positions,
            NormEpsilon = config.PositiveOr(1e-6, "rms_norm_eps"),
            Activation = activation,
            Layers = [.. Enumerable.Range(0, layers).Select(l => window(l, layers) is var w && w > 0
                ? new LayerAttention(scale, w, local)
                : new LayerAttention(scale, 0, global))],
            TieWordEmbeddings = config.FlagOr(true, "tie_word_embeddings"),
            Gated = true,
            NormPlacement = Sandwich ? NormPlacement.Sandwich : NormPlacement.Pre,
            NormWeightOffset = 1,
            EmbeddingScale = Math.Sqrt(hidden),
            AttentionBias = config.FlagOr(false, "attention_bias"),
        };
    }

    private static RopeConfig ReadLocal(ConfigReader config, int headDim, int positions, double theta) =>
        config.Object("rope_parameters")?.Object("sliding_attention") is not null
            ? RopeConfig.Read(config, headDim, positions, theta, "sliding_attention")
            : new RopeConfig { Dim = headDim, Theta = config.PositiveOr(theta, "rope_local_base_freq") };
}

/// <summary>Gemma 2: soft caps, every second layer local.</summary>
internal sealed class Gemma2 : Gemma
{
    protected override bool Sandwich => true;

    public override ModelConfig Read(ConfigReader config)
    {
        var window = config.SizeOr(4096, "sliding_window");
        return ReadGemma(config, "gemma2", 256, WindowByLayer(config, window, layer => layer % 2 == 0), null) with
        {
            AttentionSoftCap = config.IsNull("attn_logit_softcapping") ? 0 : config.PositiveOr(50, "attn_logit_softcapping"),
            FinalSoftCap = config.IsNull("final_logit_softcapping") ? 0 : config.PositiveOr(30, "final_logit_softcapping"),
        };
    }
}

/// <summary>Gemma 3 text, also inside the multimodal config.</summary>
internal sealed class Gemma3 : Gemma
{
    protected override bool Sandwich => true;

    public override ConfigReader Fields(ConfigReader config) => config.Object("text_config") ?? config;

    public override ModelConfig Read(ConfigReader config)
    {
        var window = config.SizeOr(4096, "sliding_window");
        var pattern = config.SizeOr(6, "sliding_window_pattern", "_sliding_window_pattern");
        if (config.FlagOr(false, "use_bidirectional_attention"))
        {
            throw new UnsupportedModelException($"{config.File}: use_bidirectional_attention = true is not supported");
        }

        return ReadGemma(config, "gemma3", 256, WindowByLayer(config, window, layer => (layer + 1) % pattern != 0), 10000) with
        {
            QueryKeyNorm = true,
            AttentionSoftCap = config.PositiveOr(0, "attn_logit_softcapping"),
            FinalSoftCap = config.PositiveOr(0, "final_logit_softcapping"),
        };
    }
}
