// What the attention kernels share: the description of a tile of lanes, the keys it sees, and the arithmetic of scores.
// Online softmax: Milakov and Gimelshein 2018, arXiv:1805.02867; tiles: Dao 2023, arXiv:2307.08691; splits over keys: Flash-Decoding, Dao et al. 2023.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>A tile: lanes of one key-value head that read the same keys together. Made on the host, one per index of grid x.</summary>
/// <remarks>The list names rows by <see cref="ListSize"/> ints: the row of the batch, its entry in its sequence's slot (it sees entries
/// 0..entry), its position, the entries it sees of the prefix (at positions 0..prefix length - 1), and its index among the rows that
/// are merged from parts.
/// Lane i of a segment is head i % group heads of row i / group heads of the segment's rows in the list.</remarks>
public struct AttentionTile
{
    /// <summary>Ints of a tile in memory.</summary>
    public const int Size = 16;

    /// <summary>Ints of a row in the list.</summary>
    public const int ListSize = 8;

    /// <summary>Ints of a lane in shared memory: the first of its row's.</summary>
    public const int LaneSize = 4;

    /// <summary>The tile runs over its prefix and then its own keys, and writes the result.</summary>
    public const int Whole = 0;

    /// <summary>The tile runs over one part of its prefix, and writes a partial result.</summary>
    public const int PrefixPart = 1;

    /// <summary>The tile runs over one part of its own keys, and writes a partial result.</summary>
    public const int OwnPart = 2;

    /// <summary>First row in the list of the segment.</summary>
    public int FirstListed;

    /// <summary>First lane, counted from the first of the segment.</summary>
    public int FirstLane;

    /// <summary>Lanes of the tile.</summary>
    public int Lanes;

    /// <summary><see cref="Whole"/>, <see cref="PrefixPart"/> or <see cref="OwnPart"/>.</summary>
    public int Mode;

    /// <summary>Slot of the own keys; used unless a prefix part.</summary>
    public int Slot;

    /// <summary>Slot of the prefix in its cache.</summary>
    public int PrefixSlot;

    /// <summary>Least and greatest entry of the rows.</summary>
    public int LeastEntry, GreatestEntry;

    /// <summary>Least and greatest position of the rows.</summary>
    public int LeastPosition, GreatestPosition;

    /// <summary>Least and greatest prefix length of the rows.</summary>
    public int LeastPrefix, GreatestPrefix;

    /// <summary>Where the ints of a lane's row begin in the list.</summary>
    public readonly int Listed(int lane, int groupHeads) => (FirstListed + (FirstLane + lane) / groupHeads) * ListSize;

    /// <summary>Index of the partial result of a lane: [parts, merged rows, heads].</summary>
    public readonly long Partial(int lane, int groupHeads, int head, ArrayView<int> list, int mergedRows, int heads) =>
        ((long)Grid.IdxZ * mergedRows + list[Listed(lane, groupHeads) + 4]) * heads + head;

    /// <summary>Reads a tile.</summary>
    public static AttentionTile Read(ArrayView<int> tiles, int index)
    {
        var vectors = tiles.Cast<Vec4<int>>();
        var lanes = vectors[index * (Size / 4)];
        var keys = vectors[index * (Size / 4) + 1];
        var bounds = vectors[index * (Size / 4) + 2];
        AttentionTile tile;
        tile.FirstListed = lanes[0];
        tile.FirstLane = lanes[1];
        tile.Lanes = lanes[2];
        tile.Mode = lanes[3];
        tile.Slot = keys[0];
        tile.PrefixSlot = keys[1];
        tile.LeastEntry = keys[2];
        tile.GreatestEntry = keys[3];
        tile.LeastPosition = bounds[0];
        tile.GreatestPosition = bounds[1];
        tile.LeastPrefix = bounds[2];
        tile.GreatestPrefix = bounds[3];
        return tile;
    }
}

/// <summary>The entries that a tile reads: of the prefix, then its own. Either may be empty.</summary>
public struct AttentionKeys
{
    /// <summary>Entries [first, end) of the prefix.</summary>
    public int PrefixFirst, PrefixEnd;

    /// <summary>Entries [first, end) of the own keys.</summary>
    public int OwnFirst, OwnEnd;

