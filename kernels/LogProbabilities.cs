// Log-softmax of chosen tokens: maxima and sums of exponentials of blocks of logits.
// Source: Milakov and Gimelshein 2018, arXiv:1805.02867.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>The first stage of log-probabilities: per row and chunk of the vocabulary its maximum, its sum, its targets' logits.</summary>
public static class LogProbabilities
{
    /// <summary>Threads per group.</summary>
    public const int GroupSize = 256;

    /// <summary>Logits of one chunk.</summary>
    public const int ChunkColumns = GroupSize * 4 * Turns;

    private const int Turns = 4;

    /// <summary>One chunk of one row.</summary>
    /// <param name="logits">[rows, columns], a block of the vocabulary.</param>
    /// <param name="stride">Elements from one row to the next.</param>
    /// <param name="columns">Logits of a row in this block.</param>
    /// <param name="firstToken">Token of the block's first column.</param>
    /// <param name="softCap">Final soft cap; 0 for none.</param>
    /// <param name="firstTargets">[rows + 1]: where each row's targets begin.</param>
    /// <param name="tokens">[targets], by row.</param>
    /// <param name="targetLogits">[targets]: receives the logits of the targets in the chunk.</param>
    /// <param name="maxima">[rows, chunks]: receives the chunk's maximum.</param>
    /// <param name="sums">[rows, chunks]: receives the sum of e^(logit - maximum).</param>
    /// <param name="firstChunk">Index of the block's first chunk.</param>
    /// <param name="chunks">Chunks of the whole vocabulary.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="aligned">Whether four logits may be read at once.</param>
    /// <remarks>Grid: x = chunks of the block, y = rows (with a stride). Group 256. Shared 128 bytes. Reads 4 bytes per logit; about 10 FLOPs each.</remarks>
    [Kernel(GroupSize)]
    [Instance(typeof(float))]
    [Instance(typeof(BFloat16))]
    [Instance(typeof(Half))]
    internal static void LogProbabilitiesKernel<TA>(
        [ReadOnlyView] ArrayView<float> logits, long stride, int columns, int firstToken, float softCap,
        [ReadOnlyView] ArrayView<int> firstTargets, [ReadOnlyView] ArrayView<int> tokens, ArrayView<float> targetLogits,
        ArrayView<float> maxima, ArrayView<float> sums, int firstChunk, int chunks, int rows, bool aligned)
        where TA : unmanaged
    {
        var partials = SharedMemory.Allocate<float>(32);
        var start = Grid.IdxX * ChunkColumns;
        var end = XMath.Min(columns, start + ChunkColumns);
        for (var row = Grid.IdxY; row < rows; row += Grid.DimY)
        {
            var line = logits.SubView(row * stride);
            var values = LocalMemory.Allocate<float>(4 * Turns);
            var maximum = float.NegativeInfinity;
            for (var turn = 0; turn < Turns; turn++)
            {
                var first = start + (turn * GroupSize + Group.IdxX) * 4;
                Vectors.Load(line, first, columns, aligned, values, turn * 4, 4);
                for (var i = 0; i < 4; i++)
                {
                    if (first + i < end)
                    {
                        values[turn * 4 + i] = Capped<TA>(values[turn * 4 + i], softCap);
                        maximum = XMath.Max(maximum, values[turn * 4 + i]);
                    }
                }
            }

            maximum = GroupReduce.Max(maximum, partials);

            // A chunk of -infinities alone has no finite maximum to subtract.
            var shift = maximum == float.NegativeInfinity ? 0f : maximum;
            var sum = 0f;
            for (var turn = 0; turn < Turns; turn++)
            {
                var first = start + (turn * GroupSize + Group.IdxX) * 4;
                for (var i = 0; i < 4; i++)
                {
                    if (first + i < end)
                    {
                        sum += ElementMath.Exp<TA>(values[turn * 4 + i] - shift);
                    }
                }
            }

            sum = GroupReduce.Sum(sum, partials);
            if (Group.IdxX == 0)
            {
                maxima[row * chunks + firstChunk + Grid.IdxX] = maximum;
                sums[row * chunks + firstChunk + Grid.IdxX] = sum;
            }

            for (var target = firstTargets[row] + Group.IdxX; target < firstTargets[row + 1]; target += GroupSize)
            {
                var column = tokens[target] - firstToken;
                if (column >= start && column < end)
                {
                    targetLogits[target] = Capped<TA>(line[column], softCap);
                }
            }
        }
    }

    /// <summary>Work of one block.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Logits of a row.</param>
    public static KernelCost Cost(int rows, int columns) =>
        new(4L * rows * columns, 8L * rows * ((columns + ChunkColumns - 1) / ChunkColumns), 10L * rows * columns);

    private static float Capped<TA>(float logit, float softCap) where TA : unmanaged
    {
        var result = logit;
        if (softCap > 0f)
        {
            result = softCap * ElementMath.Tanh<TA>(logit / softCap);
        }

        return result;
    }
}
