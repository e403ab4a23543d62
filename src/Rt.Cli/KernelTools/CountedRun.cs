// What an op did on the simulator, kernel by kernel, beside what it must do.
using System.Globalization;
using System.Text.Json.Nodes;
using Rt.Cli.Output;
using Rt.Cuda.Workloads;
using Rt.Gpu;
using Rt.Gpu.Simulator;
using Rt.Kernels;

namespace Rt.Cli.KernelTools;

/// <summary>One run of an op on the simulator.</summary>
/// <param name="Op">The op.</param>
/// <param name="Sizes">Its sizes.</param>
/// <param name="Device">Description of the device.</param>
/// <param name="Cost">What it must move and compute.</param>
/// <param name="Counters">Per kernel.</param>
internal sealed record CountedRun(
    string Op, WorkloadSizes Sizes, string Device, KernelCost Cost, IReadOnlyDictionary<KernelEntry, LaunchCounters> Counters)
{
    private const int SectorBytes = 32;

    /// <summary>Names and values of a kernel's counters, in order.</summary>
    public static IEnumerable<(string Name, long Value)> Values(LaunchCounters counters) =>
    [
        ("launches", counters.Launches),
        ("groups", counters.Groups),
        ("warp instructions", counters.WarpInstructions),
        ("FLOPs", counters.Flops),
        ("of these on tensor cores", counters.MatrixFlops),
        ("approximate functions", counters.SpecialFunctions),
        ("barriers", counters.Barriers),
        ("global load requests", counters.GlobalLoadRequests),
        ("bytes read", counters.GlobalBytesRead),
        ("bytes of sectors read", SectorBytes * counters.GlobalLoadSectors),
        ("of these ideally", SectorBytes * counters.GlobalLoadIdealSectors),
        ("global store requests", counters.GlobalStoreRequests),
        ("bytes written", counters.GlobalBytesWritten),
        ("bytes of sectors written", SectorBytes * counters.GlobalStoreSectors),
        ("of these ideally", SectorBytes * counters.GlobalStoreIdealSectors),
        ("bytes copied asynchronously", counters.AsyncCopyBytes),
        ("shared requests", counters.SharedRequests),
        ("shared wavefronts", counters.SharedWavefronts),
        ("of these bank conflicts", counters.SharedBankConflicts),
    ];

    /// <summary>Writes a table with one column per kernel.</summary>
    public void Write(Streams streams)
    {
        streams.Out.WriteLine($"{Op} {Sizes} on {Device}");
        streams.Out.WriteLine($"must read {Number(Cost.BytesRead)} B, write {Number(Cost.BytesWritten)} B, compute {Number(Cost.Flops)} FLOPs");
        var kernels = Counters.OrderBy(pair => pair.Key.Name, StringComparer.Ordinal).ToArray();
        var table = new TextTable([.. kernels.Select(pair => $">{pair.Key.Name}").Prepend("counted")]);
        var columns = kernels.Select(pair => Values(pair.Value).ToArray()).ToArray();
        for (var row = 0; columns.Length > 0 && row < columns[0].Length; row++)
        {
            table.Add([columns[0][row].Name, .. columns.Select(column => Number(column[row].Value))]);
        }

        table.Write(streams);
    }

    /// <summary>The same as JSON.</summary>
    public JsonObject Json()
    {
        var sizes = new JsonObject();
        foreach (var (name, value) in Sizes.Values)
        {
            sizes[name] = value;
        }

        return new JsonObject
        {
            ["command"] = "kernels",
            ["version"] = Versions.Text,
            ["op"] = Op,
            ["sizes"] = sizes,
            ["device"] = Device,
            ["cost"] = new JsonObject
            {
                ["bytes_read"] = Cost.BytesRead,
                ["bytes_written"] = Cost.BytesWritten,
                ["flops"] = Cost.Flops,
            },
            ["kernels"] = JsonReport.List(Counters.OrderBy(pair => pair.Key.Name, StringComparer.Ordinal).Select(pair => (JsonNode)Kernel(pair.Key, pair.Value))),
        };
    }

    private static JsonObject Kernel(KernelEntry entry, LaunchCounters counters) => new()
    {
        ["name"] = entry.Name,
        ["launches"] = counters.Launches,
        ["groups"] = counters.Groups,
        ["warp_instructions"] = counters.WarpInstructions,
        ["thread_instructions"] = counters.ThreadInstructions,
        ["flops"] = counters.Flops,
        ["matrix_flops"] = counters.MatrixFlops,
        ["special_functions"] = counters.SpecialFunctions,
        ["barriers"] = counters.Barriers,
        ["global_load_requests"] = counters.GlobalLoadRequests,
        ["global_load_sectors"] = counters.GlobalLoadSectors,
        ["global_load_ideal_sectors"] = counters.GlobalLoadIdealSectors,
        ["global_bytes_read"] = counters.GlobalBytesRead,
        ["global_store_requests"] = counters.GlobalStoreRequests,
        ["global_store_sectors"] = counters.GlobalStoreSectors,
        ["global_store_ideal_sectors"] = counters.GlobalStoreIdealSectors,
        ["global_bytes_written"] = counters.GlobalBytesWritten,
        ["async_copy_bytes"] = counters.AsyncCopyBytes,
        ["shared_requests"] = counters.SharedRequests,
        ["shared_wavefronts"] = counters.SharedWavefronts,
        ["shared_bank_conflicts"] = counters.SharedBankConflicts,
    };

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
