// The kernel bench's result, as a table and as JSON.
using System.Text.Json.Nodes;
using Rt.Cli.Output;
using Rt.Core;
using Rt.Cuda.Workloads;

namespace Rt.Cli.Bench;

/// <summary>Times of ops on one GPU.</summary>
/// <param name="Device">Description of the GPU.</param>
/// <param name="Name">cuda or simulator.</param>
/// <param name="Limits">What it reaches at best; null on the simulator.</param>
/// <param name="Timings">One per op, shape and dtype.</param>
internal sealed record KernelBenchReport(string Device, string Name, GpuLimits? Limits, IReadOnlyList<KernelTiming> Timings)
{
    /// <summary>Writes the table.</summary>
    public void Write(Streams streams)
    {
        streams.Out.WriteLine(Device);
        streams.Out.WriteLine(Limits is { } limits
            ? $"measured limits: copy {Text.Fixed(limits.CopyBytesPerSecond / 1e9, 0)} GB/s, mma.sync {Text.Fixed(limits.MatrixFlopsPerSecond / 1e12, 0)} TFLOP/s, "
                + $"F32 multiply-add {Text.Fixed(limits.FloatFlopsPerSecond / 1e12, 1)} TFLOP/s"
            : "host time of the simulation: says nothing about a GPU");
        var table = new TextTable("op", "sizes", "dtype", ">n", ">us", ">GB/s", ">TFLOP/s", ">% copy", ">% peak", "kernels");
        foreach (var timing in Timings)
        {
            table.Add(
                timing.Op, timing.Sizes.ToString(), timing.Activations.ToString(), $"{timing.Microseconds.Length}",
                Text.Fixed(timing.MedianMicroseconds, 2), Text.Fixed(timing.BytesPerSecond / 1e9, 1), Text.Fixed(timing.FlopsPerSecond / 1e12, 2),
                Percent(timing.BytesPerSecond, Limits?.CopyBytesPerSecond), Percent(timing.FlopsPerSecond, Peak(timing)),
                string.Join(" + ", timing.Kernels.Distinct()));
        }

        table.Write(streams);
    }

    /// <summary>The same as JSON.</summary>
    public JsonObject Json() => new()
    {
        ["command"] = "bench kernels",
        ["version"] = Versions.Text,
        ["device"] = new JsonObject { ["name"] = Name, ["description"] = Device },
        ["limits"] = Limits is null ? null : new JsonObject
        {
            ["copy_gbps"] = JsonReport.Number(Limits.CopyBytesPerSecond / 1e9),
            ["mma_sync_tflops"] = JsonReport.Number(Limits.MatrixFlopsPerSecond / 1e12),
            ["f32_fma_tflops"] = JsonReport.Number(Limits.FloatFlopsPerSecond / 1e12),
        },
        ["rows"] = JsonReport.List(Timings.Select(timing => (JsonNode)new JsonObject
        {
            ["op"] = timing.Op,
            ["sizes"] = timing.Sizes.ToString(),
            ["dtype"] = timing.Activations.ToString().ToLowerInvariant(),
            ["n"] = timing.Microseconds.Length,
            ["sets"] = timing.Sets,
            ["us"] = JsonReport.Number(timing.MedianMicroseconds),
            ["us_min"] = JsonReport.Number(timing.Microseconds.Min()),
            ["us_max"] = JsonReport.Number(timing.Microseconds.Max()),
            ["bytes"] = timing.Run.Cost.Bytes,
            ["flops"] = timing.Run.Cost.Flops,
            ["gbps"] = JsonReport.Number(timing.BytesPerSecond / 1e9),
            ["tflops"] = JsonReport.Number(timing.FlopsPerSecond / 1e12),
            ["percent_copy"] = Limits is null ? null : JsonReport.Number(100 * timing.BytesPerSecond / Limits.CopyBytesPerSecond),
            ["percent_peak"] = Limits is null ? null : JsonReport.Number(100 * timing.FlopsPerSecond / Peak(timing)!.Value),
            ["reads_back"] = timing.Run.ReadsBack,
            ["kernels"] = JsonReport.List(timing.Kernels.Select(kernel => (JsonNode)JsonValue.Create(kernel))),
        })),
    };

    private double? Peak(KernelTiming timing) =>
        timing.Activations == DType.F32 ? Limits?.FloatFlopsPerSecond : Limits?.MatrixFlopsPerSecond;

    private static string Percent(double value, double? limit) => limit is { } most ? Text.Fixed(100 * value / most, 1) : "";
}
