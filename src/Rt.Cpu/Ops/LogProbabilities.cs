// log softmax(softcap(x Wᵀ + b)) at chosen tokens: blocks of rows by blocks of the vocabulary, each with its maximum and sum,
// combined in F64 in the order of the vocabulary. Logits exist only for one block at a time. Milakov and Gimelshein 2018, arXiv:1805.02867.
using Rt.Core;

namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    /// <summary>Vocabulary entries of one block. Fixed, because sums follow the blocks.</summary>
    private const int VocabularyBlock = 128;

    /// <summary>Most rows whose logits are computed together.</summary>
    private const int HeadRows = 480;

    public override void LogProbabilities(
        Tensor x, Linear head, double softCap, ReadOnlySpan<TokenTarget> targets, Span<double> destination)
    {
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
        var plan = PlanMatMul(head, rows, (long)rows * VocabularyBlock, VocabularyBlock);
        var partials = 2L * plan.ChunkCount * rows;
        var floats = workspace.State.Floats(partials + (long)rows * head.In + targets.Length);
        var gathered = floats + partials;
        var logits = gathered + (long)rows * head.In;
        var firstTargets = (int*)workspace.Plan.Bytes((rows + 1L) * sizeof(int));
        var view = new RowView(x);
        var row = -1;
        for (var t = 0; t < targets.Length; t++)
        {
            if (t == 0 || targets[t].Row != targets[t - 1].Row)
            {
                firstTargets[++row] = t;
                new ReadOnlySpan<float>(view.Row(targets[t].Row), head.In)
                    .CopyTo(new Span<float>(gathered + (long)row * head.In, head.In));
            }
        }

        firstTargets[rows] = targets.Length;
        PackRows(ref plan, gathered, head.In);
        fixed (TokenTarget* pinned = targets)
        {
            var job = new HeadJob
            {
                Plan = plan,
                SoftCap = softCap,
                Targets = pinned,
                FirstTargets = firstTargets,
                Maxima = floats,
                Sums = floats + (long)plan.ChunkCount * rows,
                Logits = logits,
            };
            pool.Run(ref job, plan.ChunkCount);
            for (row = 0; row < rows; row++)
            {
                var normaliser = job.LogSumOfExponentials(row);
                for (var t = firstTargets[row]; t < firstTargets[row + 1]; t++)
                {
                    destination[t] = logits[t] - normaliser;
                }
            }
        }
    }

    private struct HeadJob : IJob
    {
        public MatMulPlan Plan;
        public float SoftCap;
        public TokenTarget* Targets;

        /// <summary>[rows + 1]: where each row's targets begin.</summary>
        public int* FirstTargets;

        /// <summary>[chunks, rows]: maximum of a block, and sum of exponentials relative to it.</summary>
        public float* Maxima, Sums;

        /// <summary>One per target.</summary>
        public float* Logits;

        public void Run(int chunk, int worker)
        {
            var p = Plan.PartCount - 1;
            while (Plan.Parts[p].FirstChunk > chunk)
            {
                p--;
            }

            ref var part = ref Plan.Parts[p];
            var first = (chunk - part.FirstChunk) * VocabularyBlock;
            var count = Math.Min(part.Out - first, VocabularyBlock);
            // The caller's scratch lies before the forms' own.
            var block = (float*)(Plan.Scratch + worker * Plan.ScratchStride) - (long)Plan.Rows * VocabularyBlock;
            for (var n = 0; n < count; n += PackedOutputs)
            {
                MatMulBlock(
                    Plan, part, first + n, first + Math.Min(count, n + PackedOutputs), block + n, VocabularyBlock, false, worker);
            }

            for (var row = 0; row < Plan.Rows; row++)
            {
                var logits = block + row * VocabularyBlock;
                if (SoftCap != 0)
                {
                    ApplyRow<SoftCapFunction>(logits, logits, SoftCap, logits, count);
                }

                for (var t = FirstTargets[row]; t < FirstTargets[row + 1]; t++)
                {
                    var index = Targets[t].TokenId - part.Column - first;
                    if ((uint)index < (uint)count)
                    {
                        Logits[t] = logits[index];
                    }
                }

                var largest = LargestOf(logits, count);
                Maxima[(long)chunk * Plan.Rows + row] = largest;
                Sums[(long)chunk * Plan.Rows + row] =
                    SumOfExponentials(logits, largest == float.NegativeInfinity ? 0f : largest, count);
            }
        }

        /// <summary>log of the sum of e^logit over the whole vocabulary.</summary>
        public readonly double LogSumOfExponentials(int row)
        {
            var largest = double.NegativeInfinity;
            for (var chunk = 0; chunk < Plan.ChunkCount; chunk++)
            {
                largest = Math.Max(largest, Maxima[(long)chunk * Plan.Rows + row]);
            }

            var shift = double.IsNegativeInfinity(largest) ? 0.0 : largest;
            var sum = 0.0;
            for (var chunk = 0; chunk < Plan.ChunkCount; chunk++)
            {
                var index = (long)chunk * Plan.Rows + row;
                var maximum = Maxima[index];
                sum += Sums[index] * Math.Exp((float.IsNegativeInfinity(maximum) ? 0.0 : maximum) - shift);
            }

            return shift + Math.Log(sum);
        }
    }

    /// <summary>Sum of e^(x - shift).</summary>
    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveOptimization)]
    private static float SumOfExponentials(float* x, float shift, int width)
    {
        var s = TW.Create(shift);
        var sums = TW.Zero;
        var i = 0;
        for (; i <= width - TW.Count; i += TW.Count)
        {
            sums = TW.Add(sums, VectorMath.Exp<TW, TV>(TW.Subtract(TW.Load(x + i), s)));
        }

        var sum = TW.Sum(sums);
        for (; i < width; i++)
        {
            sum += VectorMath.Exp<SimdScalar, float>(x[i] - shift);
        }

        return sum;
    }
}
