// Sizes of a workload by name: rows=512,width=4096.
using System.Globalization;
using Rt.Core;

namespace Rt.Cuda.Workloads;

/// <summary>Named sizes, in the order in which they are declared.</summary>
public sealed class WorkloadSizes
{
    private readonly List<(string Name, int Value)> _values;

    private WorkloadSizes(List<(string Name, int Value)> values) => _values = values;

    /// <summary>The size of a name.</summary>
    public int this[string name] => _values.Find(size => size.Name == name) is { Name: not null } found
        ? found.Value
        : throw new ArgumentException($"no size '{name}'");

    /// <summary>All sizes.</summary>
    public IReadOnlyList<(string Name, int Value)> Values => _values;

    /// <summary>Reads sizes such as <c>rows=512,width=4096</c>; what is not given has its default.</summary>
    /// <param name="text">Names and values.</param>
    /// <param name="defaults">The sizes there are.</param>
    /// <exception cref="UsageException">An unknown name, or no number of at least 1.</exception>
    public static WorkloadSizes Parse(string text, WorkloadSizes defaults)
    {
        var values = new List<(string Name, int Value)>(defaults._values);
        foreach (var part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var equals = part.IndexOf('=');
            var name = equals < 0 ? part : part[..equals];
            var index = values.FindIndex(size => size.Name == name);
            // What was there before may be nothing.
            var least = name is "start" or "prefix" ? 0 : 1;
            if (index < 0 || !int.TryParse(part[(equals + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var value) || value < least)
            {
                throw new UsageException($"--size {part}: expected {defaults} with other numbers");
            }

            values[index] = (name, value);
        }

        return new WorkloadSizes(values);
    }

    /// <summary>Defaults from the same form.</summary>
    internal static WorkloadSizes Of(string text) => new(
        [.. text.Split(',').Select(part => part.Split('=')).Select(pair => (pair[0], int.Parse(pair[1], CultureInfo.InvariantCulture)))]);

    /// <inheritdoc/>
    public override string ToString() => string.Join(',', _values.Select(size => $"{size.Name}={size.Value}"));
}
