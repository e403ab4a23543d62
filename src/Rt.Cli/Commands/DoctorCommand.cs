// rt doctor: the machine, the devices, and whether they compute what they should on this very machine.
using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text.Json.Nodes;
using Rt.Cli.KernelTools;
using Rt.Cli.Output;
using Rt.Conformance.Ops;
using Rt.Core;
using Rt.Cpu;
using Rt.Cpu.Reference;
using Rt.Cuda;
using Rt.Cuda.Driver;

namespace Rt.Cli.Commands;

/// <summary>Checks the machine and its devices.</summary>
internal sealed class DoctorCommand : CliCommand
{
    private const int NumericsFailed = 6;

    private readonly Option<string?> _device = new("--device")
    {
        Description = "Check this device only: cpu, simulator, cuda or cuda:N; on the latter two in f32, bf16 and f16",
        HelpName = "NAME",
    };

    private readonly Option<string?> _op = new("--op") { Description = "Only cases of this op, such as MatMul or Attention", HelpName = "NAME" };

    public DoctorCommand(SharedOptions shared)
        : base("doctor", "Show the machine and its devices, and compare every op of a device with the reference device", shared) =>
        Add(_device, _op, shared.Threads, shared.Activations);

    public override IReadOnlyList<string> Notes =>
    [
        "Without --device the cpu device is checked and the others are listed. Exit code 6 where a device fails an op.",
        "Where GPUs are meant, it also says which kernels every op takes on each architecture; no GPU is needed to know that.",
    ];

    public override IReadOnlyList<string> Examples => ["rt doctor", "rt doctor --device cuda", "rt doctor --device simulator --op MatMul --activations bf16 --json"];

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
        var (gpus, absent) = Devices.Gpus();
        var asked = context.Get(_device);
        var checks = Checked(context, asked ?? "cpu", cases).ToList();
        if (asked is null)
        {
            checks.Add(new DeviceCheck("reference", "float64, scalar", "judges the others", 0, []));
            checks.Add(new DeviceCheck("simulator", "runs the kernels' PTX on the processor", "rt doctor --device simulator", 0, []));
            checks.AddRange(gpus.Select(gpu => new DeviceCheck($"cuda:{gpu.Ordinal}", Describe(gpu), $"rt doctor --device cuda:{gpu.Ordinal}", 0, [])));
        }

        var plan = asked is "cpu" or "reference" ? [] : Plan(context);
        context.Result(() => Json(machine, checks, absent, plan), () => WriteText(context.Streams, machine, checks, absent, plan));
        return Task.FromResult(checks.Any(check => check.Failures.Count > 0) ? NumericsFailed : 0);
    }

    private IReadOnlyList<PlannedOp> Plan(CommandContext context)
    {
        var settings = context.DeviceSettings;
        DType[] types = settings.Activations is { } only ? [only] : [DType.F32, DType.BF16];
        return KernelPlan.Of(context.Get(_op), types, new GpuOptions(settings.BatchInvariant, settings.Tf32));
    }

    private static string Describe(CudaDeviceInfo gpu) => gpu.Target is { } target ? $"{gpu}, runs {target}" : $"{gpu}: too old, expected 8.0 or above";

    /// <summary>The checks of one device: in each dtype of activations that it computes in, or in the one asked for.</summary>
    private IEnumerable<DeviceCheck> Checked(CommandContext context, string name, IReadOnlyList<ConformanceCase> cases)
    {
        var settings = context.DeviceSettings;
        using var source = Devices.Find(name, settings);
        if (source.For(DType.F32) is ReferenceDevice judge)
        {
            // Compared with itself it could not fail.
            yield return new DeviceCheck(name, judge.Description, "judges the others", 0, []);
            yield break;
        }

        var types = source.For(DType.F32).Name == "cpu" ? [DType.F32]
            : settings.Activations is { } only ? new[] { only }
            : [DType.F32, DType.BF16, DType.F16];
        foreach (var type in types)
        {
            yield return Check(context, name, source.For(type), cases);
        }
    }

    private static IReadOnlyList<ConformanceCase> Cases(string? op)
    {
        var cases = op is null ? OpConformance.Cases : [.. OpConformance.Cases.Where(test => test.Op.Equals(op, StringComparison.OrdinalIgnoreCase))];
        return cases.Count > 0
            ? cases
            : throw new UsageException($"--op {op}: expected one of {string.Join(", ", OpConformance.Cases.Select(test => test.Op).Distinct())}");
    }

    private static DeviceCheck Check(CommandContext context, string name, IDevice device, IReadOnlyList<ConformanceCase> cases)
    {
        using var reference = new ReferenceDevice();
        using var progress = context.Progress($"checking {name} in {device.ActivationType}", "cases");
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

        return new DeviceCheck(name, device.Description, null, done, failures);
    }

    private static void WriteText(Streams streams, Dictionary<string, string> machine, List<DeviceCheck> checks, string? absent, IReadOnlyList<PlannedOp> plan)
    {
        foreach (var (name, value) in machine)
        {
            streams.Out.WriteLine($"{name.Replace('_', ' '),-14}{value}");
        }

        var table = new TextTable("device", "what", ">op cases passed", "");
        foreach (var check in checks)
        {
            var passed = check.Remark ?? $"{check.Cases - check.Failures.Count} of {check.Cases}";
            var verdict = check.Remark is not null ? "present" : check.Failures.Count == 0 ? "ok" : "FAILED";
            table.Add(check.Failures.Count > 0, [check.Name, check.Description, passed, verdict]);
        }

        if (absent is not null)
        {
            table.Add("cuda", absent, "", "absent");
        }

        table.Write(streams);
        foreach (var failure in checks.SelectMany(check => check.Failures.Select(failure => $"{check.Name}: {failure}")))
        {
            streams.Out.WriteLine(failure);
        }

        KernelPlan.Write(streams, plan);
    }

    private static JsonObject Json(Dictionary<string, string> machine, List<DeviceCheck> checks, string? absent, IReadOnlyList<PlannedOp> plan)
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
                ["remark"] = check.Remark,
                ["n"] = check.Cases,
                ["passed"] = check.Cases - check.Failures.Count,
                ["failures"] = JsonReport.List(check.Failures.Select(failure => (JsonNode)JsonValue.Create(failure))),
            })),
            ["kernels"] = KernelPlan.Json(plan),
            ["absent"] = absent is null ? new JsonArray() : new JsonArray(new JsonObject { ["name"] = "cuda", ["reason"] = absent }),
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

    /// <param name="Name">Of the device.</param>
    /// <param name="Description">Of the device.</param>
    /// <param name="Remark">Why it was not checked, or how to.</param>
    /// <param name="Cases">Cases run.</param>
    /// <param name="Failures">What failed.</param>
    private sealed record DeviceCheck(string Name, string Description, string? Remark, int Cases, List<string> Failures);
}
