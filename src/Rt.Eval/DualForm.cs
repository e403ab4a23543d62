// The dual of attention over demonstrations and a step of gradient descent, head by head.
// Sources: Irie et al. 2022, arXiv:2202.05798; Dai et al. 2022, arXiv:2212.10559.
using Rt.Core;
using Rt.Model;

namespace Rt.Eval;

/// <summary>What one head does at a query's last token, means over queries.</summary>
/// <param name="Layer">Block.</param>
/// <param name="Head">Query head.</param>
/// <param name="FormDifference">Largest difference between the two forms of linear attention, over the largest magnitude: rounding only.</param>
/// <param name="WithWithout">Cosine of softmax attention with and without the demonstrations.</param>
/// <param name="WithUpdated">Cosine of softmax attention with demonstrations and (softmax attention without them + ΔW q).</param>
/// <param name="EffectUpdate">Cosine of what demonstrations change in softmax attention and ΔW q.</param>
/// <param name="UpdateSize">|ΔW q| over |softmax attention with demonstrations|.</param>
public readonly record struct HeadDual(
    int Layer, int Head, double FormDifference, double WithWithout, double WithUpdated, double EffectUpdate, double UpdateSize);

/// <summary>Compares attention over demonstrations with the explicit weight update ΔW = scale · sum_i v_i k_iᵀ over their keys and values.</summary>
/// <remarks>Everything of a layer is computed from the same queries, those of the pass behind the demonstrations, at the query's last
/// token; "without" leaves the demonstrations' keys and values out of the softmax.</remarks>
public static class DualForm
{
    /// <summary>Measures every head.</summary>
    /// <param name="model">The model.</param>
    /// <param name="demonstrations">Keys and values of the demonstrations: step 1 of a think stage, or a later one.</param>
    /// <param name="queries">Tokens of each query; at least one query of at least one token.</param>
    /// <param name="done">Told how many queries are measured.</param>
    /// <param name="cancellation">Noticed between queries.</param>
    /// <returns>By layer, then head.</returns>
    public static IReadOnlyList<HeadDual> Measure(
        LanguageModel model, KeptKv demonstrations, IReadOnlyList<int[]> queries, Action<int>? done = null, CancellationToken cancellation = default)
    {
        if (queries.Count == 0 || queries.Any(query => query.Length == 0))
        {
            throw new UsageException("queries: expected at least one, none of them empty");
        }

        var hook = new Hook(model.Config);
        using (model.Attach(hook))
        {
            foreach (var (i, query) in queries.Index())
            {
                cancellation.ThrowIfCancellationRequested();
                using var sequence = new Sequence(model, query.Length, demonstrations);
                sequence.Append(query);
                done?.Invoke(i + 1);
            }
        }

        return hook.Results(queries.Count);
    }

    private sealed class Hook(ModelConfig config) : ForwardHook
    {
        private readonly double[,][] _sums = new double[config.NumHiddenLayers, config.NumAttentionHeads][];

        public override void OnQuery(IDevice device, RowBatch rows, int layer, Tensor query, in AttentionOptions options)
        {
            var sequence = rows.Sequences[0];
            var own = new RowBatch(rows.RowCount, 1).Reset(rows.Cache);
            own.Add(rows.TokenIds, sequence.Slot, sequence.Start, sequence.FirstPosition, stage: sequence.Stage);
            var with = Compute(device, query, rows, layer, options, Kind.Softmax);
            var all = Compute(device, query, rows, layer, options, Kind.Linear);
            var dual = Compute(device, query, rows, layer, options, Kind.WeightMatrix);
            device.Begin(own);
            var without = Compute(device, query, own, layer, options, Kind.Softmax);
            var ownPart = Compute(device, query, own, layer, options, Kind.WeightMatrix);
            device.Begin(rows);
            for (var head = 0; head < query.Dim1; head++)
            {
                Add(layer, head, with[head], without[head], all[head], dual[head], Difference(dual[head], ownPart[head]));
            }
        }

        public IReadOnlyList<HeadDual> Results(int count)
        {
            var results = new List<HeadDual>();
            for (var layer = 0; layer < _sums.GetLength(0); layer++)
            {
                for (var head = 0; head < _sums.GetLength(1); head++)
                {
                    var sums = _sums[layer, head];
                    results.Add(new HeadDual(layer, head, sums[0], sums[1] / count, sums[2] / count, sums[3] / count, sums[4] / count));
                }
            }

            return results;
        }

        private void Add(int layer, int head, double[] with, double[] without, double[] all, double[] dual, double[] update)
        {
            var sums = _sums[layer, head] ??= new double[5];
            var largest = all.Max(Math.Abs);
            sums[0] = Math.Max(sums[0], largest == 0 ? 0 : Difference(all, dual).Max(Math.Abs) / largest);
            sums[1] += Cosine(with, without);
            sums[2] += Cosine(with, [.. without.Zip(update, (a, b) => a + b)]);
            sums[3] += Cosine(Difference(with, without), update);
            sums[4] += Math.Sqrt(Dot(update, update) / Dot(with, with));
        }

        /// <summary>One kind of attention at the last row, [heads][head_dim].</summary>
        private static double[][] Compute(IDevice device, Tensor query, RowBatch rows, int layer, in AttentionOptions options, Kind kind)
        {
            var destination = device.Allocate(device.ActivationType, query.Dim0, query.Dim1, query.Dim2);
            try
            {
                if (kind == Kind.Softmax)
                {
                    device.Attention(query, rows, layer, options, destination);
                }
                else
                {
                    var form = kind == Kind.Linear ? LinearAttentionForm.Attention : LinearAttentionForm.WeightMatrix;
                    device.LinearAttention(query, rows, layer, options.Scale, form, destination);
                }

                var heads = new double[query.Dim1][];
                for (var head = 0; head < heads.Length; head++)
                {
                    heads[head] = new double[query.Dim2];
                    device.Download(destination.Slice(query.Dim0 - 1, 1).SliceRows(head, 1), heads[head]);
                }

                return heads;
            }
            finally
            {
                destination.Storage.Dispose();
            }
        }

        private static double[] Difference(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x - y)];

        private static double Cosine(double[] a, double[] b) => Dot(a, b) / Math.Sqrt(Dot(a, a) * Dot(b, b));

        private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();
    }

    private enum Kind
    {
        Softmax,
        Linear,
        WeightMatrix,
    }
}
