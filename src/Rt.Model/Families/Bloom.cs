// BLOOM: distance biases (ALiBi), a norm on the embeddings, fused query-key-value per head. Le Scao et al. 2022, arXiv:2211.05100.
using Rt.Core;

namespace Rt.Model.Families;

internal sealed class Bloom : Family
{
    public override ModelConfig Read(ConfigReader config)
    {
        var hidden = config.Size("hidden_size", "n_embed");
        var layers = config.Size("n_layer", "num_hidden_layers");
        var heads = config.Size("n_head", "num_attention_heads");
        var headDim = DividedHeadDim(config, hidden, heads);
        return new ModelConfig
        {
            ModelType = "bloom",
            VocabularySize = config.Size("vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = 4 * hidden,
            NumHiddenLayers = layers,
            NumAttentionHeads = heads,
            NumKeyValueHeads = heads,
            HeadDim = headDim,
            MaxPositionEmbeddings = int.MaxValue,
            NormEpsilon = config.PositiveOr(1e-5, "layer_norm_epsilon"),
            Activation = Activation.GeluTanh,
            Layers = ModelConfig.SameLayers(layers, new LayerAttention(1 / Math.Sqrt(headDim), 0, null)),
            TieWordEmbeddings = config.FlagOr(true, "tie_word_embeddings"),
            ResidualFromNorm = config.FlagOr(false, "apply_residual_connection_post_layernorm"),
            Alibi = true,
        };
    }

    public override TransformerWeights Bind(WeightBinder binder)
    {
        var config = binder.ChoosePrefix("word_embeddings.weight", "transformer.", "").Config;
        var hidden = config.HiddenSize;
        var embedding = binder.Matrix("word_embeddings.weight", config.VocabularySize, hidden);
        return new TransformerWeights
        {
            TokenEmbedding = embedding,
            EmbeddingNorm = binder.LayerNorm("word_embeddings_layernorm"),
            Layers = Layers(binder, l => new LayerWeights
            {
                AttentionNorm = binder.LayerNorm($"h.{l}.input_layernorm"),
                Qkv = binder.Linear($"h.{l}.self_attention.query_key_value", 3 * hidden, hidden, true),
                Layout = QkvLayout.PerHead(config),
                Output = binder.Linear($"h.{l}.self_attention.dense", hidden, hidden, true),
                MlpNorm = binder.LayerNorm($"h.{l}.post_attention_layernorm"),
                Up = binder.Linear($"h.{l}.mlp.dense_h_to_4h", config.IntermediateSize, hidden, true),
                Down = binder.Linear($"h.{l}.mlp.dense_4h_to_h", hidden, config.IntermediateSize, true),
            }),
            FinalNorm = binder.LayerNorm("ln_f"),
            Head = binder.Head("lm_head", embedding),
        };
    }
}
