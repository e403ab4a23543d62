// Typed, range-checked reading of config.json, which remembers what was asked for.
using System.Text.Json;
using Rt.Core;

namespace Rt.Model;

/// <summary>Reads fields of one JSON object of config.json; every complaint names the file, the field, what was expected and what was found.</summary>
/// <remarks>Fields may have several names (old, new): the first present one counts. Null counts as absent.</remarks>
public sealed class ConfigReader(string file, JsonElement element, string path = "")
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

    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);

    /// <summary>The file the fields come from.</summary>
    public string File { get; } = file;

    /// <summary>Whether one of the names is present and not null.</summary>
    public bool Has(params ReadOnlySpan<string> names) => Find(names, out _, out _);

    /// <summary>Whether the field is present and null.</summary>
    public bool IsNull(string name) => element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Null;

    /// <summary>A whole number from 1 to 2^28.</summary>
    public int Size(params ReadOnlySpan<string> names) => SizeOr(null, names) ?? throw Missing(names[0], "a positive whole number");

    /// <summary>As <see cref="Size"/>, or <paramref name="fallback"/> where absent.</summary>
    public int? SizeOr(int? fallback, params ReadOnlySpan<string> names)
    {
        if (!Find(names, out var name, out var value))
        {
            return fallback;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number is > 0 and <= LargestSize
            ? number
            : throw Wrong(name, $"a whole number from 1 to {LargestSize}", value);
    }

    /// <summary>A whole number that may be zero, or <paramref name="fallback"/>.</summary>
    public int CountOr(int fallback, params ReadOnlySpan<string> names)
    {
        if (!Find(names, out var name, out var value))
        {
            return fallback;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number is >= 0 and <= LargestSize
            ? number
            : throw Wrong(name, $"a whole number from 0 to {LargestSize}", value);
    }

    /// <summary>A finite positive number, or <paramref name="fallback"/>.</summary>
    public double PositiveOr(double fallback, params ReadOnlySpan<string> names)
    {
        if (!Find(names, out var name, out var value))
        {
            return fallback;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) && number > 0
            ? number
            : throw Wrong(name, "a finite number above 0", value);
    }

    /// <summary>A finite positive number that must be present.</summary>
    public double Positive(string name) => Has(name) ? PositiveOr(0, name) : throw Missing(name, "a finite number above 0");

    /// <summary>True or false, or <paramref name="fallback"/>.</summary>
    public bool FlagOr(bool fallback, params ReadOnlySpan<string> names)
    {
        if (!Find(names, out var name, out var value))
        {
            return fallback;
        }

        return value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Wrong(name, "true or false", value),
        };
    }

    /// <summary>A string, or <paramref name="fallback"/>.</summary>
    public string? TextOr(string? fallback, params ReadOnlySpan<string> names)
    {
        if (!Find(names, out var name, out var value))
        {
            return fallback;
        }

        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw Wrong(name, "a string", value);
    }

    /// <summary>Whole numbers: one, or a list; empty where absent.</summary>
    public int[] Ids(string name)
    {
        if (!Find([name], out _, out var value))
        {
            return [];
        }

        var items = value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().ToArray() : [value];
        return [.. items.Select(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out var id) && id >= 0
            ? id
            : throw Wrong(name, "token ids", value))];
    }

    /// <summary>Finite positive numbers; null where absent.</summary>
    public double[]? Numbers(string name)
    {
        if (!Find([name], out _, out var value))
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select(item =>
                item.ValueKind == JsonValueKind.Number && item.TryGetDouble(out var number) && double.IsFinite(number) && number > 0
                    ? number
                    : throw Wrong(name, "a list of numbers above 0", value))]
            : throw Wrong(name, "a list of numbers above 0", value);
    }

    /// <summary>Strings; null where absent.</summary>
    public string[]? Texts(string name)
    {
        if (!Find([name], out _, out var value))
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String)
            ? [.. value.EnumerateArray().Select(item => item.GetString()!)]
            : throw Wrong(name, "a list of strings", value);
    }

    /// <summary>A nested object; null where absent.</summary>
    public ConfigReader? Object(string name)
    {
        if (!Find([name], out _, out var value))
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Object
            ? new ConfigReader(File, value, $"{path}{name}.")
            : throw Wrong(name, "an object", value);
    }

    /// <summary>The raw element of a field with a form of its own; null where absent.</summary>
    public JsonElement? Element(string name) => Find([name], out _, out var value) ? value : null;

    /// <summary>An error about a field's value.</summary>
    public BadFileException Wrong(string name, string expected, JsonElement found)
    {
        var text = found.GetRawText();
        return Wrong(name, expected, text.Length > 60 ? text[..60] + "…" : text);
    }

    /// <summary>An error about a field's value.</summary>
    public BadFileException Wrong(string name, string expected, object found) =>
        new(File, $"{path}{name}: expected {expected}, found {found}");

    /// <summary>Refuses fields that were never asked for and that may change the result; call once all are read.</summary>
    /// <exception cref="UnsupportedModelException">Names the field and its value.</exception>
    public void RefuseUnknown()
    {
        foreach (var property in element.EnumerateObject())
        {
            var name = property.Name;
            var off = property.Value.ValueKind is JsonValueKind.Null or JsonValueKind.False;
            if (off || _asked.Contains(name) || Inert.Contains(name)
                || InertEndings.Any(name.EndsWith) || InertBeginnings.Any(name.StartsWith)
                || !Telling.Any(word => name.Contains(word, StringComparison.OrdinalIgnoreCase)))
            {
                continue;
            }

            throw new UnsupportedModelException(
                $"{File}: {path}{name} = {property.Value.GetRawText()} is not a key this runtime knows, and it may change the result");
        }
    }

    private BadFileException Missing(string name, string expected) => new(File, $"{path}{name}: expected {expected}, found nothing");

    private bool Find(ReadOnlySpan<string> names, out string name, out JsonElement value)
    {
        value = default;
        name = names[0];
        var found = false;
        foreach (var candidate in names)
        {
            _asked.Add(candidate);
            if (!found && element.TryGetProperty(candidate, out var property) && property.ValueKind != JsonValueKind.Null)
            {
                (name, value, found) = (candidate, property, true);
            }
        }

        return found;
    }
}
