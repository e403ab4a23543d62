// GPT-NeoX and Pythia: partial rotary, parallel or sequential residual, fused query-key-value per head. Black et al. 2022, arXiv:2204.06745.
using Rt.Core;

namespace Rt.Model.Families;

internal sealed class GptNeoX : Family
{
    public override ModelConfig Read(ConfigReader config)
    {
        var hidden = config.Size("hidden_size");
        var layers = config.Size("num_hidden_layers");
        var heads = config.Size("num_attention_heads");
        var headDim = DividedHeadDim(config, hidden, heads);
        var positions = config.Size("max_position_embeddings");
        var rope = RopeConfig.Read(config, RopeConfig.RotatingDim(config, headDim, 0.25, "rotary_pct"), positions);
        return new ModelConfig
        {
            ModelType = "gpt_neox",
            VocabularySize = config.Size("vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = config.Size("intermediate_size"),
            NumHiddenLayers = layers,
            NumAttentionHeads = heads,
            NumKeyValueHeads = heads,
            HeadDim = headDim,
            MaxPositionEmbeddings = positions,
            NormEpsilon = config.PositiveOr(1e-5, "layer_norm_eps"),
            Activation = ReadActivation(config, "gelu", "hidden_act"),
            Layers = ModelConfig.SameLayers(layers, new LayerAttention(1 / Math.Sqrt(headDim), 0, rope)),
            TieWordEmbeddings = config.FlagOr(false, "tie_word_embeddings"),
            AttentionBias = config.FlagOr(true, "attention_bias"),
            ParallelResidual = config.FlagOr(true, "use_parallel_residual"),
        };
    }

    public override TransformerWeights Bind(WeightBinder binder)
    {
        var config = binder.ChoosePrefix("embed_in.weight", "gpt_neox.", "").Config;
        var hidden = config.HiddenSize;
        var embedding = binder.Matrix("embed_in.weight", config.VocabularySize, hidden);
        return new TransformerWeights
        {
            TokenEmbedding = embedding,
            Layers = Layers(binder, l => new LayerWeights
            {
                AttentionNorm = binder.LayerNorm($"layers.{l}.input_layernorm"),
                Qkv = binder.Linear($"layers.{l}.attention.query_key_value", 3 * hidden, hidden, config.AttentionBias),
                Layout = QkvLayout.PerHead(config),
                Output = binder.Linear($"layers.{l}.attention.dense", hidden, hidden, config.AttentionBias),
                MlpNorm = binder.LayerNorm($"layers.{l}.post_attention_layernorm"),
                Up = binder.Linear($"layers.{l}.mlp.dense_h_to_4h", config.IntermediateSize, hidden, true),
                Down = binder.Linear($"layers.{l}.mlp.dense_4h_to_h", hidden, config.IntermediateSize, true),
            }),
            FinalNorm = binder.LayerNorm("final_layer_norm"),
            Head = binder.Head("embed_out", embedding),
        };
    }
}
