// Typed reading of config.json, which refuses what it does not know.
using System.Text.Json;
using Rt.Core;
using Rt.Formats;

namespace Rt.Model;

/// <summary>Reads fields of one JSON object of config.json; every complaint names the file, the field, what was expected and what was found.</summary>
/// <remarks>A field may have an alternative (older or newer) name. Null counts as absent.</remarks>
public sealed class ConfigReader(JsonFields fields)
{
    private const int LargestSize = 1 << 28;

    // Keys that change nothing this runtime computes: training, storage, identity, generation defaults, alternative kernels.
    private static readonly HashSet<string> Inert = new(StringComparer.Ordinal)
    {
        "architectures", "model_type", "torch_dtype", "dtype", "transformers_version", "use_cache", "initializer_range", "init_std",
        "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "decoder_start_token_id", "unk_token_id", "mask_token_id",
        "pretraining_tp", "_name_or_path", "name_or_path", "task_specific_params", "auto_map", "prefix", "return_dict",
        "output_hidden_states", "output_attentions", "torchscript", "cache_implementation", "n_ctx", "seq_length", "offset_alibi",
        "reorder_and_upcast_attn", "slow_but_exact", "skip_bias_add", "skip_bias_add_qkv", "masked_softmax_fusion",
        "bias_dropout_fusion", "attention_softmax_in_fp32", "_attn_implementation", "attn_implementation", "attn_type",
        "_attn_implementation_autoset", "_flash_attn_2_enabled", "use_flash_attention", "gradient_checkpointing", "layerdrop",
        "classifier_dropout", "vocab_size", "tokenizer_class", "is_decoder", "is_encoder_decoder", "id2label", "label2id",
        "problem_type", "finetuning_task", "chunk_size_feed_forward", "tie_encoder_decoder",
        "hidden_dropout", "activation_dropout", "unsloth_version", "unsloth_fixed", "n_embed", "rotary", "num_attention_layers",
    };

    private static readonly string[] InertEndings = ["dropout", "_pdrop", "_drop", "_token_index", "_token_id"];

    private static readonly string[] InertBeginnings = ["summary_", "gradient_", "bad_words", "output_", "mm_", "vision_", "image_", "boi_", "eoi_"];

    // A key that is neither known nor inert, and whose name says one of these, may change the result: it is refused.
    private static readonly string[] Telling =
    [
        "attn", "attention", "rope", "rotary", "window", "scal", "cap", "norm", "bias", "position", "head", "alibi", "mask",
        "parallel", "residual", "expert", "moe", "gate", "multiplier", "qk_", "kv_", "sink", "layer_types", "act", "quant", "lora",
    ];

    /// <summary>The file the fields come from.</summary>
    public string File => fields.File;

    /// <summary>Whether the field is present and not null.</summary>
    public bool Has(string name) => fields.Has(name);

    /// <summary>Whether the field is present and null.</summary>
    public bool IsNull(string name) => fields.IsNull(name);

    /// <summary>A whole number from 1 to 2^28.</summary>
    public int Size(string name, string? alternative = null) => fields.Int(name, alternative, null, 1, LargestSize);

    /// <summary>As <see cref="Size"/>, or <paramref name="fallback"/> where absent.</summary>
    public int SizeOr(int fallback, string name, string? alternative = null) => SizeOrNull(name, alternative) ?? fallback;

    /// <summary>As <see cref="Size"/>, or null where absent.</summary>
    public int? SizeOrNull(string name, string? alternative = null) => fields.IntOrNull(name, alternative, 1, LargestSize);

    /// <summary>A whole number that may be zero, or <paramref name="fallback"/>.</summary>
    public int CountOr(int fallback, string name) => fields.IntOrNull(name, null, 0, LargestSize) ?? fallback;

    /// <summary>A finite number above 0, or <paramref name="fallback"/>.</summary>
    public double PositiveOr(double fallback, string name, string? alternative = null) =>
        fields.DoubleOrNull(name, alternative) is { } value ? Above0(name, value) : fallback;

    /// <summary>A finite number above 0 that must be present.</summary>
    public double Positive(string name) => Above0(name, fields.Double(name));

    /// <summary>True or false, or <paramref name="fallback"/>.</summary>
    public bool FlagOr(bool fallback, string name) => fields.Bool(name, fallback);

    /// <summary>A string, or <paramref name="fallback"/>.</summary>
    public string TextOr(string fallback, string name, string? alternative = null) => fields.StringOrNull(name, alternative) ?? fallback;

    /// <summary>A string that must be present.</summary>
    public string Text(string name) => fields.String(name);

    /// <summary>Token ids: one, or a list; empty where absent.</summary>
    public int[] Ids(string name) => fields.Ints(name, 0);

    /// <summary>Finite numbers above 0; empty where absent.</summary>
    public double[] Numbers(string name) => [.. fields.Doubles(name).Select(value => Above0(name, value))];

    /// <summary>Strings; null where absent.</summary>
    public string[]? Texts(string name) => fields.Has(name) ? fields.Strings(name) : null;

    /// <summary>A nested object; null where absent.</summary>
    public ConfigReader? Object(string name) => fields.ObjectOrNull(name) is { } nested ? new ConfigReader(nested) : null;

    /// <summary>The raw element of a field with a form of its own; null where absent.</summary>
    public JsonElement? Element(string name) => fields.Has(name) ? fields.Raw(name) : null;

    /// <summary>An error about a field's value.</summary>
    public BadFileException Wrong(string name, string expected, object found) => fields.Wrong(name, expected, $"{found}");

    /// <summary>Refuses fields that were never asked for and that may change the result; call once all are read.</summary>
    /// <exception cref="UnsupportedModelException">Names the field and its value.</exception>
    public void RefuseUnknown()
    {
        foreach (var name in fields.Unread())
        {
            var value = fields.Element.GetProperty(name);
            var off = value.ValueKind is JsonValueKind.Null or JsonValueKind.False;
            if (off || Inert.Contains(name) || InertEndings.Any(name.EndsWith) || InertBeginnings.Any(name.StartsWith)
                || !Telling.Any(word => name.Contains(word, StringComparison.OrdinalIgnoreCase)))
            {
                continue;
            }

            throw new UnsupportedModelException(
                $"{File}: {name} = {value.GetRawText()} is not a key this runtime knows, and it may change the result");
        }
    }

    private double Above0(string name, double value) => value > 0 ? value : throw Wrong(name, "a number above 0", value);
}
