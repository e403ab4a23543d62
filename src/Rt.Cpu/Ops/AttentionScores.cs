// The scores and probabilities of attention, unfused, for study: one row and head after the other, written out in full.
// Columns: the prefix's entries, then the sequence's own.
using Rt.Core;

namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    public override void AttentionScores(
        Tensor query, RowBatch rows, int layer, in AttentionOptions options, bool probabilities, Tensor destination)
    {
        var padded = PaddedColumns(query.Dim2);
        var job = new ScoresJob
        {
            Query = new RowView(query),
            Destination = new RowView(destination),
            Batch = rows,
            Layer = layer,
            Options = options,
            Slopes = options.AlibiSlopes is { } slopes ? (float*)slopes.HostPointer() : null,
            Probabilities = probabilities,
            Heads = query.Dim1,
            HeadDim = query.Dim2,
            Columns = destination.Dim2,
            Scratch = workspace.PerWorker(padded * sizeof(float), out var stride),
            ScratchStride = stride,
        };
        pool.Run(ref job, rows.SequenceCount * query.Dim1);
    }

    /// <summary>Chunk = one head of one sequence.</summary>
    private struct ScoresJob : IJob
    {
        public RowView Query, Destination;
        public RowBatch Batch;
        public AttentionOptions Options;
        public float* Slopes;
        public bool Probabilities;
        public int Layer, Heads, HeadDim, Columns;
        public byte* Scratch;
        public long ScratchStride;

        public void Run(int chunk, int worker)
        {
            ref readonly var sequence = ref Batch.Sequences[chunk / Heads];
            var head = chunk % Heads;
            var kvHead = head / (Heads / Batch.Cache.KvHeads);
            var query = (float*)(Scratch + worker * ScratchStride);
            for (var i = 0; i < sequence.RowCount; i++)
            {
                var row = sequence.FirstRow + i;
                CopyPaddedQuery(Query.Row(row, head), HeadDim, (float)Options.Scale, query);
                var scores = Destination.Row(row, head);
                new Span<float>(scores, Columns).Fill(float.NegativeInfinity);
                if (sequence.PrefixLength > 0)
                {
                    ScorePart(Group(Batch.Prefixes[sequence.Prefix], Layer, sequence.PrefixLength), kvHead,
                        sequence.PrefixLength - 1, Batch.Positions[row], head, query, scores);
                }

                var entry = sequence.Start + i;
                ScorePart(Group(new KvPrefix(Batch.Cache, sequence.Slot), Layer, sequence.Length), kvHead,
                    entry, entry, head, query, scores + sequence.PrefixLength);
                if (Probabilities)
                {
                    var shift = LargestOf(scores, Columns);
                    Exponentials(scores, float.IsNegativeInfinity(shift) ? 0f : shift, Columns);
                    ScaleRow(scores, 1f / SumOfLanes(scores, Columns), Columns, scores);
                }
            }
        }

        private readonly void ScorePart(
            in AttentionGroup keys, int kvHead, int last, int centre, int head, float* query, float* scores)
        {
            var window = Options.Window;
            var from = window > 0 ? Math.Max(0, centre - window + 1) : 0;
            var to = (int)Math.Min(last, window > 0 ? (long)centre + window - 1 : last) + 1;
            if (from < to)
            {
                KeyDots(query, keys.Key + kvHead * keys.HeadStride, (nint)keys.EntryStride, HeadDim, from, to, scores);
                AdjustScores(scores, from, to, 0, (float)Options.SoftCap, Slopes == null ? 0f : Slopes[head], centre);
            }
        }
    }

    private static void CopyPaddedQuery(float* query, int headDim, float scale, float* padded)
    {
        ScaleRow(query, scale, headDim, padded);
        new Span<float>(padded + headDim, PaddedColumns(headDim) - headDim).Clear();
    }
}