    /// <summary>The entries of part <paramref name="part"/> of a tile that its lanes can see. Prefix parts come first.</summary>
    /// <param name="tile">The tile.</param>
    /// <param name="part">Index of grid z.</param>
    /// <param name="window">Window in positions, 0 for none.</param>
    /// <param name="prefixParts">Parts of prefixes.</param>
    /// <param name="prefixChunk">Entries of a part of a prefix.</param>
    /// <param name="ownChunk">Entries of a part of own keys.</param>
    public static AttentionKeys Of(AttentionTile tile, int part, int window, int prefixParts, int prefixChunk, int ownChunk)
    {
        AttentionKeys keys;
        keys.PrefixFirst = 0;
        keys.PrefixEnd = tile.GreatestPrefix;
        keys.OwnFirst = 0;
        keys.OwnEnd = tile.GreatestEntry + 1;
        if (window > 0)
        {
            keys.PrefixFirst = XMath.Max(0, tile.LeastPosition - window + 1);
            keys.PrefixEnd = XMath.Min(keys.PrefixEnd, tile.GreatestPosition + window);
            keys.OwnFirst = XMath.Max(0, tile.LeastEntry - window + 1);
        }

        if (tile.Mode == AttentionTile.PrefixPart)
        {
            keys.PrefixFirst = XMath.Max(keys.PrefixFirst, part * prefixChunk);
            keys.PrefixEnd = part < prefixParts ? XMath.Min(keys.PrefixEnd, (part + 1) * prefixChunk) : 0;
            keys.OwnEnd = 0;
        }
        else if (tile.Mode == AttentionTile.OwnPart)
        {
            var ownPart = part - prefixParts;
            keys.OwnFirst = XMath.Max(keys.OwnFirst, ownPart * ownChunk);
            keys.OwnEnd = ownPart >= 0 ? XMath.Min(keys.OwnEnd, (ownPart + 1) * ownChunk) : 0;
            keys.PrefixEnd = 0;
        }
        else if (part > 0)
        {
            keys.OwnEnd = 0;
            keys.PrefixEnd = 0;
        }

        return keys;
    }

    /// <summary>Blocks of <paramref name="block"/> entries, beginning at multiples of it, that hold [first, end).</summary>
    public static int Blocks(int first, int end, int block) => end > first ? (end - 1) / block - first / block + 1 : 0;
}

/// <summary>What one lane sees of a run of entries, and how its scores are made.</summary>
public struct AttentionLane
{
    /// <summary>First and last entry seen.</summary>
    public int Low, High;

    /// <summary>The entry at the lane's own position: distances count from it.</summary>
    public int Centre;

    /// <summary>The lane's bounds over a prefix, whose entries sit at positions 0, 1, ..., or over its own entries.</summary>
    public static AttentionLane Of(bool inPrefix, int entry, int position, int prefixLength, int window)
    {
        AttentionLane lane;
        lane.Centre = inPrefix ? position : entry;
        lane.Low = window > 0 ? XMath.Max(0, lane.Centre - window + 1) : 0;
        lane.High = inPrefix ? prefixLength - 1 : entry;
        if (inPrefix && window > 0)
        {
            lane.High = XMath.Min(lane.High, position + window - 1);
        }

        return lane;
    }
}

/// <summary>Scores and probabilities. F32 activations keep natural units and exact exponentials; half activations count scores in
/// base 2 and take the approximate instruction.</summary>
public static class AttentionMath
{
    /// <summary>log2(e).</summary>
    public const float Log2E = 1.44269504088896341f;

    /// <summary>What scores are multiplied by before <see cref="Exponential"/>: 1, or log2(e).</summary>
    public static float Unit<A>() where A : unmanaged => Element.Is<A, float>() ? 1f : Log2E;

    /// <summary>e^x of a score in the units of <see cref="Unit"/>; 0 of -infinity.</summary>
    public static float Exponential<A>(float score) where A : unmanaged =>
        Element.Is<A, float>() ? XMath.Exp(score) : Approximate.Exp2(score);

    /// <summary>A scaled score with soft cap and ALiBi, in natural units.</summary>
    public static float Shape<A>(float score, float softCap, float slope, int distance) where A : unmanaged
    {
        if (softCap > 0)
        {
            score = softCap * Tanh<A>(score / softCap);
        }

        return score - slope * (float)distance;
    }

