// Rotary positions of queries (in place) and keys, and the write of keys and values into the cache.
// Su et al. 2021, arXiv:2104.09864; half-split pairs (i, i + d/2) or interleaved pairs (2i, 2i + 1).
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>The kernel of AppendKv.</summary>
public static class AppendKv
{
    /// <summary>Rotates the queries of a batch in place, and rotates keys and copies values into the cache.</summary>
    /// <remarks>
    /// A unit is <typeparamref name="TVector"/> pairs of a head that rotate, or as many elements that do not; one thread each.
    /// Grid: x rows, y units / 128. Group: 128 threads. Shared: none.
    /// Reads (heads x rotary_dim + 2 x kv_heads x head_dim) elements per row and the row's cosines and sines, writes as many.
    /// FLOPs: 3 x rotary_dim per rotated head.
    /// </remarks>
    /// <param name="query">[rows, heads, head_dim], rotated in place.</param>
    /// <param name="queryRowStride">Elements from row to row.</param>
    /// <param name="queryHeadStride">Elements from head to head.</param>
    /// <param name="key">[rows, kv_heads, head_dim].</param>
    /// <param name="keyRowStride">Elements from row to row.</param>
    /// <param name="keyHeadStride">Elements from head to head.</param>
    /// <param name="value">[rows, kv_heads, head_dim].</param>
    /// <param name="valueRowStride">Elements from row to row.</param>
    /// <param name="valueHeadStride">Elements from head to head.</param>
    /// <param name="cacheKey">[slots x kv_heads, capacity, head_dim].</param>
    /// <param name="cacheValue">As <paramref name="cacheKey"/>, with the same strides.</param>
    /// <param name="cacheHeadStride">Elements from one head of a slot to the next.</param>
    /// <param name="cacheEntryStride">Elements from entry to entry.</param>
    /// <param name="sequenceOfRow">[rows].</param>
    /// <param name="sequences">[sequences, 8]: first row, rows, slot, start, ...</param>
    /// <param name="angleOfRow">[rows] index into the tables: the position, or empty for the row itself.</param>
    /// <param name="cos">[angles, rotary_dim / 2].</param>
    /// <param name="sin">As <paramref name="cos"/>.</param>
    /// <param name="angleStride">Elements from one angle to the next.</param>
    /// <param name="rotaryDim">Leading elements of a head that rotate; 0 for none.</param>
    /// <param name="interleaved">Pairs are (2i, 2i + 1), else (i, i + rotary_dim / 2).</param>
    /// <param name="headDim">Elements of a head.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="kvHeads">Key-value heads.</param>
    [Kernel(128)]
    [Instance(typeof(float), typeof(Count1)), Instance(typeof(float), typeof(Count4))]
    [Instance(typeof(BFloat16), typeof(Count1)), Instance(typeof(BFloat16), typeof(Count8))]
    [Instance(typeof(Half), typeof(Count1)), Instance(typeof(Half), typeof(Count8))]
    public static void AppendKvKernel<A, TVector>(
        ArrayView<A> query, long queryRowStride, int queryHeadStride,
        [ReadOnlyView] ArrayView<A> key, long keyRowStride, int keyHeadStride,
        [ReadOnlyView] ArrayView<A> value, long valueRowStride, int valueHeadStride,
        ArrayView<A> cacheKey, ArrayView<A> cacheValue, long cacheHeadStride, int cacheEntryStride,
        [ReadOnlyView] ArrayView<int> sequenceOfRow, [ReadOnlyView] ArrayView<int> sequences, [ReadOnlyView] ArrayView<int> angleOfRow,
        [ReadOnlyView] ArrayView<A> cos, [ReadOnlyView] ArrayView<A> sin, int angleStride,
        int rotaryDim, bool interleaved, int headDim, int heads, int kvHeads)
        where A : unmanaged
        where TVector : ICount
    {
        var row = Grid.IdxX;
        var sequence = sequenceOfRow[row] * 8;
        var entry = sequences[sequence + 3] + row - sequences[sequence];
        var cacheStart = (long)sequences[sequence + 2] * kvHeads * cacheHeadStride + (long)entry * cacheEntryStride;
        var angle = angleOfRow.Length > 0 ? angleOfRow[row] : row;

        // Units: rotated queries, rotated keys, the rest of the keys, values.
        var rotated = rotaryDim / (2 * TVector.Value);
        var plain = (headDim - rotaryDim) / TVector.Value;
        var copied = headDim / TVector.Value;
        var unit = Grid.IdxY * Group.DimX + Group.IdxX;
        if (unit < (heads + kvHeads) * rotated)
        {
            var head = unit / rotated;
            var pair = unit % rotated * TVector.Value;
            var angles = (long)angle * angleStride + pair;
            if (head < heads)
            {
                var start = row * queryRowStride + (long)head * queryHeadStride;
                Rotate<A, TVector>(query, start, query, start, cos, sin, angles, pair, rotaryDim / 2, interleaved);
            }
            else
            {
                head -= heads;
                Rotate<A, TVector>(
                    key, row * keyRowStride + (long)head * keyHeadStride, cacheKey, cacheStart + head * cacheHeadStride,
                    cos, sin, angles, pair, rotaryDim / 2, interleaved);
            }

            return;
        }

        unit -= (heads + kvHeads) * rotated;
        if (unit < kvHeads * plain)
        {
            var head = unit / plain;
            var element = rotaryDim + unit % plain * TVector.Value;
            Move<A, TVector>(
                key, row * keyRowStride + (long)head * keyHeadStride + element,
                cacheKey, cacheStart + head * cacheHeadStride + element);
            return;
        }

        unit -= kvHeads * plain;
        if (unit < kvHeads * copied)
        {
            var head = unit / copied;
            var element = unit % copied * TVector.Value;
            Move<A, TVector>(
                value, row * valueRowStride + (long)head * valueHeadStride + element,
                cacheValue, cacheStart + head * cacheHeadStride + element);
        }
    }

