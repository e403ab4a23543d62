// rt kernels: every compiled kernel, its text, its machine code where NVIDIA's tools are, and what it does on the simulator.
using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Rt.Cli.KernelTools;
using Rt.Cli.Output;
using Rt.Core;
using Rt.Cuda;
using Rt.Cuda.Workloads;
using Rt.Gpu;
using Rt.Kernels;

namespace Rt.Cli.Commands;

/// <summary>The kernels.</summary>
internal sealed class KernelsCommand : CliCommand
{
    private readonly Argument<string?> _name = new("NAME")
    {
        Description = "Only kernels whose name contains this; with --size, the op to run",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string?> _emit = new("--emit") { Description = "Write the PTX of every kernel listed, as NAME.ptx", HelpName = "DIR" };
    private readonly Option<bool> _sass = new("--sass") { Description = "Print the machine code; needs ptxas and nvdisasm" };
    private readonly Option<bool> _noRegisters = new("--no-registers") { Description = "Do not assemble the kernels to learn their registers" };
    private readonly Option<string?> _size = new("--size") { Description = "Run the op on the simulator at these sizes and count what it does", HelpName = "rows=4,width=512" };
    private readonly Option<int> _seed = OptionKinds.Whole("--seed", "Order in which the simulator runs groups and warps", 1);

    public KernelsCommand(SharedOptions shared)
        : base("kernels", "List the GPU kernels: target, registers, PTX, machine code; count what an op does on the simulator", shared)
    {
        Arguments.Add(_name);
        Add(_emit, _sass, _noRegisters, _size, _seed, shared.Threads, shared.Activations, shared.Tf32);
    }

    public override IReadOnlyList<string> Notes =>
    [
        "Registers, stack and spills are those that ptxas reports for the kernel's own target (RT_PTXAS or PATH).",
        $"Ops for --size, with their sizes: {string.Join("; ", OpWorkloads.All.Select(workload => $"{workload.Op} {workload.Sizes}"))}.",
    ];

    public override IReadOnlyList<string> Examples =>
    [
        "rt kernels",
        "rt kernels Normalize --emit ptx",
        "rt kernels MatMul --sass",
        "rt kernels Attention --size rows=16,start=64 --activations bf16",
    ];

    protected override Task<int> RunAsync(CommandContext context)
    {
        if (context.Get(_size) is { } size)
        {
            Count(context, context.Get(_name) ?? throw new UsageException("--size: expected the name of an op before it"), size);
            return Task.FromResult(0);
        }

        var entries = Entries(context.Get(_name));
        if (context.Get(_emit) is { } folder)
        {
            OutputPath.CheckFolder(folder);
            Directory.CreateDirectory(folder);
            foreach (var entry in entries)
            {
                File.WriteAllBytes(Path.Combine(folder, $"{entry.Name}.ptx"), entry.Ptx.ToArray());
            }

            context.Note($"wrote {entries.Count} files to {folder}");
        }

        if (context.Get(_sass))
        {
            Disassemble(context, entries);
            return Task.FromResult(0);
        }

        var resources = Resources(context, entries);
        context.Result(() => Json(entries, resources), () => WriteList(context.Streams, entries, resources));
        return Task.FromResult(0);
    }

    private static IReadOnlyList<KernelEntry> Entries(string? name)
    {
        var all = KernelCatalog.All.OrderBy(entry => entry.Name, StringComparer.Ordinal);
        KernelEntry[] found = [.. name is null ? all : all.Where(entry => entry.Name.Contains(name, StringComparison.OrdinalIgnoreCase))];
        return found.Length > 0
            ? found
            : throw new UsageException($"kernel '{name}': none has it in its name; there are {string.Join(", ", KernelCatalog.All.Select(entry => entry.Method).Distinct().Order(StringComparer.Ordinal))}");
    }

    private Dictionary<KernelEntry, KernelResources> Resources(CommandContext context, IReadOnlyList<KernelEntry> entries)
    {
        var resources = new Dictionary<KernelEntry, KernelResources>();
        if (context.Get(_noRegisters))
        {
            return resources;
        }

        if (Assembler.Find() is not { } assembler)
        {
            context.Note($"registers are not shown: {Assembler.Places}");
            return resources;
        }

        using var progress = context.Progress("assembling", "kernels");
        var done = 0;
        Parallel.ForEach(
            entries, new ParallelOptions { CancellationToken = context.Cancellation, MaxDegreeOfParallelism = Environment.ProcessorCount }, entry =>
            {
                var found = assembler.Assemble(entry);
                lock (resources)
                {
                    resources.Add(entry, found);
                    progress.Report(++done, entries.Count, entry.Name);
                }
            });
        return resources;
    }

    private static void Disassemble(CommandContext context, IReadOnlyList<KernelEntry> entries)
    {
        var assembler = Assembler.Find() ?? throw new DeviceException($"ptxas: {Assembler.Places}");
        foreach (var entry in entries)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            context.Out.WriteLine($"// {entry.Name}, {entry.Target}");
            context.Out.WriteLine(assembler.Disassemble(entry));
        }
    }