    /// <summary>tanh: exact for F32 activations, else from the approximate exponential with an absolute error of some 2^-22, which
    /// the approximate instruction (2^-10) would not keep below the rounding of scores.</summary>
    private static float Tanh<A>(float x) where A : unmanaged =>
        Element.Is<A, float>() ? XMath.Tanh(x) : 1f - 2f * Approximate.Rcp(1f + Approximate.Exp2(2f * Log2E * x));

    /// <summary>What the maximum is taken off as: itself, or 0 where no key was seen yet.</summary>
    public static float Finite(float maximum) => maximum == float.NegativeInfinity ? 0f : maximum;
}

/// <summary>The blocks of entries that a tile goes through: those of its prefix, then its own.</summary>
public struct AttentionBlocks
{
    /// <summary>Blocks of the prefix, and in all.</summary>
    public int PrefixCount, Count;

    /// <summary>First block of the prefix and of the own keys, in blocks from entry 0.</summary>
    public int PrefixFirst, OwnFirst;

    /// <summary>Where blocks need no mask: from the greatest of the lanes' first entries to the least of their last ones.</summary>
    public int PrefixLow, PrefixHigh, OwnLow, OwnHigh;

    /// <summary>The blocks of a tile.</summary>
    /// <param name="tile">The tile.</param>
    /// <param name="keys">What it reads.</param>
    /// <param name="window">In positions; 0 for none.</param>
    /// <param name="block">Entries of a block.</param>
    public static AttentionBlocks Of(AttentionTile tile, AttentionKeys keys, int window, int block)
    {
        AttentionBlocks blocks;
        blocks.PrefixCount = AttentionKeys.Blocks(keys.PrefixFirst, keys.PrefixEnd, block);
        blocks.Count = blocks.PrefixCount + AttentionKeys.Blocks(keys.OwnFirst, keys.OwnEnd, block);
        blocks.PrefixFirst = keys.PrefixFirst / block;
        blocks.OwnFirst = keys.OwnFirst / block;
        blocks.PrefixLow = 0;
        blocks.PrefixHigh = tile.LeastPrefix - 1;
        blocks.OwnLow = 0;
        blocks.OwnHigh = tile.LeastEntry;
        if (window > 0)
        {
            blocks.PrefixLow = XMath.Max(0, tile.GreatestPosition - window + 1);
            blocks.PrefixHigh = XMath.Min(blocks.PrefixHigh, tile.LeastPosition + window - 1);
            blocks.OwnLow = XMath.Max(0, tile.GreatestEntry - window + 1);
        }

        return blocks;
    }

    /// <summary>First entry of block <paramref name="index"/>.</summary>
    public readonly int First(int index, int block) =>
        (index < PrefixCount ? PrefixFirst + index : OwnFirst + index - PrefixCount) * block;

    /// <summary>Whether some lane does not see some entry of the block.</summary>
    public readonly bool NeedsMask(int index, int block)
    {
        var first = First(index, block);
        return index < PrefixCount
            ? first < PrefixLow || first + block - 1 > PrefixHigh
            : first < OwnLow || first + block - 1 > OwnHigh;
    }
}

/// <summary>What the lanes of a tile are, in shared memory: [lanes, 4] row, entry, position, prefix length.</summary>
internal static class AttentionLanes
{
    /// <summary>Fills the table; lanes past the tile's last repeat it. A barrier must follow.</summary>
    /// <param name="tile">The tile.</param>
    /// <param name="list">[rows, 8].</param>
    /// <param name="groupHeads">Query heads per key-value head.</param>
    /// <param name="capacity">Lanes of the table.</param>
    /// <param name="lanes">The table.</param>
    public static void Fill(AttentionTile tile, ArrayView<int> list, int groupHeads, int capacity, ArrayView<int> lanes)
    {
        for (var lane = Group.IdxX; lane < capacity; lane += Group.DimX)
        {
            var listed = tile.Listed(XMath.Min(lane, tile.Lanes - 1), groupHeads);
            lanes.Cast<Vec4<int>>()[lane] = list.Cast<Vec4<int>>()[listed / 4];
        }
    }

