// OPT: learned positions with offset 2, either norm order, optionally projected embeddings. Zhang et al. 2022, arXiv:2205.01068.
using Rt.Core;

namespace Rt.Model.Families;

internal sealed class Opt : Family
{
    // Rows of the position table before position 0.
    private const int PositionOffset = 2;

    public override ModelConfig Read(ConfigReader config)
    {
        var hidden = config.Size("hidden_size");
        var layers = config.Size("num_hidden_layers");
        var heads = config.Size("num_attention_heads");
        var headDim = DividedHeadDim(config, hidden, heads);
        var normBefore = config.FlagOr(true, "do_layer_norm_before");
        var bias = config.FlagOr(true, "enable_bias");
        return new ModelConfig
        {
            ModelType = "opt",
            VocabularySize = config.Size("vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = config.Size("ffn_dim"),
            NumHiddenLayers = layers,
            NumAttentionHeads = heads,
            NumKeyValueHeads = heads,
            HeadDim = headDim,
            MaxPositionEmbeddings = config.Size("max_position_embeddings"),
            NormEpsilon = 1e-5,
            Activation = ReadActivation(config, "relu", "activation_function"),
            Layers = ModelConfig.SameLayers(layers, new LayerAttention(1 / Math.Sqrt(headDim), 0, null)),
            TieWordEmbeddings = config.FlagOr(true, "tie_word_embeddings"),
            NormPlacement = normBefore ? NormPlacement.Pre : NormPlacement.Post,
            EmbeddingSize = config.SizeOrNull("word_embed_proj_dim") is { } size && size != hidden ? size : null,
            LearnedPositionOffset = PositionOffset,
            AttentionBias = bias,
            MlpBias = bias,
            AffineNorms = config.FlagOr(true, "layer_norm_elementwise_affine"),
            HasFinalNorm = !config.FlagOr(false, "_remove_final_layer_norm") && normBefore,
        };
    }

    public override TransformerWeights Bind(WeightBinder binder)
    {
        var config = binder.ChoosePrefix("embed_tokens.weight", "model.decoder.", "decoder.", "").Config;
        var hidden = config.HiddenSize;
        var embeddingSize = config.EmbeddingSize ?? hidden;
        var projected = config.EmbeddingSize is not null;
        var embedding = binder.Matrix("embed_tokens.weight", config.VocabularySize, embeddingSize);
        return new TransformerWeights
        {
            TokenEmbedding = embedding,
            PositionEmbedding = binder.Matrix("embed_positions.weight", config.MaxPositionEmbeddings + PositionOffset, hidden),
            ProjectIn = projected ? binder.Linear("project_in", hidden, embeddingSize, false) : null,
            ProjectOut = projected ? binder.Linear("project_out", embeddingSize, hidden, false) : null,
            Layers = Layers(binder, l => new LayerWeights
            {
                AttentionNorm = binder.LayerNorm($"layers.{l}.self_attn_layer_norm", affine: config.AffineNorms),
                Qkv = binder.SeparateQkv(
                    $"layers.{l}.self_attn.q_proj", $"layers.{l}.self_attn.k_proj", $"layers.{l}.self_attn.v_proj", config.AttentionBias),
                Layout = QkvLayout.Stacked(config),
                Output = binder.Linear($"layers.{l}.self_attn.out_proj", hidden, hidden, config.AttentionBias),
                MlpNorm = binder.LayerNorm($"layers.{l}.final_layer_norm", affine: config.AffineNorms),
                Up = binder.Linear($"layers.{l}.fc1", config.IntermediateSize, hidden, config.MlpBias),
                Down = binder.Linear($"layers.{l}.fc2", hidden, config.IntermediateSize, config.MlpBias),
            }),
            FinalNorm = config.HasFinalNorm ? binder.LayerNorm("final_layer_norm", affine: config.AffineNorms) : null,
            Head = binder.Head("lm_head", embedding),
        };
    }
}
