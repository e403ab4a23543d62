// rt bench kernels: times of every op by the device's clock, beside what that very GPU reaches at best.
using System.CommandLine;
using System.Text.Json.Nodes;
using Rt.Cli.Commands;
using Rt.Cli.Output;
using Rt.Core;
using Rt.Cuda;
using Rt.Cuda.Workloads;

namespace Rt.Cli.Bench;

/// <summary>Measurements of kernels.</summary>
internal sealed class KernelBenchCommand : CliCommand
{
    private readonly Option<string> _device = new("--device")
    {
        Description = "Device that runs kernels: cuda, cuda:N or simulator",
        DefaultValueFactory = _ => "cuda",
        HelpName = "NAME",
    };

    private readonly Option<string?> _op = new("--op") { Description = "Only this op", HelpName = "NAME" };
    private readonly Option<string?> _size = new("--size") { Description = "With --op: these sizes instead of the list", HelpName = "rows=4,width=512" };
    private readonly Option<string> _types = new("--dtypes") { Description = "Dtypes of activations and weights", DefaultValueFactory = _ => "bf16", HelpName = "LIST" };
    private readonly Option<int> _samples = OptionKinds.Whole("--samples", "Samples of every shape; the median is shown", 30, min: 1);
    private readonly Option<string?> _output = new("--output", "-o") { Description = "Also write the result as JSON to a file", HelpName = "FILE" };

    public KernelBenchCommand(SharedOptions shared)
        : base("kernels", "Measure the kernels op by op on a GPU, beside its own measured limits", shared) =>
        Add(_device, _op, _size, _types, _samples, _output, shared.Threads, shared.BatchInvariant, shared.Tf32);

    public override IReadOnlyList<string> Notes =>
    [
        "Times are of the device's clock (events around graphs of runs; cuda) or of the host's (simulator: how long simulating took). Runs go through",
        "several sets of operands, so that they come from memory and not from a cache. GB/s and TFLOP/s are of what an op must move and compute.",
        "Per cents are of the GPU's own copy bandwidth and of its own rate of mma.sync instructions (bf16, f16) or multiply-adds (f32), measured first.",
        "Times of ops that return values to the host (ArgMax, LogProbabilities) include that.",
    ];

    public override IReadOnlyList<string> Examples =>
    [
        "rt bench kernels --device cuda --dtypes bf16,f32 -o kernels.json",
        "rt bench kernels --device simulator --op Normalize --size rows=4,width=512",
    ];

    protected override Task<int> RunAsync(CommandContext context)
    {
        if (context.Get(_output) is { } file)
        {
            OutputPath.CheckFile(file);
        }

        var name = context.Get(_device)!;
        var shapes = Shapes(context, name == "simulator");
        var types = context.Get(_types)!.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(text =>
            Enum.TryParse<DType>(text, ignoreCase: true, out var type) && type is DType.F32 or DType.BF16 or DType.F16
                ? type
                : throw new UsageException($"--dtypes {text}: expected f32, bf16 or f16")).ToArray();
        var settings = context.DeviceSettings;
        using var launcher = Devices.Launcher(name, settings);
        var timings = new List<KernelTiming>();
        GpuLimits? limits = null;
        using (var progress = context.Progress("measuring", "shapes"))
        {
            foreach (var type in types)
            {
                using var device = new GpuDevice(launcher, type, new GpuOptions(settings.BatchInvariant, settings.Tf32), ownsLauncher: false);
                var bench = new KernelBench(device);
                limits ??= bench.Limits();
                foreach (var (workload, sizes) in shapes)
                {
                    timings.Add(bench.Measure(workload, sizes, context.Get(_samples), context.Cancellation));
                    progress.Report(timings.Count, types.Length * shapes.Count, $"{workload.Op} {sizes}");
                }
            }
        }

        var report = new KernelBenchReport(launcher.Description, launcher.Name, limits, timings);
        if (context.Get(_output) is { } path)
        {
            using var writer = new StreamWriter(path);
            JsonReport.Write(writer, report.Json());
            context.Note($"wrote {path}");
        }

        context.Result(report.Json, () => report.Write(context.Streams));
        return Task.FromResult(0);
    }

    private IReadOnlyList<(OpWorkload Workload, WorkloadSizes Sizes)> Shapes(CommandContext context, bool simulated)
    {
        var op = context.Get(_op);
        if (context.Get(_size) is { } size)
        {
            var workload = OpWorkloads.Of(op ?? throw new UsageException("--size: expected --op as well"));
            return [(workload, WorkloadSizes.Parse(size, workload.Sizes))];
        }

        var only = op is null ? null : OpWorkloads.Of(op);
        if (simulated)
        {
            return [.. OpWorkloads.All.Where(workload => only is null || workload == only).Select(workload => (workload, workload.Sizes))];
        }

        var shapes = OpWorkloads.GpuShapes.Select(shape => (Workload: OpWorkloads.Of(shape.Op), shape.Sizes))
            .Where(shape => only is null || shape.Workload == only)
            .Select(shape => (shape.Workload, WorkloadSizes.Parse(shape.Sizes, shape.Workload.Sizes))).ToArray();
        return shapes.Length > 0 ? shapes : [(only!, only!.Sizes)];
    }
}
