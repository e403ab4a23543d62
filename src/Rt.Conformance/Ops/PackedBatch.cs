// Packed batches for cases: sequences with and without kept prefixes over caches full of numbers, and fused query-key-value rows.
using Rt.Core;

namespace Rt.Conformance.Ops;

/// <summary>One sequence of a batch.</summary>
/// <param name="Rows">Its new rows.</param>
/// <param name="Start">Entries that its slot already holds.</param>
/// <param name="Prefix">Which prefix it sees, or -1.</param>
/// <param name="PrefixLength">Entries of the prefix.</param>
/// <param name="Aligned">Its positions begin at 0 instead of after the prefix.</param>
internal readonly record struct SequenceShape(int Rows, int Start = 0, int Prefix = -1, int PrefixLength = 0, bool Aligned = false);

/// <summary>The shape of a batch and of its heads.</summary>
/// <param name="Name">For messages.</param>
/// <param name="Sequences">The sequences in row order.</param>
internal sealed record BatchShape(string Name, params SequenceShape[] Sequences)
{
    /// <summary>Batches that reach every path of attention: one row or many, continued or not, prefixes shared and not.</summary>
    public static BatchShape[] All { get; } =
    [
        new("1 row", new SequenceShape(1)),
        new("decode at 70", new SequenceShape(1, 70)),
        new("decode at 257", new SequenceShape(1, 257)),
        new("3 rows at 61", new SequenceShape(3, 61)),
        new("prefill 17", new SequenceShape(17)),
        new("prefill 130", new SequenceShape(130)),
        new("33 rows at 64", new SequenceShape(33, 64)),
        new("prefix of 1", new SequenceShape(2, 0, 0, 1)),
        new("prefix of 5, continued", new SequenceShape(4, 3, 0, 5)),
        new("prefix of 64", new SequenceShape(9, 0, 0, 64)),
        new("think pass over 64", new SequenceShape(64, 0, 0, 64)),
        new("think pass over 64, aligned", new SequenceShape(64, 0, 0, 64, true)),
        new("prefix of 200 shared by six", [.. Enumerable.Range(1, 6).Select(i => new SequenceShape(i, i % 2 * 4, 0, 200))]),
        new("several prefixes",
            new SequenceShape(3, 0, 0, 64), new SequenceShape(1, 9, 1, 5), new SequenceShape(5, 2), new SequenceShape(2, 0, 0, 64),
            new SequenceShape(1, 0, 0, 33), new SequenceShape(4, 1, 1, 5, true), new SequenceShape(1, 20)),
        new("decode of five", [.. Enumerable.Range(0, 5).Select(i => new SequenceShape(1, 13 * i))]),
    ];
}

/// <summary>A batch on a device: caches, rows, and query, key and value views of fused rows.</summary>
internal sealed class PackedBatch
{
    /// <param name="bench">Where it lives.</param>
    /// <param name="shape">Sequences.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="kvHeads">Key-value heads.</param>
    /// <param name="headDim">Width of a head.</param>
    /// <param name="interleaved">Fused rows hold query, key and value head by head instead of all queries, all keys, all values;
    /// only where heads and key-value heads are equal.</param>
    /// <param name="spread">Standard deviation of queries and keys.</param>
    public PackedBatch(ConformanceBench bench, BatchShape shape, int heads, int kvHeads, int headDim, bool interleaved, double spread = 1)
    {
        var rowCount = shape.Sequences.Sum(s => s.Rows);
        var capacity = shape.Sequences.Max(s => s.Start + s.Rows) + 3;
        Cache = NewCache(bench, shape.Sequences.Length, kvHeads, capacity, headDim, spread);
        Rows = new RowBatch(rowCount, shape.Sequences.Length).Reset(Cache);
        var prefixCount = shape.Sequences.Max(s => s.Prefix) + 1;
        for (var p = 0; p < prefixCount; p++)
        {
            var longest = shape.Sequences.Where(s => s.Prefix == p).Max(s => s.PrefixLength);
            // The second prefix is the second slot of its cache.
            Rows.AddPrefix(NewCache(bench, p + 1, kvHeads, longest + 2, headDim, spread), p);
        }

        for (var s = 0; s < shape.Sequences.Length; s++)
        {
            var sequence = shape.Sequences[s];
            // Slots are not in the order of the sequences.
            var slot = (s + 1) % shape.Sequences.Length;
            Rows.Add(
                new int[sequence.Rows], slot, sequence.Start, sequence.Aligned ? 0 : sequence.PrefixLength, sequence.Prefix, sequence.PrefixLength);
        }

        var fused = bench.Activations(1, rowCount, (heads + 2 * kvHeads) * headDim, spread);
        if (interleaved && heads == kvHeads)
        {
            Query = fused.Heads(0, heads, headDim, 3 * headDim);
            Key = fused.Heads(headDim, kvHeads, headDim, 3 * headDim);
            Value = fused.Heads(2 * headDim, kvHeads, headDim, 3 * headDim);
        }
        else
        {
            Query = fused.Heads(0, heads, headDim, headDim);
            Key = fused.Heads(heads * headDim, kvHeads, headDim, headDim);
            Value = fused.Heads((heads + kvHeads) * headDim, kvHeads, headDim, headDim);
        }

        bench.Device.Begin(Rows);
    }

    public KvCache Cache { get; }

    public RowBatch Rows { get; }

    public Tensor Query { get; }

    public Tensor Key { get; }

    public Tensor Value { get; }

    /// <summary>Entries that the longest sequence sees.</summary>
    public int LongestKeys
    {
        get
        {
            var longest = 0;
            foreach (var sequence in Rows.Sequences)
            {
                longest = Math.Max(longest, sequence.PrefixLength + sequence.Length);
            }

            return longest;
        }
    }

    private static KvCache NewCache(ConformanceBench bench, int slots, int kvHeads, int capacity, int headDim, double spread)
    {
        var cache = bench.Own(new KvCache(bench.Device, 2, slots, kvHeads, capacity, headDim));
        bench.Fill(cache[1].Key, spread);
        bench.Fill(cache[1].Value);
        return cache;
    }
}
