// The index of a sharded checkpoint: which tensor lies in which file. Source: huggingface_hub, serialization of sharded state dicts.
using System.Text.Json;
using Rt.Core;

namespace Rt.Formats;

/// <summary>A parsed <c>*.index.json</c>.</summary>
/// <param name="Shards">Paths of the files, checked, in order of their names.</param>
/// <param name="WeightMap">Tensor name to position in <see cref="Shards"/>.</param>
/// <param name="TotalSize">Bytes of all tensors as the index claims, or null.</param>
internal sealed record CheckpointIndex(string[] Shards, Dictionary<string, int> WeightMap, long? TotalSize)
{
    /// <summary>Longest index accepted; 36,000 tensors make 3.5 MB.</summary>
    public const long MaxBytes = 8 << 20;

    /// <summary>Reads an index and checks that every shard is a file of the same folder.</summary>
    /// <exception cref="BadFileException">The index is malformed, or names a file elsewhere or a missing one.</exception>
    public static CheckpointIndex Read(string path)
    {
        using var document = JsonFile.Read(path, MaxBytes);
        var fields = new JsonFields(path, document.RootElement);
        var map = fields.Object("weight_map").Element;
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var homes = FilePaths.Homes(folder);
        var names = new List<(string Tensor, string Shard)>();
        foreach (var property in map.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.String)
            {
                throw new BadFileException(path, $"field 'weight_map': tensor {MessageText.Quote(property.Name)}: expected a file name, found {property.Value.ValueKind}");
            }

            names.Add((property.Name, ShardName(path, property)));
        }

        if (names.Count == 0)
        {
            throw new BadFileException(path, "field 'weight_map': expected at least one tensor, found none");
        }

        var shards = names.Select(name => name.Shard).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        var paths = Array.ConvertAll(shards, shard => FilePaths.Shard(path, folder, homes, shard));
        var weightMap = names.ToDictionary(name => name.Tensor, name => Array.BinarySearch(shards, name.Shard, StringComparer.Ordinal), StringComparer.Ordinal);
        return new CheckpointIndex(paths, weightMap, TotalSizeOf(fields));
    }

    private static string ShardName(string path, JsonProperty property)
    {
        try
        {
            return property.Value.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new BadFileException(path, $"field 'weight_map': the file name of tensor {MessageText.Quote(property.Name)} holds an incomplete surrogate pair", e);
        }
    }

    // Only compared with what the shards hold, and only warned about, so a missing or odd value is no error.
    private static long? TotalSizeOf(JsonFields fields) =>
        fields.Raw("metadata") is { ValueKind: JsonValueKind.Object } metadata
        && metadata.TryGetProperty("total_size", out var size) && size.ValueKind == JsonValueKind.Number
            ? size.TryGetInt64(out var whole) ? whole : size.TryGetDouble(out var real) && Math.Abs(real) < 1e18 ? (long)real : null
            : null;
}
