// Attention in prefill, in decode, and of many short queries over one kept prefix.
using Rt.Core;
using Rt.Cpu;

namespace Rt.Bench;

/// <summary>One shape of attention: how many operations it counts, and the call.</summary>
internal sealed record AttentionCase(string Name, double Operations, Action<IDevice> Attend);

internal static class AttentionProbe
{
    public static void Run(CpuDevice device)
    {
        foreach (var attention in Cases(device))
        {
            Probe.Report(attention.Name, Probe.Time(() => attention.Attend(device), 0.4), attention.Operations, "GFLOP/s");
        }
    }

    /// <summary>All cases, one by one: a case's tensors are freed when the next one is asked for.</summary>
    public static IEnumerable<AttentionCase> Cases(IDevice device)
    {
        foreach (var (heads, kvHeads, headDim) in ((int, int, int)[])[(12, 12, 64), (32, 4, 64), (32, 8, 128)])
        {
            foreach (var (rowCount, start, sequences, prefix) in ((int, int, int, int)[])
                     [(512, 0, 1, 0), (512, 0, 1, 512), (512, 0, 1, 8192), (1, 160, 1, 0), (1, 1023, 1, 0), (8, 0, 64, 512)])
            {
                using var cache = new KvCache(device, 1, sequences, kvHeads, start + rowCount, headDim);
                using var kept = new KvCache(device, 1, 1, kvHeads, Math.Max(1, prefix), headDim);
                foreach (var tensor in (Tensor[])[cache[0].Key, cache[0].Value, kept[0].Key, kept[0].Value])
                {
                    var values = Probe.Random(DType.F32, tensor.Dim0, tensor.Dim1, tensor.Dim2);
                    device.Copy(values, tensor);
                    values.Storage.Dispose();
                }

                var rows = new RowBatch(sequences * rowCount, sequences).Reset(cache);
                var index = prefix > 0 ? rows.AddPrefix(kept) : -1;
                for (var s = 0; s < sequences; s++)
                {
                    rows.Add(new int[rowCount], s, start, prefix, index, prefix);
                }

                var query = Probe.Random(DType.F32, rows.RowCount, heads, headDim);
                var destination = device.Allocate(DType.F32, rows.RowCount, heads, headDim);
                var options = new AttentionOptions(1 / Math.Sqrt(headDim));
                // Pairs of query and key that are seen, four operations per pair and dimension.
                var pairs = sequences * (rowCount * ((double)prefix + start) + rowCount * (rowCount + 1) / 2.0);
                yield return new AttentionCase(
                    $"attention: {heads}/{kvHeads} x {headDim}, {sequences} x {rowCount} rows at {start}, prefix {prefix}",
                    4 * pairs * heads * headDim, by => by.Attention(query, rows, 0, options, destination));
                query.Storage.Dispose();
                destination.Storage.Dispose();
            }
        }
    }
}
