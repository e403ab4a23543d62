// Which tokens begin, end and fill texts, by tokenizer_config.json and special_tokens_map.json.
// Source: Hugging Face transformers, tokenization_utils_base.
using System.Text.Json;

namespace Rt.Formats.Tokenizers;

/// <summary>Names of special tokens; null where a folder names none.</summary>
internal sealed record SpecialTokenNames(string? Bos, string? Eos, string? Pad, string? Unknown)
{
    /// <summary>Reads both files, as far as they exist; tokenizer_config.json comes first.</summary>
    public static SpecialTokenNames Read(string folder)
    {
        JsonField?[] files = [TryRead(folder, "tokenizer_config.json"), TryRead(folder, "special_tokens_map.json")];
        return new SpecialTokenNames(Name("bos_token"), Name("eos_token"), Name("pad_token"), Name("unk_token"));

        string? Name(string key) => files.Select(file => NameIn(file, key)).FirstOrDefault(name => name is not null);
    }

    /// <summary>A JSON file of the folder, or null if it is not there.</summary>
    public static JsonField? TryRead(string folder, string name)
    {
        string path = Path.Combine(folder, name);
        return File.Exists(path) ? JsonField.Read(path) : null;
    }

    // A token is given by its text, or as an object with its content.
    private static string? NameIn(JsonField? file, string key)
    {
        if (file?.Find(key) is not JsonField field)
        {
            return null;
        }

        return field.Kind == JsonValueKind.Object ? field.Get("content").Text() : field.Text();
    }
}
