// The tensors of one or more safetensors files: a table, the JSON form, and what a scan of their numbers finds.
using System.Text.Json.Nodes;
using Rt.Cli.Output;
using Rt.Formats;

namespace Rt.Cli.Inspection;

/// <summary>Describes tensors.</summary>
internal sealed class TensorInspection
{
    private readonly List<(SafetensorsFile File, SafetensorsEntry Entry, NonFinite? Scan)> _tensors = [];

    /// <param name="context">The command; its progress and cancellation serve the scan.</param>
    /// <param name="files">The files, open.</param>
    /// <param name="scan">Whether to look for NaN and infinities.</param>
    public TensorInspection(CommandContext context, IReadOnlyList<SafetensorsFile> files, bool scan)
    {
        var total = files.Sum(file => file.Entries.Values.Where(entry => WeightScan.Covers(entry.DType)).Sum(entry => entry.ByteLength));
        var done = 0L;
        using var progress = context.Progress("scanning", "B");
        foreach (var file in files)
        {
            foreach (var entry in file.Entries.Values)
            {
                NonFinite? found = scan && WeightScan.Covers(entry.DType)
                    ? WeightScan.Scan(file, entry, bytes => progress.Report(done += bytes, total, entry.Name), context.Cancellation)
                    : null;
                _tensors.Add((file, entry, found));
            }
        }
    }

    /// <summary>Elements of all tensors.</summary>
    public long Elements => _tensors.Sum(tensor => tensor.Entry.Count);

    /// <summary>Bytes of all tensors.</summary>
    public long ByteLength => _tensors.Sum(tensor => tensor.Entry.ByteLength);

    /// <summary>Number of tensors.</summary>
    public int Count => _tensors.Count;

    /// <summary>Tensors with NaN or infinities.</summary>
    public int Unsound => _tensors.Count(tensor => tensor.Scan is { Any: true });

    /// <summary>Writes the table and the summary of the scan.</summary>
    public void WriteText(Streams streams)
    {
        var table = new TextTable("tensor", "dtype", "shape", ">bytes", "numbers");
        foreach (var (_, entry, scan) in _tensors)
        {
            table.Add(scan is { Any: true },
            [
                entry.Name, entry.DType.ToString(), $"[{string.Join(", ", entry.Shape)}]", Text.Bytes(entry.ByteLength),
                scan switch { null => "not scanned", { Any: true } bad => Describe(bad, entry), _ => "finite" },
            ]);
        }

        table.Write(streams);
        streams.Out.WriteLine($"{Count} tensors, {Text.Bytes(ByteLength)}"
            + (_tensors.Any(tensor => tensor.Scan is not null) ? $"; {Unsound} with NaN or infinities" : ""));
    }

    /// <summary>The JSON form.</summary>
    public JsonArray Json() => JsonReport.List(_tensors.Select(tensor => (JsonNode)new JsonObject
    {
        ["name"] = tensor.Entry.Name,
        ["dtype"] = tensor.Entry.DType.ToString(),
        ["shape"] = JsonReport.List(tensor.Entry.Shape.Select(size => (JsonNode)JsonValue.Create(size))),
        ["bytes"] = tensor.Entry.ByteLength,
        ["file"] = Path.GetFileName(tensor.File.Path),
        ["scan"] = tensor.Scan is { } scan
            ? new JsonObject { ["n"] = tensor.Entry.Count, ["nan"] = scan.NaN, ["infinite"] = scan.Infinite, ["first"] = scan.Any ? scan.First : null }
            : null,
    }));

    private static string Describe(NonFinite scan, SafetensorsEntry entry)
    {
        var indices = new long[entry.Shape.Length];
        var rest = scan.First;
        for (var axis = indices.Length - 1; axis >= 0; axis--)
        {
            (rest, indices[axis]) = Math.DivRem(rest, entry.Shape[axis]);
        }

        return $"{scan.NaN} NaN, {scan.Infinite} infinite, first at [{string.Join(", ", indices)}]";
    }
}