    /// <summary>Units of one row: threads of grid y.</summary>
    /// <param name="vector">Elements of a unit.</param>
    /// <param name="rotaryDim">Leading elements of a head that rotate.</param>
    /// <param name="headDim">Elements of a head.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="kvHeads">Key-value heads.</param>
    public static int Units(int vector, int rotaryDim, int headDim, int heads, int kvHeads) =>
        (heads + kvHeads) * (rotaryDim / (2 * vector)) + kvHeads * ((headDim - rotaryDim) / vector + headDim / vector);

    /// <summary>What <see cref="AppendKvKernel"/> costs.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="rotaryDim">Leading elements of a head that rotate.</param>
    /// <param name="headDim">Elements of a head.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="kvHeads">Key-value heads.</param>
    /// <param name="elementBytes">Bytes of an element.</param>
    public static KernelCost Cost(long rows, int rotaryDim, int headDim, int heads, int kvHeads, int elementBytes)
    {
        var moved = rows * (heads * rotaryDim + 2 * kvHeads * headDim) * elementBytes;
        return new KernelCost(moved + rows * rotaryDim * elementBytes, moved, 3 * rows * (heads + kvHeads) * rotaryDim);
    }

    private static void Rotate<A, TVector>(
        ArrayView<A> source, long sourceStart, ArrayView<A> target, long targetStart,
        ArrayView<A> cos, ArrayView<A> sin, long angles, int pair, int half, bool interleaved)
        where A : unmanaged
        where TVector : ICount
    {
        var c = LocalMemory.Allocate<float>(TVector.Value);
        var s = LocalMemory.Allocate<float>(TVector.Value);
        var x = LocalMemory.Allocate<float>(TVector.Value);
        var y = LocalMemory.Allocate<float>(TVector.Value);
        Load<A, TVector>(cos, angles, c);
        Load<A, TVector>(sin, angles, s);
        // The unit's two vectors: the pairs' first and second elements, or half of the pairs each.
        var first = interleaved ? 2 * pair : pair;
        var second = interleaved ? 2 * pair + TVector.Value : pair + half;
        Load<A, TVector>(source, sourceStart + first, x);
        Load<A, TVector>(source, sourceStart + second, y);
        if (interleaved && TVector.Value == 1)
        {
            Turn(ref x[0], ref y[0], c[0], s[0]);
        }
        else if (interleaved)
        {
            for (var i = 0; i < TVector.Value / 2; i++)
            {
                Turn(ref x[2 * i], ref x[2 * i + 1], c[i], s[i]);
                Turn(ref y[2 * i], ref y[2 * i + 1], c[TVector.Value / 2 + i], s[TVector.Value / 2 + i]);
            }
        }
        else
        {
            for (var i = 0; i < TVector.Value; i++)
            {
                Turn(ref x[i], ref y[i], c[i], s[i]);
            }
        }

        Store<A, TVector>(x, target, targetStart + first);
        Store<A, TVector>(y, target, targetStart + second);
    }

    private static void Turn(ref float x, ref float y, float cos, float sin)
    {
        var turned = x * cos - y * sin;
        y = y * cos + x * sin;
        x = turned;
    }

    private static void Move<A, TVector>(ArrayView<A> source, long sourceStart, ArrayView<A> target, long targetStart)
        where A : unmanaged
        where TVector : ICount
    {
        var values = LocalMemory.Allocate<float>(TVector.Value);
        Load<A, TVector>(source, sourceStart, values);
        Store<A, TVector>(values, target, targetStart);
    }

    private static void Load<A, TVector>(ArrayView<A> source, long start, ArrayView<float> values)
        where A : unmanaged
        where TVector : ICount
    {
        if (TVector.Value == 1)
        {
            values[0] = Element.ToFloat(source[start]);
        }
        else
        {
            Vectors.Load(source.SubView(start), values, TVector.Value);
        }
    }

    private static void Store<A, TVector>(ArrayView<float> values, ArrayView<A> target, long start)
        where A : unmanaged
        where TVector : ICount
    {
        if (TVector.Value == 1)
        {
            target[start] = Element.FromFloat<A>(values[0]);
        }
        else
        {
            Vectors.Store(target.SubView(start), values, TVector.Value);
        }
    }
}
