// Typed, range-checked access to the fields of a JSON object, keeping account of what was asked for.
using System.Text.Json;
using Rt.Core;

namespace Rt.Formats;

/// <summary>The fields of one JSON object of a file.</summary>
/// <remarks>Every accessor takes one name, or a name and the alternative that other families use for the same thing. A field that is
/// absent or null takes the default, and is an error where none is given. Messages say file, field, expected and found.</remarks>
public readonly struct JsonFields
{
    private readonly string _path;
    private readonly HashSet<string> _asked;

    /// <param name="file">File name for messages.</param>
    /// <param name="element">The object.</param>
    /// <exception cref="BadFileException">The element is not an object.</exception>
    public JsonFields(string file, JsonElement element) : this(file, element, "")
    {
    }

    private JsonFields(string file, JsonElement element, string path)
    {
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw new BadFileException(file, $"{(path.Length == 0 ? "" : $"field {path}: ")}expected a JSON object, found {Found(element)}");
        }

        File = file;
        Element = element;
        _path = path;
        _asked = new HashSet<string>(StringComparer.Ordinal);
    }

    /// <summary>The file that the object comes from.</summary>
    public string File { get; }

    /// <summary>The object itself.</summary>
    public JsonElement Element { get; }

    /// <summary>Whether the field is present and not null.</summary>
    public bool Has(string name) => Find(name) is { ValueKind: not JsonValueKind.Null };

    /// <summary>Whether the field is present and null.</summary>
    public bool IsNull(string name) => Find(name) is { ValueKind: JsonValueKind.Null };

    /// <summary>The value whatever its kind, or null where absent; counts as read.</summary>
    public JsonElement? Raw(string name) => Find(name);

    /// <summary>A whole number in [<paramref name="min"/>, <paramref name="max"/>].</summary>
    /// <exception cref="BadFileException">Missing without a default, not a whole number, or out of range.</exception>
    public int Int(string name, int? defaultValue = null, int min = int.MinValue, int max = int.MaxValue) =>
        Int(name, null, defaultValue, min, max);

    /// <summary>A whole number under either name.</summary>
    /// <inheritdoc cref="Int(string, int?, int, int)"/>
    public int Int(string name, string? alternative, int? defaultValue = null, int min = int.MinValue, int max = int.MaxValue) =>
        Value(name, alternative) is (var field, { } value)
            ? ToInt(field, value, min, max)
            : defaultValue ?? throw Missing(name, alternative, Whole(min, max));

    /// <summary>A whole number, or null where absent or null.</summary>
    /// <inheritdoc cref="Int(string, int?, int, int)"/>
    public int? IntOrNull(string name, string? alternative = null, int min = int.MinValue, int max = int.MaxValue) =>
        Value(name, alternative) is (var field, { } value) ? ToInt(field, value, min, max) : null;

    /// <summary>A list of whole numbers; a single number counts as a list of one. Empty where absent or null.</summary>
    /// <inheritdoc cref="Int(string, int?, int, int)"/>
    public int[] Ints(string name, int min = int.MinValue, int max = int.MaxValue)
    {
        if (Value(name, null) is not (var field, { } value))
        {
            return [];
        }

        var fields = this;
        return value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select((item, i) => fields.ToInt($"{field}[{i}]", item, min, max))]
            : [ToInt(field, value, min, max)];
    }

    /// <summary>A finite number in [<paramref name="min"/>, <paramref name="max"/>].</summary>
    /// <exception cref="BadFileException">Missing without a default, not a number, not finite, or out of range.</exception>
    public double Double(string name, double? defaultValue = null, double min = double.MinValue, double max = double.MaxValue) =>
        Double(name, null, defaultValue, min, max);

    /// <summary>A finite number under either name.</summary>
    /// <inheritdoc cref="Double(string, double?, double, double)"/>
    public double Double(string name, string? alternative, double? defaultValue = null, double min = double.MinValue, double max = double.MaxValue) =>
        Value(name, alternative) is (var field, { } value)
            ? ToDouble(field, value, min, max)
            : defaultValue ?? throw Missing(name, alternative, Number(min, max));

    /// <summary>A finite number, or null where absent or null.</summary>
    /// <inheritdoc cref="Double(string, double?, double, double)"/>
    public double? DoubleOrNull(string name, string? alternative = null, double min = double.MinValue, double max = double.MaxValue) =>
        Value(name, alternative) is (var field, { } value) ? ToDouble(field, value, min, max) : null;

    /// <summary>A list of finite numbers; empty where absent or null.</summary>
    /// <inheritdoc cref="Double(string, double?, double, double)"/>
    public double[] Doubles(string name, double min = double.MinValue, double max = double.MaxValue)
    {
        var fields = this;
        return List(name) is { } list
            ? [.. list.EnumerateArray().Select((item, i) => fields.ToDouble($"{name}[{i}]", item, min, max))]
            : [];
    }

    /// <summary>True or false.</summary>
    /// <exception cref="BadFileException">Missing without a default, or of another kind.</exception>
    public bool Bool(string name, bool? defaultValue = null) => Bool(name, null, defaultValue);

    /// <summary>True or false under either name.</summary>
    /// <inheritdoc cref="Bool(string, bool?)"/>
    public bool Bool(string name, string? alternative, bool? defaultValue = null) => Value(name, alternative) switch
    {
        (_, { ValueKind: JsonValueKind.True }) => true,
        (_, { ValueKind: JsonValueKind.False }) => false,
        (var field, { } other) => throw Wrong(field, "true or false", Found(other)),
        _ => defaultValue ?? throw Missing(name, alternative, "true or false"),
    };

    /// <summary>A string.</summary>
    /// <exception cref="BadFileException">Missing, or of another kind.</exception>
    public string String(string name, string? alternative = null) =>
        StringOrNull(name, alternative) ?? throw Missing(name, alternative, "a string");

    /// <summary>A string, or null where absent or null.</summary>
    /// <exception cref="BadFileException">Of another kind.</exception>
    public string? StringOrNull(string name, string? alternative = null) =>
        Value(name, alternative) is (var field, { } value) ? ToText(field, value) : null;

    /// <summary>A list of strings; empty where absent or null.</summary>
    /// <exception cref="BadFileException">Of another kind.</exception>
    public string[] Strings(string name)
    {
        var fields = this;
        return List(name) is { } list ? [.. list.EnumerateArray().Select((item, i) => fields.ToText($"{name}[{i}]", item))] : [];
    }

    /// <summary>An object.</summary>
    /// <exception cref="BadFileException">Missing, or of another kind.</exception>
    public JsonFields Object(string name) => ObjectOrNull(name) ?? throw Missing(name, null, "an object");

    /// <summary>An object, or null where absent or null.</summary>
    /// <exception cref="BadFileException">Of another kind.</exception>
    public JsonFields? ObjectOrNull(string name) =>
        Value(name, null) is (var field, { } value) ? new JsonFields(File, value, Full(field)) : null;

    /// <summary>Names in this object that no accessor was asked for, in file order.</summary>
    /// <remarks>Copies of this struct share the account; nested objects keep their own.</remarks>
    public string[] Unread()
    {
        var asked = _asked;
        return [.. Element.EnumerateObject().Select(property => property.Name).Where(name => !asked.Contains(name))];
    }

    /// <summary>An error about a field of this object.</summary>
    public BadFileException Wrong(string name, string expected, string found) =>
        new(File, $"field {Full(name)}: expected {expected}, found {found}");

    private BadFileException Missing(string name, string? alternative, string expected) =>
        Wrong(name, $"{expected}{(alternative is null ? "" : $" (or under '{alternative}')")}", IsNull(name) ? "null" : "nothing");

    private string Full(string name) => MessageText.Quote(_path.Length == 0 ? name : $"{_path.Trim('\'')}.{name}");

    private JsonElement? Find(string name)
    {
        _asked.Add(name);
        return Element.TryGetProperty(name, out var value) ? value : null;
    }

    private (string Field, JsonElement? Value) Value(string name, string? alternative)
    {
        var value = Find(name);
        var other = alternative is null ? null : Find(alternative);
        return value is { ValueKind: not JsonValueKind.Null } ? (name, value)
            : other is { ValueKind: not JsonValueKind.Null } ? (alternative!, other)
            : (name, null);
    }

    private JsonElement? List(string name) => Value(name, null) switch
    {
        (_, null) => null,
        (_, { ValueKind: JsonValueKind.Array } list) => list,
        (var field, { } other) => throw Wrong(field, "a list", Found(other)),
    };

    private int ToInt(string field, JsonElement value, int min, int max) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= min && number <= max
            ? number
            : throw Wrong(field, Whole(min, max), Found(value));

    private double ToDouble(string field, JsonElement value, double min, double max) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) && number >= min && number <= max
            ? number
            : throw Wrong(field, Number(min, max), Found(value));

    private string ToText(string field, JsonElement value)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Wrong(field, "a string", Found(value));
        }
        catch (InvalidOperationException)
        {
            throw Wrong(field, "a string", "an incomplete surrogate pair");
        }
    }

    private static string Whole(int min, int max) => (min, max) switch
    {
        (int.MinValue, int.MaxValue) => "a whole number",
        (_, int.MaxValue) => $"a whole number of at least {min}",
        _ => $"a whole number from {min} to {max}",
    };

    private static string Number(double min, double max) => (min, max) switch
    {
        (double.MinValue, double.MaxValue) => "a finite number",
        (_, double.MaxValue) => $"a finite number of at least {min}",
        _ => $"a number from {min} to {max}",
    };

    private static string Found(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => $"the string {MessageText.Quote(value.GetRawText().AsSpan().Trim('"'))}",
        JsonValueKind.Number => MessageText.Quote(value.GetRawText()).Trim('\''),
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        JsonValueKind.Null => "null",
        _ => "nothing",
    };
}