    private void Count(CommandContext context, string op, string size)
    {
        var workload = OpWorkloads.Of(op);
        var sizes = WorkloadSizes.Parse(size, workload.Sizes);
        var settings = context.DeviceSettings;
        var type = Devices.Activations(settings, DType.F32);
        var options = new Gpu.Simulator.SimulatorOptions { Threads = settings.Threads ?? 0, Seed = (uint)context.Get(_seed) };
        var launcher = new SimulatorLauncher(options);
        using var device = new GpuDevice(launcher, type, new GpuOptions(Tf32: settings.Tf32));
        using var prepared = workload.Prepare(device, sizes);
        launcher.ResetCounters();
        prepared.Runs[0].Run();
        var counted = new CountedRun(workload.Op, sizes, device.Description, prepared.Cost, launcher.Counters);
        context.Result(counted.Json, () => counted.Write(context.Streams));
    }

    private static void WriteList(Streams streams, IReadOnlyList<KernelEntry> entries, Dictionary<KernelEntry, KernelResources> resources)
    {
        var table = new TextTable("kernel", "target", ">group", ">shared", ">registers", ">stack", ">spills", ">PTX", "source");
        foreach (var entry in entries)
        {
            var known = resources.TryGetValue(entry, out var found);
            table.Add(known && found.StackBytes + found.SpillBytes > 0,
            [
                entry.Name, entry.Target, Number(entry.GroupSize), Number(entry.SharedBytes) + (entry.UsesDynamicShared ? " + dynamic" : ""),
                known ? Number(found.Registers) : "", known ? Number(found.StackBytes) : "", known ? Number(found.SpillBytes) : "",
                Text.Bytes(entry.Ptx.Length), entry.Source,
            ]);
        }

        table.Write(streams);
    }

    private static JsonObject Json(IReadOnlyList<KernelEntry> entries, Dictionary<KernelEntry, KernelResources> resources) => new()
    {
        ["command"] = "kernels",
        ["version"] = Versions.Text,
        ["kernels"] = JsonReport.List(entries.Select(entry =>
        {
            var json = new JsonObject
            {
                ["name"] = entry.Name,
                ["method"] = entry.Method,
                ["type_arguments"] = JsonReport.List(entry.TypeArguments.Select(type => (JsonNode)JsonValue.Create(type))),
                ["target"] = entry.Target,
                ["group_size"] = entry.GroupSize,
                ["shared_bytes"] = entry.SharedBytes,
                ["dynamic_shared"] = entry.UsesDynamicShared,
                ["ptx_bytes"] = entry.Ptx.Length,
                ["source"] = entry.Source,
            };
            if (resources.TryGetValue(entry, out var found))
            {
                json["registers"] = found.Registers;
                json["stack_bytes"] = found.StackBytes;
                json["spill_bytes"] = found.SpillBytes;
            }

            return (JsonNode)json;
        })),
    };

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