    /// <summary>The bounds of a lane over a prefix or over its own entries.</summary>
    public static AttentionLane Bounds(ArrayView<int> lanes, int lane, bool inPrefix, int window)
    {
        var row = lanes.Cast<Vec4<int>>()[lane];
        return AttentionLane.Of(inPrefix, row[1], row[2], row[3], window);
    }
}

/// <summary>Copies of entries from global to shared memory that run beside the computation.</summary>
internal static class AttentionCopies
{
    /// <summary>Sends for entries [first, first + count) of one head; those from <paramref name="end"/> on become zeros and are not read.</summary>
    /// <param name="source">Keys or values.</param>
    /// <param name="start">First element of the head.</param>
    /// <param name="entryStride">Elements from entry to entry.</param>
    /// <param name="headDim">Elements of a head; the rest of its place becomes zeros.</param>
    /// <param name="first">First entry.</param>
    /// <param name="end">End of the entries that are there.</param>
    /// <param name="count">Entries: a constant.</param>
    /// <param name="target">Shared memory.</param>
    /// <param name="targetStride">Elements from entry to entry there: a constant.</param>
    public static void Entries<A, THeadDim>(
        ArrayView<A> source, long start, int entryStride, int headDim, int first, int end, int count, ArrayView<A> target, int targetStride)
        where A : unmanaged
        where THeadDim : IHeadDim
    {
        var vectors = THeadDim.Value / Vectors.Chunk<A>();
        if (Group.DimX % vectors == 0)
        {
            // A thread keeps its place in the head and takes every so many entries: addresses advance by constants.
            var step = Group.DimX / vectors;
            var entry = Group.IdxX / vectors;
            var d = Group.IdxX % vectors * Vectors.Chunk<A>();
            var from = source.SubView(start + (long)(first + entry) * entryStride + d);
            var to = target.SubView(entry * targetStride + d);
            for (var i = 0; i < count / step; i++)
            {
                AsyncCopy.Copy16(
                    to.SubView(i * step * targetStride), from.SubView((long)(i * step) * entryStride),
                    first + entry + i * step < end && d < headDim);
            }
        }
        else
        {
            for (var i = 0; i < count * vectors / Group.DimX; i++)
            {
                var vector = Group.IdxX + i * Group.DimX;
                var entry = vector / vectors;
                var d = vector % vectors * Vectors.Chunk<A>();
                AsyncCopy.Copy16(
                    target.SubView(entry * targetStride + d), source.SubView(start + (long)(first + entry) * entryStride + d),
                    first + entry < end && d < headDim);
            }
        }
    }

    /// <summary>Sends for the queries of a tile; lanes past its last become zeros.</summary>
    /// <param name="query">[rows, heads, head_dim].</param>
    /// <param name="rowStride">Elements from row to row.</param>
    /// <param name="headStride">Elements from head to head.</param>
    /// <param name="headDim">Elements of a head; the rest of its place becomes zeros.</param>
    /// <param name="tile">The tile.</param>
    /// <param name="firstHead">First head of the group.</param>
    /// <param name="groupHeads">Query heads per key-value head.</param>
    /// <param name="lanes">See <see cref="AttentionLanes"/>.</param>
    /// <param name="count">Lanes of the target: a constant.</param>
    /// <param name="target">Shared memory.</param>
    /// <param name="targetStride">Elements from lane to lane there: a constant.</param>
    public static void Queries<A, THeadDim>(
        ArrayView<A> query, long rowStride, int headStride, int headDim, AttentionTile tile, int firstHead, int groupHeads,
        ArrayView<int> lanes, int count, ArrayView<A> target, int targetStride)
        where A : unmanaged
        where THeadDim : IHeadDim
    {
        var vectors = THeadDim.Value / Vectors.Chunk<A>();
        for (var i = Group.IdxX; i < count * vectors; i += Group.DimX)
        {
            var lane = i / vectors;
            var d = i % vectors * Vectors.Chunk<A>();
            var head = firstHead + (tile.FirstLane + lane) % groupHeads;
            AsyncCopy.Copy16(
                target.SubView(lane * targetStride + d),
                query.SubView(lanes[lane * AttentionTile.LaneSize] * rowStride + (long)head * headStride + d),
                lane < tile.Lanes && d < headDim);
        }
    }
}
