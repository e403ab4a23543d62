// Attention without softmax in its two dual forms: sum_i v_i (k_i . q), and (sum_i v_i k_iᵀ) q with the matrix accumulated row by row.
// Irie et al. 2022, arXiv:2202.05798; Dai et al. 2022, arXiv:2212.10559.
using Rt.Core;

namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    public override void LinearAttention(
        Tensor query, RowBatch rows, int layer, double scale, LinearAttentionForm form, Tensor destination)
    {
        var headDim = query.Dim2;
        var padded = PaddedColumns(headDim);
        // A block of scores, a padded query, a padded output, and the matrix [head_dim, padded].
        var floats = KeyBlock + 2L * padded + (form == LinearAttentionForm.WeightMatrix ? (long)headDim * padded : 0);
        var job = new LinearAttentionJob
        {
            Query = new RowView(query),
            Destination = new RowView(destination),
            Batch = rows,
            Layer = layer,
            Scale = (float)scale,
            Form = form,
            Heads = query.Dim1,
            HeadDim = headDim,
            Padded = padded,
            Scratch = workspace.PerWorker(floats * sizeof(float), out var stride),
            ScratchStride = stride,
        };
        pool.Run(ref job, rows.SequenceCount * rows.Cache.KvHeads);
    }

    /// <summary>Chunk = one key-value head of one sequence.</summary>
    private struct LinearAttentionJob : IJob
    {
        public RowView Query, Destination;
        public RowBatch Batch;
        public float Scale;
        public LinearAttentionForm Form;
        public int Layer, Heads, HeadDim, Padded;
        public byte* Scratch;
        public long ScratchStride;

        public void Run(int chunk, int worker)
        {
            var kvHeads = Batch.Cache.KvHeads;
            ref readonly var sequence = ref Batch.Sequences[chunk / kvHeads];
            var kvHead = chunk % kvHeads;
            var scratch = (float*)(Scratch + worker * ScratchStride);
            var prefix = sequence.PrefixLength > 0
                ? Group(Batch.Prefixes[sequence.Prefix], Layer, sequence.PrefixLength)
                : default;
            var own = Group(new KvPrefix(Batch.Cache, sequence.Slot), Layer, sequence.Length);
            var matrix = scratch + KeyBlock + 2 * Padded;
            if (Form == LinearAttentionForm.WeightMatrix)
            {
                new Span<float>(matrix, HeadDim * Padded).Clear();
                AddOuterProducts(prefix, kvHead, 0, prefix.KeyCount, matrix);
                AddOuterProducts(own, kvHead, 0, sequence.Start, matrix);
            }

            var headsPerKv = Heads / kvHeads;
            for (var i = 0; i < sequence.RowCount; i++)
            {
                if (Form == LinearAttentionForm.WeightMatrix)
                {
                    AddOuterProducts(own, kvHead, sequence.Start + i, sequence.Start + i + 1, matrix);
                }

                for (var h = 0; h < headsPerKv; h++)
                {
                    var row = sequence.FirstRow + i;
                    var head = kvHead * headsPerKv + h;
                    var query = scratch + KeyBlock;
                    CopyPaddedQuery(Query.Row(row, head), HeadDim, Scale, query);
                    var result = Destination.Row(row, head);
                    if (Form == LinearAttentionForm.WeightMatrix)
                    {
                        KeyDots(query, matrix, Padded, HeadDim, 0, HeadDim, result);
                        continue;
                    }

                    var output = scratch + KeyBlock + Padded;
                    new Span<float>(output, Padded).Clear();
                    AddScoredValues(prefix, kvHead, prefix.KeyCount, query, scratch, output);
                    AddScoredValues(own, kvHead, sequence.Start + i + 1, query, scratch, output);
                    new ReadOnlySpan<float>(output, HeadDim).CopyTo(new Span<float>(result, HeadDim));
                }
            }
        }

        private readonly void AddScoredValues(
            in AttentionGroup keys, int kvHead, int count, float* query, float* scores, float* output)
        {
            for (var first = 0; first < count; first += KeyBlock)
            {
                var block = Math.Min(KeyBlock, count - first);
                var offset = kvHead * keys.HeadStride + first * keys.EntryStride;
                KeyDots(query, keys.Key + offset, (nint)keys.EntryStride, HeadDim, 0, block, scores);
                AddWeighted(scores, keys.Value + offset, (nint)keys.EntryStride, HeadDim, 0, block, output);
            }
        }

        /// <summary>matrix[d][e] += value[d] * key[e] for entries from first to last.</summary>
        private readonly void AddOuterProducts(in AttentionGroup keys, int kvHead, int first, int last, float* matrix)
        {
            var values = stackalloc float[4];
            for (var entry = first; entry < last;)
            {
                var key = keys.Key + kvHead * keys.HeadStride + entry * keys.EntryStride;
                var value = keys.Value + kvHead * keys.HeadStride + entry * keys.EntryStride;
                var count = Math.Min(4, last - entry);
                for (var d = 0; d < HeadDim; d++)
                {
                    for (var i = 0; i < count; i++)
                    {
                        values[i] = value[i * keys.EntryStride + d];
                    }

                    if (count == 4)
                    {
                        AddFour1<WeightF32>(values, (byte*)key, keys.EntryStride, HeadDim, matrix + d * Padded);
                    }
                    else
                    {
                        AddOneByOne<WeightF32>(values, (byte*)key, keys.EntryStride, count, HeadDim, matrix + d * Padded);
                    }
                }

                entry += count;
            }
        }
    }
}
