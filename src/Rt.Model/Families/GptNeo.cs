// GPT-Neo: learned positions, alternating global and local attention without scaling. Black et al. 2021.
using System.Text.Json;
using Rt.Core;

namespace Rt.Model.Families;

internal sealed class GptNeo : Family
{
    public override ModelConfig Read(ConfigReader config)
    {
        var hidden = config.Size("hidden_size");
        var layers = config.Size("num_layers", "num_hidden_layers");
        var heads = config.Size("num_heads", "num_attention_heads");
        var window = config.SizeOr(256, "window_size");
        return new ModelConfig
        {
            ModelType = "gpt_neo",
            VocabularySize = config.Size("vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = config.SizeOr(4 * hidden, "intermediate_size"),
            NumHiddenLayers = layers,
            NumAttentionHeads = heads,
            NumKeyValueHeads = heads,
            HeadDim = DividedHeadDim(config, hidden, heads),
            MaxPositionEmbeddings = config.Size("max_position_embeddings"),
            NormEpsilon = config.PositiveOr(1e-5, "layer_norm_epsilon"),
            Activation = ReadActivation(config, "gelu_new", "activation_function"),
            Layers = [.. AttentionTypes(config, layers).Select(type => type switch
            {
                "global" => new LayerAttention(1, 0, null),
                "local" => new LayerAttention(1, window, null),
                _ => throw new UnsupportedModelException($"{config.File}: attention type '{type}' is not supported; known are global, local"),
            })],
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
                Qkv = binder.SeparateQkv(
                    $"h.{l}.attn.attention.q_proj", $"h.{l}.attn.attention.k_proj", $"h.{l}.attn.attention.v_proj", false),
                Layout = QkvLayout.Stacked(config),
                Output = binder.Linear($"h.{l}.attn.attention.out_proj", hidden, hidden, true),
                MlpNorm = binder.LayerNorm($"h.{l}.ln_2"),
                Up = binder.Linear($"h.{l}.mlp.c_fc", config.IntermediateSize, hidden, true),
                Down = binder.Linear($"h.{l}.mlp.c_proj", hidden, config.IntermediateSize, true),
            }),
            FinalNorm = binder.LayerNorm("ln_f"),
            Head = binder.Head("lm_head", embedding),
        };
    }

    /// <summary>One type per layer: <c>attention_layers</c>, or <c>attention_types</c> = [[[types], repeats], ...].</summary>
    private static string[] AttentionTypes(ConfigReader config, int layers)
    {
        var types = config.Texts("attention_layers");
        if (config.Element("attention_types") is { } groups)
        {
            types ??= Expand(groups)?.Take(layers + 1).ToArray();
        }

        return types?.Length == layers
            ? types
            : throw config.Wrong("attention_types", $"types for {layers} layers", $"{types?.Length ?? 0}");
    }

    private static IEnumerable<string>? Expand(JsonElement groups)
    {
        if (groups.ValueKind != JsonValueKind.Array || groups.EnumerateArray().Any(group =>
                group.ValueKind != JsonValueKind.Array || group.GetArrayLength() != 2 || group[0].ValueKind != JsonValueKind.Array
                || group[1].ValueKind != JsonValueKind.Number || !group[1].TryGetInt32(out _)
                || group[0].EnumerateArray().Any(type => type.ValueKind != JsonValueKind.String)))
        {
            return null;
        }

        return groups.EnumerateArray().SelectMany(group =>
            Enumerable.Range(0, Math.Max(group[1].GetInt32(), 0)).SelectMany(_ => group[0].EnumerateArray().Select(type => type.GetString()!)));
    }
}
