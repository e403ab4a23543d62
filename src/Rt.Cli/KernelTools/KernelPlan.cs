// Which kernels an op takes on each architecture, found by asking the device without running anything.
using System.Text.Json.Nodes;
using Rt.Cli.Output;
using Rt.Core;
using Rt.Cuda;
using Rt.Cuda.Workloads;

namespace Rt.Cli.KernelTools;

/// <summary>The kernels of one op at one shape.</summary>
/// <param name="Op">The op.</param>
/// <param name="Sizes">Its sizes.</param>
/// <param name="Activations">Dtype of activations and weights.</param>
/// <param name="Kernels">Names in the order of their launches, one list per architecture of <see cref="KernelPlan.Architectures"/>.</param>
internal sealed record PlannedOp(string Op, WorkloadSizes Sizes, DType Activations, IReadOnlyList<IReadOnlyList<string>> Kernels)
{
    /// <summary>What tells this choice from others of its op.</summary>
    public string Choice => string.Join(" | ", Kernels.Select(names => string.Join(" + ", names)));
}

/// <summary>The choice of kernels for the shapes of the kernel bench.</summary>
internal static class KernelPlan
{
    /// <summary>Architectures with the multiprocessors of the GPU that stands for each: A100 and H100 (SXM).</summary>
    public static IReadOnlyList<(string Target, int Multiprocessors)> Architectures { get; } = [("sm_80", 108), ("sm_90", 132)];

    /// <summary>Asks for every op, or one.</summary>
    /// <param name="op">Only this op; null for all.</param>
    /// <param name="types">Dtypes of activations and weights.</param>
    /// <param name="options">Options of the device.</param>
    public static IReadOnlyList<PlannedOp> Of(string? op, IReadOnlyList<DType> types, GpuOptions options) =>
    [
        .. from workload in OpWorkloads.All
           where op is null || workload.Op.Equals(op, StringComparison.OrdinalIgnoreCase)
           from type in types
           from sizes in Shapes(workload)
           select new PlannedOp(workload.Op, sizes, type, [.. Architectures.Select(gpu =>
               (IReadOnlyList<string>)[.. KernelBench.Plan(workload, sizes, type, options, gpu.Target, gpu.Multiprocessors).Kernels.Distinct()])]),
    ];

    /// <summary>Writes one row per choice: the first shape that takes it.</summary>
    public static void Write(Streams streams, IReadOnlyList<PlannedOp> plan)
    {
        if (plan.Count == 0)
        {
            return;
        }

        streams.Out.WriteLine($"Kernels by op and architecture ({string.Join(", ", Architectures.Select(gpu => $"{gpu.Target} with {gpu.Multiprocessors} multiprocessors"))}):");
        var table = new TextTable("op", "dtype", Architectures[0].Target, Architectures[1].Target, "first shape that takes it");
        foreach (var choice in plan.DistinctBy(planned => (planned.Op, planned.Choice)))
        {
            var (first, second) = (string.Join(" + ", choice.Kernels[0]), string.Join(" + ", choice.Kernels[1]));
            table.Add(choice.Op, choice.Activations.ToString(), first, second == first ? "the same" : second, choice.Sizes.ToString());
        }

        table.Write(streams);
    }

    /// <summary>Every shape.</summary>
    public static JsonArray Json(IReadOnlyList<PlannedOp> plan) => JsonReport.List(plan.Select(planned =>
    {
        var kernels = new JsonObject();
        foreach (var (gpu, names) in Architectures.Zip(planned.Kernels))
        {
            kernels[gpu.Target] = JsonReport.List(names.Select(name => (JsonNode)JsonValue.Create(name)));
        }

        return (JsonNode)new JsonObject
        {
            ["op"] = planned.Op,
            ["sizes"] = planned.Sizes.ToString(),
            ["dtype"] = planned.Activations.ToString().ToLowerInvariant(),
            ["kernels"] = kernels,
        };
    }));

    private static IEnumerable<WorkloadSizes> Shapes(OpWorkload workload)
    {
        var shapes = OpWorkloads.GpuShapes.Where(shape => shape.Op == workload.Op)
            .Select(shape => WorkloadSizes.Parse(shape.Sizes, workload.Sizes)).ToArray();
        return shapes.Length > 0 ? shapes : [workload.Sizes];
    }
}
