// rt doctor: the machine, the devices, and whether they compute what they should on this very machine.
using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text.Json.Nodes;
using Rt.Cli.Output;
using Rt.Conformance.Ops;
using Rt.Core;
using Rt.Cpu;
using Rt.Cpu.Reference;

namespace Rt.Cli.Commands;

/// <summary>Checks the machine and its devices.</summary>
internal sealed class DoctorCommand : CliCommand
{
    private const int NumericsFailed = 6;

    private readonly Option<int?> _threads;
    private readonly Option<string?> _op = new("--op") { Description = "Only cases of this op, such as MatMul or Attention", HelpName = "NAME" };

    public DoctorCommand(SharedOptions shared)
        : base("doctor", "Show the machine and its devices, and compare every op of each of them with the reference device", shared)
    {
        _threads = shared.Threads;
        Add(_threads, _op);
    }

    public override IReadOnlyList<string> Notes => ["Exit code 6 where a device fails an op."];

    public override IReadOnlyList<string> Examples => ["rt doctor", "rt doctor --op MatMul --json"];

    protected override Task<int> RunAsync(CommandContext context)
    {
        var machine = new Dictionary<string, string>
        {
            ["processor"] = ProcessorName(),
            ["cores"] = Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture),
            ["architecture"] = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant(),
            ["vector_width"] = VectorWidth(),
            ["memory"] = Text.Bytes(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes),
            ["system"] = RuntimeInformation.OSDescription,
            ["runtime"] = RuntimeInformation.FrameworkDescription,
            ["rt"] = Versions.Text,
        };
        var cases = Cases(context.Get(_op));
        var checks = Devices.Present.Select(name => Check(context, name, cases)).ToArray();
        context.Result(() => Json(machine, checks), () => WriteText(context.Streams, machine, checks));
        return Task.FromResult(checks.Any(check => check.Failures.Count > 0) ? NumericsFailed : 0);
    }

    private static IReadOnlyList<ConformanceCase> Cases(string? op)
    {
        var cases = op is null ? OpConformance.Cases : [.. OpConformance.Cases.Where(test => test.Op.Equals(op, StringComparison.OrdinalIgnoreCase))];
        return cases.Count > 0
            ? cases
            : throw new UsageException($"--op {op}: expected one of {string.Join(", ", OpConformance.Cases.Select(test => test.Op).Distinct())}");
    }

    private DeviceCheck Check(CommandContext context, string name, IReadOnlyList<ConformanceCase> cases)
    {
        using var device = Devices.Open(name, name == "cpu" ? context.Get(_threads) : null);
        if (device is ReferenceDevice)
        {
            // Compared with itself it could not fail.
            return new DeviceCheck(name, device.Description, 0, []);
        }

        using var reference = new ReferenceDevice();
        using var progress = context.Progress($"checking {name}", "cases");
        var failures = new List<string>();
        var done = 0;
        foreach (var test in cases)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            var result = test.Run(device, reference);
            if (!result.Passed)
            {
                failures.Add($"{test.Name}: {Text.Number(result.WorstDifference)} at {result.Where}");
            }

            progress.Report(++done, cases.Count, test.Name);
        }

        return new DeviceCheck(name, device.Description, done, failures);
    }

    private static void WriteText(Streams streams, Dictionary<string, string> machine, DeviceCheck[] checks)
    {
        foreach (var (name, value) in machine)
        {
            streams.Out.WriteLine($"{name.Replace('_', ' '),-14}{value}");
        }

        var table = new TextTable("device", "what", ">op cases passed", "");
        foreach (var check in checks)
        {
            var passed = check.Cases == 0 ? "judges the others" : $"{check.Cases - check.Failures.Count} of {check.Cases}";
            table.Add(check.Failures.Count > 0, [check.Name, check.Description, passed, check.Failures.Count == 0 ? "ok" : "FAILED"]);
        }

        foreach (var (name, reason) in Devices.Absent)
        {
            table.Add(name, reason, "", "absent");
        }

        table.Write(streams);
        foreach (var failure in checks.SelectMany(check => check.Failures.Select(failure => $"{check.Name}: {failure}")))
        {
            streams.Out.WriteLine(failure);
        }
    }

    private static JsonObject Json(Dictionary<string, string> machine, DeviceCheck[] checks)
    {
        var about = new JsonObject();
        foreach (var (name, value) in machine)
        {
            about[name] = value;
        }

        return new JsonObject
        {
            ["command"] = "doctor",
            ["version"] = Versions.Text,
            ["machine"] = about,
            ["devices"] = JsonReport.List(checks.Select(check => (JsonNode)new JsonObject
            {
                ["name"] = check.Name,
                ["description"] = check.Description,
                ["n"] = check.Cases,
                ["passed"] = check.Cases - check.Failures.Count,
                ["failures"] = JsonReport.List(check.Failures.Select(failure => (JsonNode)JsonValue.Create(failure))),
            })),
            ["absent"] = JsonReport.List(Devices.Absent.Select(device => (JsonNode)new JsonObject
            {
                ["name"] = device.Name,
                ["reason"] = device.Reason,
            })),
        };
    }

    private static string VectorWidth() => CpuOptions.WidestSupported == SimdWidth.Scalar
        ? "no vector registers"
        : $"{(int)CpuOptions.WidestSupported} bits used (hardware: 512 {Yes(Vector512.IsHardwareAccelerated)}, 256 {Yes(Vector256.IsHardwareAccelerated)})";

    private static string Yes(bool value) => value ? "yes" : "no";

    /// <summary>The processor's name as the system tells it, else its architecture.</summary>
    private static string ProcessorName()
    {
        const string Linux = "/proc/cpuinfo";
        if (!File.Exists(Linux))
        {
            return Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? RuntimeInformation.ProcessArchitecture.ToString();
        }

        var line = File.ReadLines(Linux).FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal));
        return line?[(line.IndexOf(':') + 1)..].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
    }

    private sealed record DeviceCheck(string Name, string Description, int Cases, List<string> Failures);
}
