// Cases of Attention, AttentionScores and LinearAttention over all batch shapes, head dims, groupings and score options.
using Rt.Core;

namespace Rt.Conformance.Ops;

internal static class AttentionCases
{
    private static readonly (int Heads, int KvHeads, int HeadDim)[] Dims =
        [(2, 2, 12), (4, 2, 16), (2, 2, 64), (8, 1, 64), (3, 1, 80), (2, 2, 96), (4, 1, 128), (2, 1, 256), (1, 1, 300)];

    private static readonly (string Name, int Window, double SoftCap, bool Alibi)[] Options =
        [("plain", 0, 0, false), ("window 7", 7, 0, false), ("window 64", 64, 0, false), ("window 1", 1, 0, false),
         ("ALiBi", 0, 0, true), ("soft cap", 0, 2, false), ("window 40, ALiBi, soft cap", 40, 5, true)];

    public static IEnumerable<ConformanceCase> All()
    {
        var turn = 0;
        foreach (var (heads, kvHeads, headDim) in Dims)
        {
            foreach (var option in Options)
            {
                var start = turn++;
                var shape = $"{heads} heads of {kvHeads}/head dim {headDim}/{option.Name}";
                yield return new ConformanceCase($"Attention/{shape}", bench =>
                {
                    foreach (var (batch, options) in Batches(bench, heads, kvHeads, headDim, option, start, 3))
                    {
                        var destination = bench.Zeros(batch.Query.Dim0, heads, headDim);
                        bench.Device.Attention(batch.Query, batch.Rows, 1, options, destination);
                        bench.Report($"batch {bench.Quantities.Count}", "Attention", destination);
                    }
                });
                yield return new ConformanceCase($"AttentionScores/{shape}", bench =>
                {
                    foreach (var (batch, options) in Batches(bench, heads, kvHeads, headDim, option, start, 5))
                    {
                        foreach (var probabilities in (bool[])[false, true])
                        {
                            var destination = bench.Activations(batch.Query.Dim0, heads, batch.LongestKeys + 2);
                            bench.Device.AttentionScores(batch.Query, batch.Rows, 1, options, probabilities, destination);
                            bench.Report(
                                $"batch {bench.Quantities.Count}", probabilities ? "AttentionProbabilities" : "AttentionScores", destination);
                        }
                    }
                });
            }

            foreach (var form in Enum.GetValues<LinearAttentionForm>())
            {
                yield return new ConformanceCase($"LinearAttention/{form}/{heads} heads of {kvHeads}/head dim {headDim}", bench =>
                {
                    // The outer products of the reference cost head_dim^2 per row and key: the wide heads take fewer batches.
                    foreach (var (batch, _) in Batches(bench, heads, kvHeads, headDim, Options[0], 0, headDim > 64 ? 7 : 4, 40))
                    {
                        var destination = bench.Zeros(batch.Query.Dim0, heads, headDim);
                        bench.Device.LinearAttention(batch.Query, batch.Rows, 1, 0.3, form, destination);
                        bench.Report($"batch {bench.Quantities.Count}", "LinearAttention", destination);
                    }
                });
            }
        }

        yield return new ConformanceCase("Attention/large scores", bench =>
        {
            // Scores of some hundreds: exponentials overflow unless the maximum is taken off first.
            foreach (var shape in BatchShape.All)
            {
                var batch = new PackedBatch(bench, shape, 2, 1, 64, false, spread: 4);
                bench.Device.AppendKv(batch.Query, batch.Key, batch.Value, batch.Rows, 1, null);
                var destination = bench.Zeros(batch.Query.Dim0, 2, 64);
                bench.Device.Attention(batch.Query, batch.Rows, 1, new AttentionOptions(1), destination);
                bench.Report(shape.Name, "AttentionLargeScores", destination);
            }
        });
    }

    private static IEnumerable<(PackedBatch Batch, AttentionOptions Options)> Batches(
        ConformanceBench bench, int heads, int kvHeads, int headDim, (string Name, int Window, double SoftCap, bool Alibi) option,
        int start, int stride, int mostRows = int.MaxValue)
    {
        Tensor? slopes = null;
        if (option.Alibi)
        {
            slopes = bench.Zeros(1, 1, heads);
            var values = new double[heads];
            for (var head = 0; head < heads; head++)
            {
                values[head] = Math.Pow(2, -1 - head);
            }

            bench.Fill(slopes.Value, values);
        }

        var options = new AttentionOptions(1 / Math.Sqrt(headDim), option.Window, option.SoftCap, slopes);
        for (var i = start % stride; i < BatchShape.All.Length; i += stride)
        {
            var shape = BatchShape.All[i];
            if (shape.Sequences.Sum(s => s.Rows) > mostRows)
            {
                continue;
            }

            var batch = new PackedBatch(bench, shape, heads, kvHeads, headDim, interleaved: i % 2 == 1);
            bench.Device.AppendKv(batch.Query, batch.Key, batch.Value, batch.Rows, 1, null);
            yield return (batch, options);
        }
    }
}
