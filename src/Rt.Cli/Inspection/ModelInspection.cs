// What a model folder holds: the config as it is understood, parameters, memory per token.
using System.Globalization;
using Rt.Core;
using Rt.Formats.Tokenizers;
using Rt.Model;

namespace Rt.Cli.Inspection;

/// <summary>Describes models and tokenizers as named facts; values are strings, numbers or booleans.</summary>
internal static class ModelInspection
{
    /// <summary>The config.</summary>
    public static IReadOnlyList<(string Name, object Value)> Config(ModelConfig config)
    {
        var facts = new List<(string, object)>
        {
            ("model_type", config.ModelType),
            ("num_hidden_layers", config.NumHiddenLayers),
            ("hidden_size", config.HiddenSize),
            ("intermediate_size", config.IntermediateSize),
            ("num_attention_heads", config.NumAttentionHeads),
            ("num_key_value_heads", config.NumKeyValueHeads),
            ("head_dim", config.HeadDim),
            ("vocab_size", config.VocabularySize),
            ("max_position_embeddings", config.MaxPositionEmbeddings == int.MaxValue ? "no limit" : config.MaxPositionEmbeddings),
            ("activation", $"{config.Activation}{(config.Gated ? ", gated" : "")}"),
            ("norm_placement", config.NormPlacement.ToString()),
            ("norm_epsilon", config.NormEpsilon),
            ("parallel_residual", config.ParallelResidual),
            ("tie_word_embeddings", config.TieWordEmbeddings),
            ("positions", Positions(config)),
            ("attention", Attention(config)),
            ("bos_token_id", config.BosTokenId is { } bos ? bos : "none"),
            ("eos_token_ids", config.EosTokenIds.Count > 0 ? string.Join(", ", config.EosTokenIds) : "none"),
        };
        return facts;
    }

    /// <summary>Sizes of a model with a given number of stored elements.</summary>
    public static IReadOnlyList<(string Name, object Value)> Sizes(LanguageModel model, long parameters)
    {
        var config = model.Config;
        var entries = 2L * config.NumHiddenLayers * config.NumKeyValueHeads * config.HeadDim;
        return
        [
            ("parameters", parameters),
            ("weight_bytes", model.WeightBytes),
            ("weight_dtype", model.WeightType.ToString()),
            ("kv_bytes_per_token_f32", entries * DType.F32.Bytes()),
        ];
    }

    /// <summary>The tokenizer.</summary>
    public static IReadOnlyList<(string Name, object Value)> Tokenizer(Tokenizer tokenizer) =>
    [
        ("vocabulary", tokenizer.VocabularySize),
        ("bos", Token(tokenizer, tokenizer.BosTokenId)),
        ("eos", Token(tokenizer, tokenizer.EosTokenId)),
        ("pad", Token(tokenizer, tokenizer.PadTokenId)),
        ("special_tokens", Enumerable.Range(0, tokenizer.VocabularySize).Count(tokenizer.IsSpecial)),
        ("around_a_text", string.Join(' ', tokenizer.Encode("").Select(id => $"{tokenizer.TokenText(id)} ({id})")) is { Length: > 0 } ids ? ids : "nothing"),
    ];

    private static string Token(Tokenizer tokenizer, int? id) => id is { } known ? $"{tokenizer.TokenText(known)} ({known})" : "none";

    private static string Positions(ModelConfig config)
    {
        if (config.Alibi)
        {
            return "ALiBi";
        }

        if (config.LearnedPositionOffset is { } offset)
        {
            return offset == 0 ? "learned" : $"learned, offset {offset}";
        }

        var ropes = config.Layers.Select(layer => layer.Rope).OfType<RopeConfig>().Distinct().ToArray();
        return ropes.Length == 0 ? "none" : string.Join("; ", ropes.Select(rope => string.Create(
            CultureInfo.InvariantCulture, $"rotary, {rope.Dim} of {config.HeadDim}, theta {rope.Theta}, scaling {rope.Scaling}")));
    }

    private static string Attention(ModelConfig config)
    {
        var windows = config.Layers.Select(layer => layer.Window).Distinct().Order().ToArray();
        return windows is [0]
            ? "full in every layer"
            : string.Join(", ", windows.Select(window =>
                $"{config.Layers.Count(layer => layer.Window == window)} layers {(window == 0 ? "full" : $"with a window of {window}")}"));
    }
}
