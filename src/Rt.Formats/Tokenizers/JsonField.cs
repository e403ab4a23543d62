// One bounded way of reading a tokenizer's JSON files; a fault names the file and the field.
// Source: own.
using System.Text.Json;
using Rt.Core;

namespace Rt.Formats.Tokenizers;

/// <summary>A value of a JSON file together with where it lies, for messages.</summary>
internal readonly struct JsonField(string file, string path, JsonElement element)
{
    /// <summary>Largest file that is read: 256 MB.</summary>
    public const long LargestFile = 256_000_000;

    public string File => file;

    public string Path => path;

    public JsonElement Element => element;

    public JsonValueKind Kind => element.ValueKind;

    /// <summary>Reads a whole file; its document lives as long as the fields taken from it.</summary>
    /// <exception cref="BadFileException">As for <see cref="JsonFile.Read"/>.</exception>
    public static JsonField Read(string file) => new(file, "", JsonFile.Read(file, LargestFile).RootElement);

    /// <summary>An error about this field.</summary>
    public BadFileException Bad(string problem) => new(file, path.Length == 0 ? problem : $"{path}: {problem}");

    /// <summary>A property that may be absent or null.</summary>
    public JsonField? Find(string name)
    {
        if (Kind != JsonValueKind.Object)
        {
            throw Bad($"expected an object, found {Kind}");
        }

        return element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null
            ? new JsonField(file, Below(name), value)
            : null;
    }

    /// <summary>A property that must be there.</summary>
    public JsonField Get(string name) => Find(name) ?? throw Bad($"'{name}' is missing");

    public bool Bool(string name, bool absent) => Find(name) is JsonField field ? field.Bool() : absent;

    public string? TextOrNull(string name) => Find(name)?.Text();

    public bool Bool() => Kind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Bad($"expected true or false, found {Kind}"),
    };

    public string Text()
    {
        if (Kind != JsonValueKind.String)
        {
            throw Bad($"expected a string, found {Kind}");
        }

        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new BadFileException(file, $"{path}: the string is not sound Unicode", e);
        }
    }

    public int Int(int least, int most)
    {
        if (Kind != JsonValueKind.Number || !element.TryGetInt32(out int value) || value < least || value > most)
        {
            throw Bad($"expected an integer from {least} to {most}, found {Shown()}");
        }

        return value;
    }

    public double Number()
    {
        if (Kind != JsonValueKind.Number || !element.TryGetDouble(out double value) || !double.IsFinite(value))
        {
            throw Bad($"expected a finite number, found {Shown()}");
        }

        return value;
    }

    /// <summary>The entries of an array.</summary>
    public IEnumerable<JsonField> Items()
    {
        if (Kind != JsonValueKind.Array)
        {
            throw Bad($"expected an array, found {Kind}");
        }

        return Walk(file, path, element);

        static IEnumerable<JsonField> Walk(string file, string path, JsonElement element)
        {
            int index = 0;
            foreach (JsonElement item in element.EnumerateArray())
            {
                yield return new JsonField(file, $"{path}[{index++}]", item);
            }
        }
    }

    /// <summary>The properties of an object.</summary>
    public IEnumerable<(string Name, JsonField Value)> Properties()
    {
        if (Kind != JsonValueKind.Object)
        {
            throw Bad($"expected an object, found {Kind}");
        }

        return Walk(this);

        static IEnumerable<(string, JsonField)> Walk(JsonField field)
        {
            foreach (JsonProperty property in field.Element.EnumerateObject())
            {
                string name;
                try
                {
                    name = property.Name;
                }
                catch (InvalidOperationException e)
                {
                    throw new BadFileException(field.File, $"{field.Path}: a name is not sound Unicode", e);
                }

                yield return (name, new JsonField(field.File, field.Path, property.Value));
            }
        }
    }

    private string Below(string name) => path.Length == 0 ? name : $"{path}.{name}";

    private string Shown()
    {
        return Kind is JsonValueKind.Object or JsonValueKind.Array ? Kind.ToString() : MessageText.Quote(element.GetRawText());
    }
}
