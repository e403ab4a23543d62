// Which product comes after which: decoding repeats the same products at every token, and while it computes what lies between two of
// them, memory would be idle. Waiting threads ask for the first weights of the product that came next the last time.
using Rt.Core;

namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    /// <summary>Products remembered before all are forgotten: many times those of a model.</summary>
    private const int MostProducts = 16384;

    /// <summary>By a product's weights: where each thread began the product after it.</summary>
    private readonly Dictionary<nint, nint[]> _nextStarts = [];

    /// <summary>The entry of the product before this one.</summary>
    private nint[] _starts = new nint[pool.Threads];

    /// <summary>Notes where this product begins, as the successor of the one before, and tells the threads where its own successor did.</summary>
    private void ExpectNextProduct(in MatMulPlan plan)
    {
        for (var thread = 0; thread < _starts.Length; thread++)
        {
            var chunk = pool.StretchStart(thread, plan.ChunkCount);
            _starts[thread] = chunk < plan.ChunkCount ? (nint)FirstWeight(plan, chunk) : 0;
        }

        var product = (nint)plan.Parts[0].Weight;
        if (!_nextStarts.TryGetValue(product, out var next))
        {
            if (_nextStarts.Count == MostProducts)
            {
                _nextStarts.Clear();
            }

            next = new nint[pool.Threads];
            _nextStarts.Add(product, next);
        }

        pool.Expect(next);
        _starts = next;
    }

    private static byte* FirstWeight(in MatMulPlan plan, int chunk)
    {
        ref var part = ref plan.PartOf(chunk);
        var block = chunk - part.FirstChunk;
        var (row, column) = part.SlabSums != null ? (SlabStart(plan, block % plan.Slabs), block / plan.Slabs * part.ChunkOut)
            : part.InputMajor ? (0, block * part.ChunkOut)
            : (block * part.ChunkOut, 0);
        return part.Weight + (row * part.Stride + column) * part.Type.Bytes();
    }
}
