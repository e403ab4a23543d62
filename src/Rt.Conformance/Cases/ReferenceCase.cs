// Reference cases: folders that hold a model's inputs and what the original implementation computes on them.
using System.Text.Json;
using Rt.Core;

namespace Rt.Conformance.Cases;

/// <summary>A kind of reference case; finds the cases below a folder and runs them on a device.</summary>
public abstract class ReferenceCase
{
    private static readonly ReferenceCase[] Kinds = [new TokenizerCase(), new DeepThinkingCase(), new TaskVectorCase(), new ModelCase()];

    /// <summary>Folders of all cases at or below a folder, in order of their names.</summary>
    /// <exception cref="BadFileException">The folder does not exist or holds no case.</exception>
    public static IReadOnlyList<string> Find(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new BadFileException(folder, "expected a folder of reference cases, found nothing");
        }

        var found = Directory.EnumerateDirectories(folder, "*", SearchOption.AllDirectories).Prepend(folder)
            .Where(path => Kinds.Any(kind => kind.Matches(path))).Order(StringComparer.Ordinal).ToArray();
        return found.Length > 0
            ? found
            : throw new BadFileException(folder, "expected expected.json with expected.safetensors, or cases.json, here or below; found none");
    }

    /// <summary>Runs the case in a folder from <see cref="Find"/>.</summary>
    /// <param name="folder">The case.</param>
    /// <param name="root">The report names the case relative to this folder.</param>
    /// <param name="device">Computes.</param>
    /// <exception cref="BadFileException">A file of the case is missing or malformed.</exception>
    public static CaseReport Run(string folder, string root, IDevice device)
    {
        var name = Path.GetRelativePath(root, folder);
        try
        {
            var quantities = Kinds.First(kind => kind.Matches(folder)).Run(folder, device);
            return new CaseReport(name == "." ? Path.GetFileName(Path.GetFullPath(folder)) : name, device.Name, quantities);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or ShapeException or FormatException)
        {
            throw new BadFileException(folder, $"not a sound reference case: {e.Message}", e);
        }
    }

    /// <summary>Whether a folder holds a case of this kind.</summary>
    public abstract bool Matches(string folder);

    /// <summary>Runs the case in a folder.</summary>
    public abstract IReadOnlyList<Quantity> Run(string folder, IDevice device);

    /// <summary>The model folder that expected.json names relative to itself.</summary>
    protected static string WeightsFolder(JsonElement json, string folder) =>
        Path.GetFullPath(Path.Combine(folder, json.GetProperty("weights").GetString() ?? ""));
}
