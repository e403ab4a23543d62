// Rotary positions of queries (in place) and keys, and the write of keys and values into the cache.
// Su et al. 2021, arXiv:2104.09864; half-split pairs (i, i + d/2) or interleaved pairs (2i, 2i + 1).
using Rt.Core;

namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    public override void AppendKv(Tensor query, Tensor key, Tensor value, RowBatch rows, int layer, RotaryTable? rotary)
    {
        var cache = rows.Cache[layer];
        var job = new AppendKvJob
        {
            Query = new RowView(query),
            Key = new RowView(key),
            Value = new RowView(value),
            CacheKey = new RowView(cache.Key),
            CacheValue = new RowView(cache.Value),
            Rows = rows,
            Heads = query.Dim1,
            KvHeads = key.Dim1,
            HeadDim = key.Dim2,
        };
        if (rotary is not null)
        {
            job.Cos = new RowView(rotary.Cos);
            job.Sin = new RowView(rotary.Sin);
            job.Half = rotary.RotaryDim / 2;
            job.Interleaved = rotary.Interleaved;
            job.ByRow = rotary.ByRow;
        }

        var chunks = Split(rows.RowCount, (query.Dim1 + 2L * key.Dim1) * key.Dim2, out job.RowsPerChunk);
        pool.Run(ref job, chunks);
    }

    private struct AppendKvJob : IJob
    {
        public RowView Query, Key, Value, CacheKey, CacheValue, Cos, Sin;
        public RowBatch Rows;
        public int Heads, KvHeads, HeadDim, Half, RowsPerChunk;
        public bool Interleaved, ByRow;

        public void Run(int chunk, int worker)
        {
            var first = chunk * RowsPerChunk;
            var last = Math.Min(Rows.RowCount, first + RowsPerChunk);
            var positions = Rows.Positions;
            foreach (ref readonly var sequence in Rows.Sequences)
            {
                var end = Math.Min(last, sequence.FirstRow + sequence.RowCount);
                for (var row = Math.Max(first, sequence.FirstRow); row < end; row++)
                {
                    var entry = sequence.Start + row - sequence.FirstRow;
                    var angle = ByRow ? row : positions[row];
                    for (var head = 0; Half > 0 && head < Heads; head++)
                    {
                        var q = Query.Row(row, head);
                        Rotate(q, q, angle);
                    }

                    for (var head = 0; head < KvHeads; head++)
                    {
                        var slot = sequence.Slot * KvHeads + head;
                        var k = Key.Row(row, head);
                        var to = CacheKey.Row(slot, entry);
                        var rotated = 2 * Half;
                        if (Half > 0)
                        {
                            Rotate(k, to, angle);
                        }

                        new ReadOnlySpan<float>(k + rotated, HeadDim - rotated).CopyTo(new Span<float>(to + rotated, HeadDim - rotated));
                        new ReadOnlySpan<float>(Value.Row(row, head), HeadDim).CopyTo(new Span<float>(CacheValue.Row(slot, entry), HeadDim));
                    }
                }
            }
        }

        private readonly void Rotate(float* source, float* target, int angle)
        {
            var cos = Cos.Row(0, angle);
            var sin = Sin.Row(0, angle);
            if (Interleaved)
            {
                for (var i = 0; i < Half; i++)
                {
                    float a = source[2 * i], b = source[2 * i + 1];
                    target[2 * i] = a * cos[i] - b * sin[i];
                    target[2 * i + 1] = b * cos[i] + a * sin[i];
                }

                return;
            }

            var n = 0;
            for (; n <= Half - TW.Count; n += TW.Count)
            {
                TV a = TW.Load(source + n), b = TW.Load(source + Half + n);
                TV c = TW.Load(cos + n), s = TW.Load(sin + n);
                TW.Store(TW.Subtract(TW.Multiply(a, c), TW.Multiply(b, s)), target + n);
                TW.Store(TW.Add(TW.Multiply(b, c), TW.Multiply(a, s)), target + Half + n);
            }

            for (; n < Half; n++)
            {
                float a = source[n], b = source[Half + n];
                target[n] = a * cos[n] - b * sin[n];
                target[Half + n] = b * cos[n] + a * sin[n];
            }
        }
    }
}
