// Cases of LogProbabilities: vocabularies around the block sizes, several targets per row, rows left out, caps, large logits.
using Rt.Core;

namespace Rt.Conformance.Ops;

internal static class HeadCases
{
    public static IEnumerable<ConformanceCase> All()
    {
        foreach (var vocabulary in (int[])[1, 2, 3, 17, 63, 64, 65, 127, 128, 129, 300])
        {
            yield return new ConformanceCase($"LogProbabilities/vocabulary {vocabulary}", bench =>
            {
                foreach (var rows in (int[])[1, 2, 5, 17, 33])
                {
                    Run(bench, DType.F32, false, rows, 40, vocabulary, 0, 1, bias: rows == 5);
                }
            });
        }

        foreach (var type in (DType[])[DType.F32, DType.F16, DType.BF16])
        {
            foreach (var inputMajor in (bool[])[false, true])
            {
                yield return new ConformanceCase($"LogProbabilities/{type}/{(inputMajor ? "[in, out]" : "[out, in]")}", bench =>
                {
                    Run(bench, type, inputMajor, 3, 65, 200, 30, 1, bias: true);
                    Run(bench, type, inputMajor, 40, 65, 200, 0, 1, bias: false);
                });
            }
        }

        yield return new ConformanceCase("LogProbabilities/large logits", bench => Run(bench, DType.F32, false, 4, 16, 150, 0, 30, false));
        yield return new ConformanceCase("LogProbabilities/many rows", bench => Run(bench, DType.F32, false, 500, 16, 40, 0, 1, false));
    }

    private static void Run(
        ConformanceBench bench, DType type, bool inputMajor, int rows, int hidden, int vocabulary, double softCap, double spread, bool bias)
    {
        var scale = spread / Math.Sqrt(hidden);
        var weight = inputMajor ? bench.Weight(type, hidden, vocabulary, scale, 1) : bench.Weight(type, vocabulary, hidden, scale, 1);
        var head = new Linear(new LinearPart(weight, bias ? bench.Weight(type, 1, vocabulary, 1, 1) : null, inputMajor));
        var x = bench.StridedRows(rows, hidden, gap: 3);
        var targets = new List<TokenTarget>();
        for (var row = 0; row < rows; row++)
        {
            // Row 1 has no target, every third row three.
            for (var i = 0; row != 1 && i < (row % 3 == 2 ? 3 : 1); i++)
            {
                targets.Add(new TokenTarget(row, i == 1 ? vocabulary - 1 : bench.Next(vocabulary)));
            }
        }

        var values = new double[targets.Count];
        bench.Device.LogProbabilities(x, head, softCap, targets.ToArray(), values);
        bench.Report($"{rows} rows, vocabulary {vocabulary}", "LogProbabilities", values);
    }
}
