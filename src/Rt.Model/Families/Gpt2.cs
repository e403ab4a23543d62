// GPT-2: learned positions, pre-norm, fused query-key-value, weights stored [in, out]. Radford et al. 2019.
using Rt.Core;

namespace Rt.Model.Families;

internal sealed class Gpt2 : Family
{
    public override ModelConfig Read(ConfigReader config)
    {
        var hidden = config.Size("n_embd", "hidden_size");
        var layers = config.Size("n_layer", "num_hidden_layers");
        var heads = config.Size("n_head", "num_attention_heads");
        var headDim = DividedHeadDim(config, hidden, heads);
        var scale = config.FlagOr(true, "scale_attn_weights") ? 1 / Math.Sqrt(headDim) : 1;
        var byLayer = config.FlagOr(false, "scale_attn_by_inverse_layer_idx");
        return new ModelConfig
        {
            ModelType = "gpt2",
            VocabularySize = config.Size("vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = config.SizeOr(4 * hidden, "n_inner"),
            NumHiddenLayers = layers,
            NumAttentionHeads = heads,
            NumKeyValueHeads = heads,
            HeadDim = headDim,
            MaxPositionEmbeddings = config.Size("n_positions", "max_position_embeddings"),
            NormEpsilon = config.PositiveOr(1e-5, "layer_norm_epsilon"),
            Activation = ReadActivation(config, "gelu_new", "activation_function"),
            Layers = [.. Enumerable.Range(0, layers).Select(l => new LayerAttention(byLayer ? scale / (l + 1) : scale, 0, null))],
            TieWordEmbeddings = config.FlagOr(true, "tie_word_embeddings"),
            LearnedPositionOffset = 0,
        };
    }

    public override TransformerWeights Bind(WeightBinder binder)
    {
        var config = binder.ChoosePrefix("wte.weight", "transformer.", "").Config;
        var hidden = config.HiddenSize;
        var embedding = binder.Matrix("wte.weight", config.VocabularySize, hidden);
        return new TransformerWeights
        {
            TokenEmbedding = embedding,
            PositionEmbedding = binder.Matrix("wpe.weight", config.MaxPositionEmbeddings, hidden),
            Layers = Layers(binder, l => new LayerWeights
            {
                AttentionNorm = binder.LayerNorm($"h.{l}.ln_1"),
                Qkv = binder.Linear($"h.{l}.attn.c_attn", 3 * hidden, hidden, true, inputMajor: true),
                Layout = QkvLayout.Stacked(config),
                Output = binder.Linear($"h.{l}.attn.c_proj", hidden, hidden, true, inputMajor: true),
                MlpNorm = binder.LayerNorm($"h.{l}.ln_2"),
                Up = binder.Linear($"h.{l}.mlp.c_fc", config.IntermediateSize, hidden, true, inputMajor: true),
                Down = binder.Linear($"h.{l}.mlp.c_proj", hidden, config.IntermediateSize, true, inputMajor: true),
            }),
            FinalNorm = binder.LayerNorm("ln_f"),
            Head = binder.Head("lm_head", embedding),
        };
    }
}
