// Phi 1, 1.5 and 2: partial rotary, parallel residual behind one norm, biases everywhere. Phi 3: LLaMA with fused projections.
using Rt.Core;

namespace Rt.Model.Families;

/// <summary>Phi 1 to 2. Li et al. 2023, arXiv:2309.05463.</summary>
internal sealed class Phi : Family
{
    public override ModelConfig Read(ConfigReader config)
    {
        var hidden = config.Size("hidden_size");
        var layers = config.Size("num_hidden_layers");
        var heads = config.Size("num_attention_heads");
        var headDim = DividedHeadDim(config, hidden, heads);
        var positions = config.Size("max_position_embeddings");
        var rope = RopeConfig.Read(config, RopeConfig.RotatingDim(config, headDim, 0.5), positions);
        return new ModelConfig
        {
            ModelType = "phi",
            VocabularySize = config.Size("vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = config.Size("intermediate_size"),
            NumHiddenLayers = layers,
            NumAttentionHeads = heads,
            NumKeyValueHeads = config.SizeOr(heads, "num_key_value_heads"),
            HeadDim = headDim,
            MaxPositionEmbeddings = positions,
            NormEpsilon = config.PositiveOr(1e-5, "layer_norm_eps"),
            Activation = ReadActivation(config, "gelu_new", "hidden_act"),
            Layers = ModelConfig.SameLayers(layers, new LayerAttention(1 / Math.Sqrt(headDim), 0, rope)),
            TieWordEmbeddings = config.FlagOr(false, "tie_word_embeddings"),
            ParallelResidual = true,
            QueryKeyNorm = config.FlagOr(false, "qk_layernorm"),
        };
    }

    public override TransformerWeights Bind(WeightBinder binder)
    {
        var config = binder.ChoosePrefix("embed_tokens.weight", "model.", "").Config;
        var hidden = config.HiddenSize;
        var embedding = binder.Matrix("embed_tokens.weight", config.VocabularySize, hidden);
        return new TransformerWeights
        {
            TokenEmbedding = embedding,
            Layers = Layers(binder, l => new LayerWeights
            {
                AttentionNorm = binder.LayerNorm($"layers.{l}.input_layernorm"),
                Qkv = binder.SeparateQkv(
                    $"layers.{l}.self_attn.q_proj", $"layers.{l}.self_attn.k_proj", $"layers.{l}.self_attn.v_proj", true),
                Layout = QkvLayout.Stacked(config),
                QueryNorm = config.QueryKeyNorm ? binder.LayerNorm($"layers.{l}.self_attn.q_layernorm", config.HeadDim) : null,
                KeyNorm = config.QueryKeyNorm ? binder.LayerNorm($"layers.{l}.self_attn.k_layernorm", config.HeadDim) : null,
                Output = binder.Linear($"layers.{l}.self_attn.dense", hidden, config.NumAttentionHeads * config.HeadDim, true),
                Up = binder.Linear($"layers.{l}.mlp.fc1", config.IntermediateSize, hidden, true),
                Down = binder.Linear($"layers.{l}.mlp.fc2", hidden, config.IntermediateSize, true),
            }),
            FinalNorm = binder.LayerNorm("final_layernorm"),
            Head = binder.Head("lm_head", embedding, bias: true),
        };
    }
}

/// <summary>Phi 3, 3.5 and 4-mini: fused projections, LongRoPE. Abdin et al. 2024, arXiv:2404.14219.</summary>
internal sealed class Phi3 : Llama
{
    public override ModelConfig Read(ConfigReader config)
    {
        var window = config.SizeOr(0, "sliding_window");
        config.SizeOrNull("original_max_position_embeddings");
        return ReadShared(config, "phi3", WindowByLayer(config, window, _ => window > 0), partialRotary: true) with
        {
            NormEpsilon = config.PositiveOr(1e-5, "rms_norm_eps"),
        };
    }

    protected override Linear Qkv(WeightBinder binder, string at)
    {
        var config = binder.Config;
        return binder.Linear(
            $"{at}.self_attn.qkv_proj", (config.NumAttentionHeads + 2 * config.NumKeyValueHeads) * config.HeadDim, config.HiddenSize, false);
    }

    protected override Linear GateAndUp(WeightBinder binder, string at) =>
        binder.Linear($"{at}.mlp.gate_up_proj", 2 * binder.Config.IntermediateSize, binder.Config.HiddenSize, false);
}
