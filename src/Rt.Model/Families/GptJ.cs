// GPT-J: interleaved partial rotary, attention and feed-forward in parallel behind one norm. Wang and Komatsuzaki 2021.
using Rt.Core;

namespace Rt.Model.Families;

internal sealed class GptJ : Family
{
    public override ModelConfig Read(ConfigReader config)
    {
        var hidden = config.Size("n_embd", "hidden_size");
        var layers = config.Size("n_layer", "num_hidden_layers");
        var heads = config.Size("n_head", "num_attention_heads");
        var headDim = DividedHeadDim(config, hidden, heads);
        var positions = config.Size("n_positions", "max_position_embeddings");
        var rope = new RopeConfig { Dim = config.SizeOr(headDim, "rotary_dim"), Theta = 10000, Interleaved = true };
        config.FlagOr(true, "scale_attn_weights");
        return new ModelConfig
        {
            ModelType = "gptj",
            VocabularySize = config.Size("vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = config.SizeOr(4 * hidden, "n_inner"),
            NumHiddenLayers = layers,
            NumAttentionHeads = heads,
            NumKeyValueHeads = heads,
            HeadDim = headDim,
            MaxPositionEmbeddings = positions,
            NormEpsilon = config.PositiveOr(1e-5, "layer_norm_epsilon"),
            Activation = ReadActivation(config, "gelu_new", "activation_function"),
            Layers = ModelConfig.SameLayers(layers, new LayerAttention(1 / Math.Sqrt(headDim), 0, rope)),
            TieWordEmbeddings = config.FlagOr(false, "tie_word_embeddings"),
            ParallelResidual = true,
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
            Layers = Layers(binder, l => new LayerWeights
            {
                AttentionNorm = binder.LayerNorm($"h.{l}.ln_1"),
                Qkv = binder.SeparateQkv($"h.{l}.attn.q_proj", $"h.{l}.attn.k_proj", $"h.{l}.attn.v_proj", false),
                Layout = QkvLayout.Stacked(config),
                Output = binder.Linear($"h.{l}.attn.out_proj", hidden, hidden, false),
                Up = binder.Linear($"h.{l}.mlp.fc_in", config.IntermediateSize, hidden, true),
                Down = binder.Linear($"h.{l}.mlp.fc_out", hidden, config.IntermediateSize, true),
            }),
            FinalNorm = binder.LayerNorm("ln_f"),
            Head = binder.Head("lm_head", embedding, bias: true),
        };
    }
}
