// Cases of AccumulateMetaGradient: every precision, masks, momentum, caches with room beyond the length, three steps in a row.
using Rt.Core;

namespace Rt.Conformance.Ops;

internal static class MetaGradientCases
{
    public static IEnumerable<ConformanceCase> All()
    {
        foreach (var precision in (DType[])[DType.F32, DType.BF16, DType.F16])
        {
            foreach (var (key, value) in ((bool, bool)[])[(true, true), (true, false), (false, true)])
            {
                var step = new MetaGradientStep(0.01f, 0.9f, precision, key, value);
                yield return new ConformanceCase(
                    $"AccumulateMetaGradient/{precision}/key {key}/value {value}", bench =>
                    {
                        foreach (var headDim in (int[])[1, 12, 16, 64, 80, 96, 128])
                        {
                            Run(bench, step, 3, 17, headDim, 1);
                        }
                    });
            }

            yield return new ConformanceCase($"AccumulateMetaGradient/{precision}/no momentum, large and tiny numbers", bench =>
            {
                Run(bench, new MetaGradientStep(1, 0, precision), 2, 33, 64, 3e4);
                Run(bench, new MetaGradientStep(0.01f, 0.9f, precision), 2, 33, 64, 1e-6);
            });
            yield return new ConformanceCase($"AccumulateMetaGradient/{precision}/many rows", bench =>
                Run(bench, new MetaGradientStep(0.1f, 0.5f, precision), 4, 300, 64, 1));
        }
    }

    private static void Run(ConformanceBench bench, MetaGradientStep step, int kvHeads, int length, int headDim, double scale)
    {
        KvLayer Activations() => new(
            bench.Activations(kvHeads, length + 5, headDim, scale).SliceRows(0, length),
            bench.Activations(kvHeads, length + 5, headDim, scale).SliceRows(0, length));
        KvLayer Masters() => new(
            bench.Masters(kvHeads, length + 5, headDim, scale).SliceRows(0, length),
            bench.Masters(kvHeads, length + 5, headDim, scale).SliceRows(0, length));

        var current = Activations();
        var kept = Masters();
        var velocity = Masters();
        var copy = Activations();
        var norms = bench.Own(bench.Device.Allocate(DType.F64, 1, 1, 2));
        for (var i = 0; i < 3; i++)
        {
            bench.Device.AccumulateMetaGradient(current, kept, velocity, step, i == 1 ? null : norms, i == 0 ? null : copy);
            bench.Report($"head dim {headDim}, step {i}, squared norms", "SquaredNorm", norms);
        }

        bench.Report($"head dim {headDim}, kept keys", "MetaGradient", kept.Key);
        bench.Report($"head dim {headDim}, kept values", "MetaGradient", kept.Value);
        bench.Report($"head dim {headDim}, key velocity", "MetaGradient", velocity.Key);
        bench.Report($"head dim {headDim}, value velocity", "MetaGradient", velocity.Value);
        bench.Report($"head dim {headDim}, keys not rounded right", "Exact", step.UpdateKey ? Misrounded(bench, kept.Key, copy.Key) : [0]);
        bench.Report($"head dim {headDim}, values not rounded right", "Exact", step.UpdateValue ? Misrounded(bench, kept.Value, copy.Value) : [0]);

        // What has moved since the first step: from another master, nothing updated.
        var still = step with { UpdateKey = false, UpdateValue = false };
        bench.Device.AccumulateMetaGradient(Masters(), kept, velocity, still, norms);
        bench.Report($"head dim {headDim}, squared distances", "SquaredNorm", norms);
    }

    /// <summary>1 where the copy is not the master's element rounded to the copy's dtype, else 0.</summary>
    private static double[] Misrounded(ConformanceBench bench, Tensor master, Tensor copy)
    {
        var expected = new double[master.Count];
        var found = new double[copy.Count];
        bench.Device.Download(master, expected);
        bench.Device.Download(copy, found);
        return [.. expected.Zip(found, (value, rounded) => Rounding.To(copy.DType, value).Equals(rounded) ? 0.0 : 1.0)];
    }
}
