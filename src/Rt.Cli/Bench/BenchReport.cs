// Writes benchmark rows as a markdown table, CSV, JSON or JSON lines, with what is needed to read the figures later.
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Rt.Core;

namespace Rt.Cli.Bench;

/// <summary>Forms of the report.</summary>
public enum BenchFormat
{
    /// <summary>A markdown table.</summary>
    Md,

    /// <summary>Comma-separated values with a header line.</summary>
    Csv,

    /// <summary>One JSON object.</summary>
    Json,

    /// <summary>One JSON object per test and line.</summary>
    Jsonl,
}

/// <summary>A finished benchmark.</summary>
/// <param name="Model">Name or folder of the model.</param>
/// <param name="WeightType">Dtype of its weights.</param>
/// <param name="WeightBytes">Bytes of its tensors.</param>
/// <param name="Device">Description of the device.</param>
/// <param name="Seed">Seed of tokens (and weights).</param>
/// <param name="Rows">One per test.</param>
public sealed record BenchReport(
    string Model, DType WeightType, long WeightBytes, string Device, ulong Seed, IReadOnlyList<BenchRow> Rows)
{
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    /// <summary>When the report was made, UTC.</summary>
    public DateTime Date { get; init; } = DateTime.UtcNow;

    /// <summary>Name of the processor where the system tells, else its architecture.</summary>
    public static string Processor
    {
        get
        {
            const string Path = "/proc/cpuinfo";
            var line = File.Exists(Path)
                ? File.ReadLines(Path).FirstOrDefault(text => text.StartsWith("model name", StringComparison.Ordinal))
                : null;
            return line is null
                ? RuntimeInformation.ProcessArchitecture.ToString()
                : $"{line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim()}, {Environment.ProcessorCount} processors";
        }
    }

    /// <summary>Writes the report.</summary>
    public void Write(TextWriter writer, BenchFormat format)
    {
        switch (format)
        {
            case BenchFormat.Md: WriteMarkdown(writer); break;
            case BenchFormat.Csv: WriteCsv(writer); break;
            case BenchFormat.Json: writer.WriteLine(ToJson(WriteObject, indented: true)); break;
            default:
                foreach (var row in Rows)
                {
                    writer.WriteLine(ToJson(json => WriteLine(json, row), indented: false));
                }

                break;
        }
    }

    private void WriteMarkdown(TextWriter writer)
    {
        writer.WriteLine($"{Model}, {WeightType}, {WeightBytes / 1e9:F2} GB; {Device}; {Processor}; .NET {Environment.Version}; rt {Versions.Text}; {Date:yyyy-MM-dd HH:mm} UTC; seed {Seed}");
        writer.WriteLine();
        writer.WriteLine("| test | unit | mean ± sd | median | n | GB/s | GFLOP/s | % of limit | probe GB/s | probe GFLOP/s | allocated B | others busy | notes |");
        writer.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (var row in Rows)
        {
            var value = row.Value;
            var cells = new[]
            {
                row.Spec.ToString(),
                row.Unit,
                $"{Number(value.Mean)} ± {Number(value.StandardDeviation)}",
                Number(value.Median),
                row.Repetitions.Count.ToString(Invariant),
                row.Limit == BenchLimit.ReadBandwidth ? row.GBps.ToString("F1", Invariant) : "",
                row.Limit == BenchLimit.Arithmetic ? row.Gflops.ToString("F0", Invariant) : "",
                row.PercentOfLimit?.ToString("F0", Invariant) ?? "",
                Probe(row, probe => probe.ReadGBps, "F1"),
                Probe(row, probe => probe.FmaGflops, "F0"),
                row.AllocatedPerUnit.ToString("F0", Invariant),
                double.IsNaN(row.OtherProcessors) ? "" : row.OtherProcessors.ToString("F2", Invariant) + (row.Disturbed > 0 ? " (*)" : ""),
                Notes(row),
            };
            writer.WriteLine($"| {string.Join(" | ", cells)} |");
        }

        if (Rows.Any(row => row.Disturbed > 0))
        {
            writer.WriteLine();
            writer.WriteLine($"(*) Disturbed: other processes kept more than {Repetition.DisturbedFrom} processors busy during one repetition or more; compare the per cent, not the rate.");
        }

        foreach (var row in Rows)
        {
            if (row.Ops is { } ops)
            {
                WriteOps(writer, row, ops);
            }
        }
    }

    private static void WriteOps(TextWriter writer, BenchRow row, OpLedger ops)
    {
        writer.WriteLine();
        writer.WriteLine($"Ops of {row.Spec}, fastest repetition of those recorded, {1e3 * ops.WallSeconds:F2} ms for {row.Units} {(row.Unit == "tok/s" ? "tokens" : row.Unit == "ms" ? "passes" : "queries")}:");
        writer.WriteLine();
        writer.WriteLine("| op | rows x size | calls | ms | % | us per call | GFLOP/s | GB/s |");
        writer.WriteLine("|---|---|---|---|---|---|---|---|");
        var merged = ops.Tallies
            .GroupBy(pair => pair.Key.Line)
            .Select(group => (
                group.Key, Least: group.Min(pair => pair.Key.Rows), Most: group.Max(pair => pair.Key.Rows),
                Calls: group.Sum(pair => pair.Value.Calls), Seconds: group.Sum(pair => pair.Value.Seconds),
                Work: group.Aggregate(default(OpWork), (sum, pair) => sum + pair.Value.Work)))
            .OrderByDescending(line => line.Seconds)
            .ToArray();
        foreach (var line in merged)
        {
            var rows = line.Least == line.Most ? $"{line.Most}" : $"{line.Least}-{line.Most}";
            var shape = line.Key.Sizes == "" ? rows : $"{rows} x {line.Key.Sizes}";
            writer.WriteLine(
                $"| {line.Key.Op} | {shape} | {line.Calls} | {1e3 * line.Seconds:F3} | {100 * line.Seconds / ops.WallSeconds:F1} | {1e6 * line.Seconds / line.Calls:F1} | "
                + $"{line.Work.Flops / line.Seconds / 1e9:F0} | {(line.Work.WeightBytes + line.Work.OtherBytes) / line.Seconds / 1e9:F1} |");
        }

        var outside = ops.WallSeconds - merged.Sum(line => line.Seconds);
        writer.WriteLine($"| between ops | | | {1e3 * outside:F3} | {100 * outside / ops.WallSeconds:F1} | | | |");
    }

    private void WriteCsv(TextWriter writer)
    {
        writer.WriteLine(
            "date,build,processor,device,model,weights,weight_bytes,seed,test,unit,n,mean,sd,median,gb_per_s,gflop_per_s,percent_of_limit,limit,"
            + "probe_gb_per_s,probe_gflop_per_s,allocated_bytes_per_unit,other_processors,update_ms,first_ms,peak_resident_bytes");
        foreach (var row in Rows)
        {
            var value = row.Value;
            string[] cells =
            [
                Date.ToString("s", Invariant) + "Z", Versions.Text, Processor, Device, Model, WeightType.ToString(), Text(WeightBytes), Seed.ToString(Invariant),
                row.Spec.ToString(), row.Unit, Text(row.Repetitions.Count), Text(value.Mean), Text(value.StandardDeviation), Text(value.Median),
                Text(row.GBps), Text(row.Gflops), row.PercentOfLimit is { } percent ? Text(percent) : "", LimitName(row.Limit),
                Probe(row, probe => probe.ReadGBps, "R"), Probe(row, probe => probe.FmaGflops, "R"),
                Text(row.AllocatedPerUnit), double.IsNaN(row.OtherProcessors) ? "" : Text(row.OtherProcessors),
                row.HasUpdate ? Text(row.UpdateMs) : "",
                row.FirstSeconds is { } first ? Text(1e3 * first) : "", row.PeakResidentBytes is { } peak ? Text(peak) : "",
            ];
            writer.WriteLine(string.Join(",", cells.Select(Quoted)));
        }

        static string Text(double number) => number.ToString("R", Invariant);

        static string Quoted(string cell) =>
            cell.AsSpan().IndexOfAny(",\"\n") < 0 ? cell : $"\"{cell.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
    }

    private void WriteObject(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        WriteFacts(json);
        json.WriteStartArray("tests");
        foreach (var row in Rows)
        {
            json.WriteStartObject();
            WriteRow(json, row);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private void WriteLine(Utf8JsonWriter json, BenchRow row)
    {
        json.WriteStartObject();
        WriteFacts(json);
        WriteRow(json, row);
        json.WriteEndObject();
    }

    private void WriteFacts(Utf8JsonWriter json)
    {
        json.WriteString("date", Date);
        json.WriteString("build", Versions.Text);
        json.WriteString("processor", Processor);
        json.WriteString("runtime", $".NET {Environment.Version}");
        json.WriteString("device", Device);
        json.WriteString("model", Model);
        json.WriteString("weights", WeightType.ToString());
        json.WriteNumber("weight_bytes", WeightBytes);
        json.WriteNumber("seed", Seed);
    }

    private static void WriteRow(Utf8JsonWriter json, BenchRow row)
    {
        var value = row.Value;
        json.WriteString("test", row.Spec.ToString());
        json.WriteString("unit", row.Unit);
        json.WriteNumber("mean", value.Mean);
        json.WriteNumber("sd", value.StandardDeviation);
        json.WriteNumber("median", value.Median);
        Array("values", row.Values);
        json.WriteNumber("flops", row.Work.Flops);
        json.WriteNumber("weight_bytes_read", row.Work.WeightBytes);
        json.WriteNumber("other_bytes", row.Work.OtherBytes);
        json.WriteString("limit", LimitName(row.Limit));
        if (row.PercentOfLimit is { } percent)
        {
            json.WriteNumber("percent_of_limit", percent);
        }

        Array("probe_gb_per_s", row.Probes.Select(probe => probe.ReadGBps));
        Array("probe_gflop_per_s", row.Probes.Select(probe => probe.FmaGflops));
        json.WriteNumber("allocated_bytes_per_unit", row.AllocatedPerUnit);
        if (!double.IsNaN(row.OtherProcessors))
        {
            Array("other_processors", row.Repetitions.Select(repetition => repetition.OtherProcessors));
        }

        json.WriteNumber("dropped", row.Dropped);

        if (row.HasUpdate)
        {
            Array("update_ms", row.Repetitions.Select(repetition => 1e3 * repetition.UpdateSeconds));
        }

        if (row.FirstSeconds is { } first)
        {
            json.WriteNumber("first_ms", 1e3 * first);
        }

        if (row.PeakResidentBytes is { } peak)
        {
            json.WriteNumber("peak_resident_bytes", peak);
        }

        if (row.Ops is { } ops)
        {
            json.WriteNumber("ops_wall_ms", 1e3 * ops.WallSeconds);
            json.WriteStartArray("ops");
            foreach (var (key, tally) in ops.Tallies.OrderByDescending(pair => pair.Value.Seconds))
            {
                json.WriteStartObject();
                json.WriteString("op", key.Op);
                json.WriteString("shape", key.Shape);
                json.WriteNumber("calls", tally.Calls);
                json.WriteNumber("ms", 1e3 * tally.Seconds);
                json.WriteNumber("flops", tally.Work.Flops);
                json.WriteNumber("bytes", tally.Work.WeightBytes + tally.Work.OtherBytes);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        void Array(string name, IEnumerable<double> values)
        {
            json.WriteStartArray(name);
            foreach (var number in values)
            {
                json.WriteNumberValue(number);
            }

            json.WriteEndArray();
        }
    }

    private static string ToJson(Action<Utf8JsonWriter> write, bool indented)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = indented }))
        {
            write(json);
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static string Notes(BenchRow row)
    {
        var notes = new List<string>();
        if (row.HasUpdate)
        {
            notes.Add($"forward {row.ForwardMs:F1} ms, update {row.UpdateMs:F2} ms");
        }

        if (row.Dropped > 0)
        {
            notes.Add($"{row.Dropped} disturbed repetitions dropped");
        }

        if (row.FirstSeconds is { } first)
        {
            notes.Add($"first in the process {1e3 * first:F0} ms");
        }

        if (row.PeakResidentBytes is { } peak)
        {
            notes.Add($"peak RSS {peak / 1048576.0:F0} MiB");
        }

        return string.Join("; ", notes);
    }

    private static string LimitName(BenchLimit limit) => limit switch
    {
        BenchLimit.ReadBandwidth => "read_bandwidth",
        BenchLimit.Arithmetic => "fp32_fma",
        _ => "",
    };

    private static string Probe(BenchRow row, Func<ProbeReading, double> of, string format) =>
        !row.Probes.Any() ? "" : Summary.Of([.. row.Probes.Select(of)]).Median.ToString(format, Invariant);

    private static string Number(double value) => value.ToString(value >= 1000 ? "F0" : value >= 100 ? "F1" : value >= 10 ? "F2" : "F3", Invariant);
}
