// Checked reading of the files this runtime writes: kept KV and task vectors.
using System.Globalization;
using Rt.Core;
using Rt.Formats;

namespace Rt.Model;

/// <summary>Typed access to the metadata and tensors of a state file; complaints name file, field, expected and found.</summary>
internal sealed class StateMetadata
{
    private readonly SafetensorsFile _file;

    /// <exception cref="BadFileException">The file is of another format or version.</exception>
    public StateMetadata(SafetensorsFile file, string format, string version)
    {
        _file = file;
        RequireText("format", format);
        RequireText("version", version);
    }

    /// <summary>Begins a state file: its format, and the model and tokenizer it belongs to.</summary>
    public static SafetensorsWriter NewFile(string format, string version, LanguageModel model)
    {
        var writer = new SafetensorsWriter();
        writer.SetMetadata("format", format);
        writer.SetMetadata("version", version);
        writer.SetMetadata("model", model.Identity.Model);
        writer.SetMetadata("tokenizer", model.Identity.Tokenizer);
        writer.SetMetadata("model_type", model.Config.ModelType);
        return writer;
    }

    /// <summary>A metadata field.</summary>
    public string Text(string name) => _file.Metadata.TryGetValue(name, out var value)
        ? value
        : throw new BadFileException(_file.Path, $"__metadata__.{name}: expected a value, found nothing");

    /// <summary>A non-negative whole number.</summary>
    public int Int(string name) => int.TryParse(Text(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value)
        ? value
        : throw Wrong(name, "a whole number");

    /// <summary>A finite number.</summary>
    public double Number(string name) =>
        double.TryParse(Text(name), NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value)
            ? value
            : throw Wrong(name, "a finite number");

    /// <summary>Index of the field's value among the allowed ones.</summary>
    public int OneOf(string name, params string[] allowed) => Array.IndexOf(allowed, Text(name)) is >= 0 and var index
        ? index
        : throw Wrong(name, string.Join(" or ", allowed));

    /// <summary>A floating dtype.</summary>
    public DType Type(string name) => Enum.TryParse<DType>(Text(name), out var type) && type.IsWeight()
        ? type
        : throw Wrong(name, "F32, F16, BF16 or F64");

    /// <summary>At least one token id, separated by commas.</summary>
    public int[] Ids(string name)
    {
        var parts = Text(name).Split(',');
        var ids = new int[parts.Length];
        for (var i = 0; i < parts.Length; i++)
        {
            if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out ids[i]))
            {
                throw Wrong(name, "token ids separated by commas");
            }
        }

        return ids;
    }

    /// <summary>Fails unless the file was made with this model and tokenizer.</summary>
    public void RequireModel(LanguageModel model)
    {
        RequireText("model", model.Identity.Model, $"the identity of {model.Folder}");
        RequireText("tokenizer", model.Identity.Tokenizer, $"the tokenizer of {model.Folder}");
    }

    /// <summary>Fails unless the file holds just so many tensors.</summary>
    public void RequireTensors(int count)
    {
        if (_file.Entries.Count != count)
        {
            throw new BadFileException(_file.Path, $"tensors: expected {count}, found {_file.Entries.Count}");
        }
    }

    /// <summary>The values of a tensor of a given shape.</summary>
    public double[] Values(string name, ReadOnlySpan<long> shape)
    {
        if (!_file.Entries.TryGetValue(name, out var entry))
        {
            throw new BadFileException(_file.Path, $"tensor {name}: expected [{string.Join(", ", shape.ToArray())}], found nothing");
        }

        if (!entry.Shape.AsSpan().SequenceEqual(shape) || !entry.DType.IsWeight())
        {
            throw new BadFileException(_file.Path, $"tensor {name}: expected numbers of shape [{string.Join(", ", shape.ToArray())}], "
                + $"found {entry.DType} [{string.Join(", ", entry.Shape)}]");
        }

        return _file.Tensor(name).ToArray();
    }

    private void RequireText(string name, string expected, string? description = null)
    {
        var found = Text(name);
        if (found != expected)
        {
            throw new BadFileException(_file.Path, $"__metadata__.{name}: expected {Short(expected)}"
                + (description is null ? "" : $" ({description})") + $", found {Short(found)}");
        }
    }

    private BadFileException Wrong(string name, string expected) =>
        new(_file.Path, $"__metadata__.{name}: expected {expected}, found '{Short(Text(name))}'");

    private static string Short(string text) => text.Length > 16 ? text[..16] + "…" : text;
}
