// LogProbabilities on the GPU device: logits exist for one block of rows and vocabulary at a time, in F32 and within the caches.
// Per chunk of the vocabulary a maximum and a sum, combined on the host in F64 in the order of the vocabulary. arXiv:1805.02867.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    // Rows whose logits are computed together, and logits of a block: 32 MB of F32 stay in the second-level cache of an H100.
    private const int HeadRows = 512;
    private const int HeadBlock = 8 << 20;

    private float[] _headValues = [];
    private int[] _headTargets = [];

    /// <inheritdoc/>
    public void LogProbabilities(
        Tensor x, Linear head, double softCap, ReadOnlySpan<TokenTarget> targets, Span<double> destination)
    {
        const string Op = nameof(LogProbabilities);
        GpuGuard.Activations(Op, this, x);
        CheckLinear(Op, x, head);
        Guard.Targets(Op, targets, x, head, destination.Length);

        for (var first = 0; first < targets.Length;)
        {
            var count = TokenTarget.CountOfRows(targets[first..], HeadRows, out var rows);
            LogProbabilitiesOfRows(
                x, head, (float)softCap, targets.Slice(first, count), rows, destination.Slice(first, count));
            first += count;
        }
    }

    private void LogProbabilitiesOfRows(
        Tensor x, Linear head, float softCap, ReadOnlySpan<TokenTarget> targets, int rows, Span<double> destination)
    {
        using var scratch = Scratch();
        var count = targets.Length;
        var lists = Lists(targets, rows);
        var taken = scratch.Take(ActivationType, 1, rows, x.Columns);
        GatherRows(x, lists[..rows], taken);
        var targetLists = Indices(lists[rows..]);
        var firstTargets = targetLists.SliceColumns(0, rows + 1);
        var tokens = targetLists.SliceColumns(rows + 1, count);

        var blockColumns = Math.Max(1, HeadBlock / rows / Kernels.LogProbabilities.ChunkColumns) * Kernels.LogProbabilities.ChunkColumns;
        var chunks = 0;
        foreach (ref readonly var part in head.Parts.AsSpan())
        {
            chunks += Groups(part.Out, Kernels.LogProbabilities.ChunkColumns);
            blockColumns = Math.Min(blockColumns, Math.Max(LargestPart(head), 1));
        }

        // Maxima, sums and target logits, to be read back together.
        var values = scratch.Take(DType.F32, 2 * rows * chunks + count);
        var maxima = values.SliceColumns(0, rows * chunks);
        var sums = values.SliceColumns(rows * chunks, rows * chunks);
        var targetLogits = values.SliceColumns(2 * rows * chunks, count);
        var logits = scratch.Take(DType.F32, 1, rows, (blockColumns + 3) & ~3);
        var firstToken = 0;
        var chunk = 0;
        foreach (ref readonly var part in head.Parts.AsSpan())
        {
            for (var start = 0; start < part.Out; start += blockColumns)
            {
                var columns = Math.Min(blockColumns, part.Out - start);
                var slice = new LinearPart(
                    part.InputMajor ? part.Weight.SliceColumns(start, columns) : part.Weight.SliceRows(start, columns),
                    part.Bias?.SliceColumns(start, columns), part.InputMajor);
                var block = logits.SliceColumns(0, columns);
                Product(new MatrixProduct(taken, new ReadOnlySpan<LinearPart>(in slice), false, 0, false, block));
                Start(Kernel(nameof(Kernels.LogProbabilities.LogProbabilitiesKernel), ActivationElement))
                    .Add(block).Add(block.Stride1).Add(columns).Add(firstToken + start).Add(softCap)
                    .Add(firstTargets).Add(tokens).Add(targetLogits).Add(maxima).Add(sums).Add(chunk).Add(chunks).Add(rows).Add(IsAligned(block, 4))
                    .Run(Groups(columns, Kernels.LogProbabilities.ChunkColumns), Math.Min(rows, MostRowGroups));
                chunk += Groups(columns, Kernels.LogProbabilities.ChunkColumns);
            }

            firstToken += part.Out;
        }

        if (_headValues.Length < values.Columns)
        {
            _headValues = new float[values.Columns];
        }

        var found = _headValues.AsSpan(0, values.Columns);
        DownloadRaw(values, found);
        Finish(found, lists[rows..], rows, chunks, destination);
    }

    private static int LargestPart(Linear head)
    {
        var largest = 0;
        foreach (ref readonly var part in head.Parts.AsSpan())
        {
            largest = Math.Max(largest, part.Out);
        }

        return largest;
    }

    /// <summary>[rows] the rows that have targets, [rows + 1] where each one's targets begin, [targets] their tokens.</summary>
    private ReadOnlySpan<int> Lists(ReadOnlySpan<TokenTarget> targets, int rows)
    {
        var length = 2 * rows + 1 + targets.Length;
        if (_headTargets.Length < length)
        {
            _headTargets = new int[length];
        }

        var lists = _headTargets.AsSpan(0, length);
        var row = -1;
        for (var t = 0; t < targets.Length; t++)
        {
            if (t == 0 || targets[t].Row != targets[t - 1].Row)
            {
                lists[++row] = targets[t].Row;
                lists[rows + row] = t;
            }

            lists[2 * rows + 1 + t] = targets[t].TokenId;
        }

        lists[2 * rows] = targets.Length;
        return lists;
    }

    /// <summary>logit - log of the sum of e^logit over the whole vocabulary.</summary>
    private static void Finish(ReadOnlySpan<float> values, ReadOnlySpan<int> firstTargets, int rows, int chunks, Span<double> destination)
    {
        for (var row = 0; row < rows; row++)
        {
            var maxima = values.Slice(row * chunks, chunks);
            var sums = values.Slice((rows + row) * chunks, chunks);
            var largest = double.NegativeInfinity;
            foreach (var maximum in maxima)
            {
                largest = Math.Max(largest, maximum);
            }

            var shift = double.IsNegativeInfinity(largest) ? 0.0 : largest;
            var sum = 0.0;
            for (var chunk = 0; chunk < chunks; chunk++)
            {
                sum += sums[chunk] * Math.Exp((float.IsNegativeInfinity(maxima[chunk]) ? 0.0 : maxima[chunk]) - shift);
            }

            var normaliser = shift + Math.Log(sum);
            for (var target = firstTargets[row]; target < firstTargets[row + 1]; target++)
            {
                destination[target] = values[2 * rows * chunks + target] - normaliser;
            }
        }
    }
}
