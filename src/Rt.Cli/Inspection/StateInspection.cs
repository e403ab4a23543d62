// What a kept-KV or task-vector file holds: metadata and norms per layer, read without a model.
using System.Text.Json.Nodes;
using Rt.Cli.Output;
using Rt.Core;
using Rt.Formats;

namespace Rt.Cli.Inspection;

/// <summary>Describes state files.</summary>
internal static class StateInspection
{
    private const string KeptKvFormat = "rt-kept-kv";
    private const string TaskVectorFormat = "rt-task-vector";
    private static readonly string[] KeptParts = ["key", "value", "key_velocity", "value_velocity"];

    /// <summary>What kind of file it is: kept_kv, task_vector or safetensors.</summary>
    public static string Kind(SafetensorsFile file) => file.Metadata.GetValueOrDefault("format") switch
    {
        KeptKvFormat => "kept_kv",
        TaskVectorFormat => "task_vector",
        _ => "safetensors",
    };

    /// <summary>Norms per layer: rows of (layer, part, norm); empty for other files.</summary>
    public static IReadOnlyList<(int Layer, string Part, double Norm)> Norms(SafetensorsFile file) => Kind(file) switch
    {
        "kept_kv" => [.. KeptNorms(file)],
        "task_vector" => [.. VectorNorms(file)],
        _ => [],
    };

    /// <summary>Writes the norms.</summary>
    public static void WriteText(Streams streams, IReadOnlyList<(int Layer, string Part, double Norm)> norms)
    {
        var table = new TextTable(">layer", "what", ">norm");
        foreach (var (layer, part, norm) in norms)
        {
            table.Add($"{layer}", part, Text.Number(norm));
        }

        table.Write(streams);
    }

    /// <summary>The JSON form.</summary>
    public static JsonArray Json(IReadOnlyList<(int Layer, string Part, double Norm)> norms) =>
        JsonReport.List(norms.Select(one => (JsonNode)new JsonObject
        {
            ["layer"] = one.Layer,
            ["what"] = one.Part,
            ["norm"] = JsonReport.Number(one.Norm),
        }));

    private static IEnumerable<(int, string, double)> KeptNorms(SafetensorsFile file)
    {
        for (var layer = 0; file.Entries.ContainsKey($"layers.{layer}.key"); layer++)
        {
            foreach (var part in KeptParts)
            {
                if (file.Entries.ContainsKey($"layers.{layer}.{part}"))
                {
                    yield return (layer, part.Replace('_', ' '), Norm(file.Tensor($"layers.{layer}.{part}").ToArray()));
                }
            }
        }
    }

    private static IEnumerable<(int, string, double)> VectorNorms(SafetensorsFile file)
    {
        var tensor = file.Tensor("task_vector");
        var all = file.Metadata.GetValueOrDefault("layer") == "all";
        var first = all || !int.TryParse(file.Metadata.GetValueOrDefault("layer"), out var layer) ? 0 : layer;
        foreach (var (i, vector) in tensor.ToArray().Chunk(Math.Max(1, tensor.Columns)).Index())
        {
            yield return (first + i, "task vector", Norm(vector));
        }
    }

    private static double Norm(double[] values) => Math.Sqrt(values.Sum(x => x * x));
}
