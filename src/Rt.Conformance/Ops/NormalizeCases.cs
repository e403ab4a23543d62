// Cases of Normalize: both kinds, weights of every dtype, offsets, heads of strided rows, rows far from zero.
using Rt.Core;

namespace Rt.Conformance.Ops;

internal static class NormalizeCases
{
    public static IEnumerable<ConformanceCase> All()
    {
        foreach (var kind in Enum.GetValues<NormKind>())
        {
            foreach (var type in (DType[])[DType.F32, DType.F16, DType.BF16])
            {
                yield return new ConformanceCase($"Normalize/{kind}/{type}/widths", bench => Widths(bench, kind, type));
            }

            yield return new ConformanceCase($"Normalize/{kind}/no weight", bench =>
            {
                var x = bench.Activations(1, 6, 65, scale: 3);
                bench.Device.Normalize(x, new Norm(kind, null, null, 1e-5), x);
                bench.Report("in place", "Normalize", x);
            });
            yield return new ConformanceCase($"Normalize/{kind}/heads", bench =>
            {
                foreach (var headDim in (int[])[12, 16, 64, 80, 96, 128])
                {
                    // Queries of a fused row of 5 heads: heads 1 and 2 of it.
                    var fused = bench.Activations(1, 7, 5 * headDim);
                    var heads = fused.Heads(headDim, 2, headDim, headDim);
                    var weight = bench.Weight(DType.BF16, 1, headDim, 0.5, offset: 1);
                    bench.Device.Normalize(heads, new Norm(kind, weight, null, 1e-6, WeightOffset: 1), heads);
                    bench.Report($"head dim {headDim}", "Normalize", fused);
                }
            });
            yield return new ConformanceCase($"AddNormalize/{kind}", bench =>
            {
                foreach (var width in (int[])[1, 5, 64, 65, 257, 1030, 2050, 4100])
                {
                    var x = bench.StridedRows(3, width, gap: 3);
                    var y = bench.StridedRows(3, width, gap: 1);
                    var destination = bench.Zeros(1, 3, width);
                    var norm = new Norm(kind, bench.Weight(DType.BF16, 1, width, 1), bench.Weight(DType.F32, 1, width, 1), width < 4 ? 0.5 : 1e-5);
                    bench.Device.AddNormalize(x, y, norm, destination);
                    bench.Report($"width {width}, sum", "Add", x);
                    bench.Report($"width {width}, norm", "Normalize", destination);
                }
            });
            yield return new ConformanceCase($"Normalize/{kind}/zeros", bench =>
            {
                var x = bench.Zeros(1, 2, 33);
                bench.Device.Normalize(x, new Norm(kind, null, null, 1e-5), x);
                bench.Report("zeros", "Normalize", x);
            });
        }
    }

    private static void Widths(ConformanceBench bench, NormKind kind, DType type)
    {
        foreach (var width in (int[])[.. OpConformance.Widths, 768, 1030])
        {
            var x = bench.StridedRows(4, width, gap: 3, scale: 2);
            var weight = bench.Weight(type, 1, width, 1, offset: 1);
            var bias = bench.Weight(type, 1, width, 1, offset: 3);
            var destination = bench.StridedRows(4, width, gap: 1);
            // A row of one element has no variance: a large epsilon keeps its norm tame.
            var norm = new Norm(kind, weight, kind == NormKind.Layer ? bias : null, width < 4 ? 0.5 : 1e-5);
            bench.Device.Normalize(x, norm, destination);
            bench.Report($"width {width}", "Normalize", destination);
        }
    }
}
