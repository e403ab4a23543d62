// Cases of AppendKv: rotary in halves and interleaved, whole and partial, by position and by row, over fused rows of both layouts.
using Rt.Core;

namespace Rt.Conformance.Ops;

internal static class AppendKvCases
{
    private static readonly (int HeadDim, int RotaryDim)[] Dims =
        [(12, 0), (12, 4), (16, 16), (64, 64), (64, 32), (80, 32), (80, 20), (96, 96), (128, 128), (128, 2)];

    public static IEnumerable<ConformanceCase> All()
    {
        foreach (var (headDim, rotaryDim) in Dims)
        {
            foreach (var interleaved in (bool[])[false, true])
            {
                yield return new ConformanceCase($"AppendKv/head dim {headDim}/rotary {rotaryDim}/{(interleaved ? "interleaved" : "halves")}", bench =>
                {
                    var turn = 0;
                    // The two long batches add nothing but time.
                    foreach (var shape in BatchShape.All.Where(s => s.Sequences[0].Rows <= 33))
                    {
                        var grouped = turn % 3 == 0;
                        Run(bench, shape, grouped ? 4 : 2, grouped ? 1 : 2, headDim, rotaryDim, interleaved, byRow: turn % 4 == 1, fusedByHead: turn % 2 == 1);
                        turn++;
                    }
                });
            }
        }
    }

    private static void Run(
        ConformanceBench bench, BatchShape shape, int heads, int kvHeads, int headDim, int rotaryDim, bool interleaved, bool byRow, bool fusedByHead)
    {
        var batch = new PackedBatch(bench, shape, heads, kvHeads, headDim, fusedByHead);
        RotaryTable? rotary = null;
        if (rotaryDim > 0)
        {
            var entries = byRow ? batch.Rows.RowCount : 1000;
            var cos = new double[entries * (rotaryDim / 2)];
            var sin = new double[cos.Length];
            for (var i = 0; i < cos.Length; i++)
            {
                var angle = i / (rotaryDim / 2) * Math.Pow(10000, -2.0 * (i % (rotaryDim / 2)) / rotaryDim);
                (sin[i], cos[i]) = Math.SinCos(angle);
            }

            var cosTable = bench.Zeros(1, entries, rotaryDim / 2);
            var sinTable = bench.Zeros(1, entries, rotaryDim / 2);
            bench.Fill(cosTable, cos);
            bench.Fill(sinTable, sin);
            rotary = new RotaryTable(cosTable, sinTable, rotaryDim, interleaved, byRow);
        }

        bench.Device.AppendKv(batch.Query, batch.Key, batch.Value, batch.Rows, 1, rotary);
        bench.Report($"{shape.Name}, queries", "AppendKv", batch.Query);
        bench.Report($"{shape.Name}, cached keys", "AppendKv", batch.Cache[1].Key);
        bench.Report($"{shape.Name}, cached values", "Exact", batch.Cache[1].Value);
    }
}
