// Cases of the ops that move rows: Embed, AddPositions, Copy, PatchRows, GatherRows, ArgMax.
using Rt.Core;

namespace Rt.Conformance.Ops;

internal static class RowCases
{
    private static readonly DType[] WeightTypes = [DType.F32, DType.F16, DType.BF16];

    public static IEnumerable<ConformanceCase> All()
    {
        foreach (var type in WeightTypes)
        {
            foreach (var scale in (double[])[1, 8.5])
            {
                yield return new ConformanceCase($"Embed/{type}/scale {scale}", bench => Embed(bench, type, scale));
            }

            yield return new ConformanceCase($"AddPositions/{type}/offset 2", bench => AddPositions(bench, type));
            yield return new ConformanceCase($"Copy/{type}", bench => Copy(bench, type));
        }

        yield return new ConformanceCase("PatchRows/replace", bench => PatchRows(bench, PatchMode.Replace));
        yield return new ConformanceCase("PatchRows/add", bench => PatchRows(bench, PatchMode.Add));
        yield return new ConformanceCase("GatherRows/any order", GatherRows);
        yield return new ConformanceCase("ArgMax/ties and infinities", ArgMax);
        yield return new ConformanceCase("TopK/ties and infinities", TopK);
    }

    private static void Embed(ConformanceBench bench, DType type, double scale)
    {
        foreach (var width in OpConformance.Widths)
        {
            var table = bench.Weight(type, 40, width, 1, offset: 1);
            var rows = Batch(bench, 5);
            var destination = bench.StridedRows(5, width, gap: 3);
            bench.Device.Begin(rows);
            bench.Device.Embed(rows, table, scale, destination);
            bench.Report($"width {width}", "Embed", destination);
        }
    }

    private static void AddPositions(ConformanceBench bench, DType type)
    {
        foreach (var width in OpConformance.Widths)
        {
            var table = bench.Weight(type, 40, width, 1, offset: 1);
            var rows = Batch(bench, 5);
            var destination = bench.StridedRows(5, width, gap: 3);
            bench.Device.Begin(rows);
            bench.Device.AddPositions(rows, table, 2, destination);
            bench.Report($"width {width}", "AddPositions", destination);
        }
    }

    private static RowBatch Batch(ConformanceBench bench, int count)
    {
        var cache = bench.Own(new KvCache(bench.Device, 1, 2, 1, 40, 1));
        var tokens = new int[count];
        for (var i = 0; i < count; i++)
        {
            tokens[i] = bench.Next(40);
        }

        var rows = new RowBatch(count, 2).Reset(cache);
        rows.Add(tokens.AsSpan(0, 2), slot: 1, start: 3, firstPosition: 0);
        rows.Add(tokens.AsSpan(2), slot: 0, start: 0, firstPosition: 20);
        return rows;
    }

    private static void Copy(ConformanceBench bench, DType type)
    {
        foreach (var width in OpConformance.Widths)
        {
            var source = bench.StridedRows(4, width, gap: 5);
            var narrow = bench.Own(bench.Device.Allocate(type, 1, 4, width));
            var back = bench.StridedRows(4, width, gap: 2);
            bench.Device.Copy(source, narrow);
            bench.Device.Copy(narrow, back);
            bench.Report($"width {width} narrowed", "Exact", narrow);
            bench.Report($"width {width} widened", "Exact", back);
        }
    }

    private static void PatchRows(ConformanceBench bench, PatchMode mode)
    {
        foreach (var width in OpConformance.Widths)
        {
            var x = bench.StridedRows(9, width, gap: 1);
            var vectors = bench.StridedRows(3, width, gap: 4);
            bench.Device.PatchRows(x, [7, 0, 3], vectors, mode, mode == PatchMode.Add ? -0.75 : 1);
            bench.Report($"width {width}", "PatchRows", x);
        }
    }

    private static void GatherRows(ConformanceBench bench)
    {
        foreach (var width in OpConformance.Widths)
        {
            var x = bench.StridedRows(9, width, gap: 1);
            var destination = bench.StridedRows(4, width, gap: 2);
            bench.Device.GatherRows(x, [8, 2, 2, 0], destination);
            bench.Report($"width {width}", "Exact", destination);
        }
    }

    private static void ArgMax(ConformanceBench bench)
    {
        foreach (var width in OpConformance.Widths)
        {
            var x = bench.StridedRows(4, width, gap: 1);
            var values = bench.Normals(4L * width);
            // Row 1: everything equal; row 2: the largest twice; row 3: only the last is above -infinity.
            Array.Fill(values, -1.5, width, width);
            values[2 * width + width / 3] = 9;
            values[3 * width - 1] = 9;
            Array.Fill(values, double.NegativeInfinity, 3 * width, width);
            values[4 * width - 1] = -3;
            bench.Fill(x, values);
            var indices = new int[4];
            bench.Device.ArgMax(x, indices);
            bench.Report($"width {width}", "Exact", Array.ConvertAll(indices, i => (double)i));
        }
    }

    private static void TopK(ConformanceBench bench)
    {
        foreach (var width in (int[])[1, 2, 33, 257, 1500])
        {
            var x = bench.StridedRows(4, width, gap: 1);
            var values = bench.Normals(4L * width);
            // Row 1: everything equal; row 2: few different values, zeros of both signs among them; row 3: infinities.
            Array.Fill(values, -1.5, width, width);
            for (var i = 2 * width; i < 3 * width; i++)
            {
                values[i] = i % 5 == 0 ? -0.0 : bench.Next(7) - 3;
            }

            Array.Fill(values, double.NegativeInfinity, 3 * width, width / 2);
            values[4 * width - 1] = double.PositiveInfinity;
            bench.Fill(x, values);
            foreach (var count in (int[])[1, 2, 40, width])
            {
                if (count <= width)
                {
                    var found = new float[4 * count];
                    var indices = new int[4 * count];
                    bench.Device.TopK(x, count, found, indices);
                    bench.Report($"{count} of {width}, values", "Exact", Array.ConvertAll(found, value => value + 0.0));
                    bench.Report($"{count} of {width}, indices", "Exact", Array.ConvertAll(indices, index => (double)index));
                }
            }
        }
    }
}
