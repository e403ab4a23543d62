// Checked reading of small data files: text, JSON objects, one JSON object per line.
using System.Text;
using System.Text.Json;
using Rt.Core;
using Rt.Formats;

namespace Rt.Eval;

/// <summary>A JSON object of a data file; complaints name the file, the line and the field.</summary>
/// <param name="path">The file.</param>
/// <param name="place">Where in the file, for messages.</param>
/// <param name="element">The object.</param>
internal readonly struct JsonRecord(string path, string place, JsonElement element)
{
    /// <summary>Where in the file.</summary>
    public string Place => place;

    /// <summary>Whether a field is there and not null.</summary>
    public bool Has(string name) => Find(name) is not null;

    /// <summary>All fields.</summary>
    public IEnumerable<JsonProperty> Properties() => Object().EnumerateObject();

    /// <summary>A string.</summary>
    public string Text(string name) => Find(name) is { ValueKind: JsonValueKind.String } value
        ? value.GetString()!
        : throw Wrong(name, "a string");

    /// <summary>A list of strings, at least one.</summary>
    public string[] Texts(string name)
    {
        var (file, at) = (path, place);
        return [.. List(name).Select(item => item.ValueKind == JsonValueKind.String
            ? item.GetString()!
            : throw new BadFileException(file, $"{at}: field '{name}': expected strings, found {item.ValueKind}"))];
    }

    /// <summary>An object.</summary>
    public JsonRecord Record(string name) => Find(name) is { ValueKind: JsonValueKind.Object } value
        ? new JsonRecord(path, $"{place}, field '{name}'", value)
        : throw Wrong(name, "an object");

    /// <summary>A list of token ids, at least one.</summary>
    public int[] Ids(string name) => Ids(name, List(name));

    /// <summary>A list of lists of token ids.</summary>
    public int[][] IdLists(string name)
    {
        var self = this;
        return [.. List(name).Select(item => self.Ids(name, item.ValueKind == JsonValueKind.Array
            ? [.. item.EnumerateArray()]
            : throw self.Wrong(name, "lists of token ids")))];
    }

    /// <summary>A string or a whole number.</summary>
    public (string? Text, int? Index) TextOrIndex(string name) => Find(name) switch
    {
        { ValueKind: JsonValueKind.String } value => (value.GetString(), null),
        { ValueKind: JsonValueKind.Number } value when value.TryGetInt32(out var index) => (null, index),
        _ => throw Wrong(name, "a string or an index"),
    };

    /// <summary>A complaint about a field.</summary>
    public BadFileException Wrong(string name, string expected) => new(
        path, $"{place}: field '{name}': expected {expected}, found {(Find(name) is { } value ? value.ValueKind.ToString() : "nothing")}");

    /// <summary>A complaint about the whole object.</summary>
    public BadFileException Wrong(string problem) => new(path, $"{place}: {problem}");

    private int[] Ids(string name, List<JsonElement> items)
    {
        var ids = new int[items.Count];
        for (var i = 0; i < ids.Length; i++)
        {
            if (items[i].ValueKind != JsonValueKind.Number || !items[i].TryGetInt32(out ids[i]) || ids[i] < 0)
            {
                throw Wrong(name, "token ids");
            }
        }

        return ids.Length > 0 ? ids : throw Wrong(name, "at least one token id");
    }

    private List<JsonElement> List(string name) => Find(name) is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() > 0
        ? [.. list.EnumerateArray()]
        : throw Wrong(name, "a list with at least one item");

    private JsonElement? Find(string name) =>
        Object().TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private JsonElement Object() => element.ValueKind == JsonValueKind.Object
        ? element
        : throw new BadFileException(path, $"{place}: expected an object, found {element.ValueKind}");
}

/// <summary>Reads files with one JSON object per line.</summary>
internal static class JsonLines
{
    /// <summary>The objects of all lines that are not blank.</summary>
    /// <exception cref="BadFileException">The file cannot be read, or a line is no JSON.</exception>
    public static IReadOnlyList<JsonRecord> Read(string path, long maxBytes)
    {
        var records = new List<JsonRecord>();
        foreach (var (i, line) in TextFile.Read(path, maxBytes).Split('\n').Index())
        {
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            using var json = Parse(path, i + 1, line);
            records.Add(new JsonRecord(path, $"line {i + 1}", json.RootElement.Clone()));
        }

        return records;
    }

    private static JsonDocument Parse(string path, int line, string text)
    {
        try
        {
            return JsonDocument.Parse(text, new JsonDocumentOptions { AllowDuplicateProperties = false });
        }
        catch (JsonException e)
        {
            throw new BadFileException(path, $"line {line}: not JSON: {e.Message}", e);
        }
    }
}

/// <summary>Reads text files as UTF-8.</summary>
public static class TextFile
{
    /// <summary>The text of a file, a byte-order mark left out.</summary>
    /// <exception cref="BadFileException">The file is missing, too long, or not UTF-8.</exception>
    public static string Read(string path, long maxBytes)
    {
        var bytes = JsonFile.ReadBytes(path, maxBytes).AsSpan();
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new BadFileException(path, $"expected UTF-8 text, found other bytes at {e.Index}", e);
        }
    }
}
