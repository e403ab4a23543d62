// Which rows attend together: tiles of lanes for the attention kernels, made once per batch and brought over in one upload.
// A lane is one query head of one row. Rows that share a kept prefix lie in common tiles over it, so that it is read once for all of
// them; each sequence has tiles over its own keys. Flash-Decoding, Dao et al. 2023, for the split over keys.
using Rt.Core;
using Rt.Kernels;

namespace Rt.Cuda;

/// <summary>What tiles depend on besides the batch.</summary>
/// <param name="GroupHeads">Query heads per key-value head.</param>
/// <param name="KvHeads">Key-value heads.</param>
/// <param name="NarrowLanes">Most lanes of a tile of the decode kernel; 0 where it is not used.</param>
/// <param name="SmallLanes">Lanes of a small tile of the prefill kernel.</param>
/// <param name="LargeLanes">Lanes of a large one.</param>
internal readonly record struct AttentionGeometry(int GroupHeads, int KvHeads, int NarrowLanes, int SmallLanes, int LargeLanes);

/// <summary>Tiles of one kernel that read the same two caches: one launch.</summary>
/// <param name="Narrow">Of the decode kernel.</param>
/// <param name="Prefix">A prefix whose cache the tiles read, or -1.</param>
/// <param name="FirstTile">First tile.</param>
/// <param name="TileCount">Tiles.</param>
internal readonly record struct AttentionLaunch(bool Narrow, int Prefix, int FirstTile, int TileCount);

/// <summary>The tiles of one batch for one <see cref="AttentionGeometry"/>.</summary>
/// <remarks>
/// A sequence is computed whole (its tiles run over the prefix, then its own keys, and write the result) or split (parts of prefix and own
/// keys are computed apart and merged). It is split where it has too few lanes to fill tiles and its prefix is shared, or where there
/// are too few tiles to fill the device. Where every sequence has one row, as in decode steps, nothing here depends on how long the
/// sequences have become, only on the capacity: the launches of one step are those of the next.
/// </remarks>
internal sealed class AttentionPlan(AttentionGeometry geometry)
{
    /// <summary>Entries of a part, where a part is a group of the decode kernel.</summary>
    private const int NarrowChunk = AttentionDecode.Chunk;

    /// <summary>Parts begin at multiples of this, as blocks do.</summary>
    private const int ChunkUnit = 64;

    private readonly List<int> _list = [];
    private readonly List<AttentionLaunch> _launches = [];
    private readonly List<(bool Narrow, int Prefix, int First)> _order = [];
    private List<int> _tiles = [];
    private List<int> _sorted = [];
    private int[] _host = [];
    private GpuStorage? _storage;
    private PrefixGroup[] _groups = [];
    private int[] _mergedFirst = [];
    private int _sequences = -1;
    private int _rows;
    private bool _stale = true;
    private bool _splitsWide;
    private bool _splitsNarrow;

    /// <summary>What the tiles are for.</summary>
    public AttentionGeometry Geometry => geometry;

    /// <summary>Whether the batch has changed since the tiles were made.</summary>
    public bool IsStaleFor(RowBatch rows) => _stale || rows.SequenceCount != _sequences || rows.RowCount != _rows;

    /// <summary>The launches that compute the batch.</summary>
    public IReadOnlyList<AttentionLaunch> Launches => _launches;

    /// <summary>[tiles, 16] I32.</summary>
    public Tensor Tiles => new(_storage!, DType.I32, 0, 1, 1, _tiles.Count);

    /// <summary>[rows, 8] I32; the rows to merge come first.</summary>
    public Tensor List => new(_storage!, DType.I32, _tiles.Count, 1, 1, _list.Count);

    /// <summary>Rows to merge from parts.</summary>
    public int MergedRows { get; private set; }

    /// <summary>Parts of prefixes and of own keys; 0 where nothing is split.</summary>
    public int PrefixParts { get; private set; }

    /// <summary>Parts of own keys.</summary>
    public int OwnParts { get; private set; }

    /// <summary>Entries of a part of a prefix.</summary>
    public int PrefixChunk { get; private set; } = ChunkUnit;

    /// <summary>Entries of a part of own keys.</summary>
    public int OwnChunk { get; private set; } = ChunkUnit;

    /// <summary>Lanes of the tiles of the prefill kernel.</summary>
    public int WideLanes { get; private set; }

    /// <summary>Whether the tiles were used since the last batch was announced.</summary>
    public bool IsUsed { get; set; }

    /// <summary>A new batch was announced.</summary>
    public void Forget() => _stale = true;

    /// <summary>Gives its memory back.</summary>
    public void Release()
    {
        _storage?.Dispose();
        _storage = null;
    }

    /// <summary>Makes the tiles of a batch and uploads them.</summary>
    public void Build(GpuDevice device, RowBatch rows)
    {
        _tiles.Clear();
        _list.Clear();
        _order.Clear();
        _launches.Clear();
        _sequences = rows.SequenceCount;
        _rows = rows.RowCount;
        _stale = false;
        Gather(rows);
        Decide(rows, device.Launcher.Multiprocessors, device.Options.BatchInvariant);
        AddSplit(rows);
        AddWhole(rows);
        Sort();
        Upload(device);
    }

    /// <summary>Lanes and rows of every prefix's sequences.</summary>
    private void Gather(RowBatch rows)
    {
        if (_groups.Length < rows.Prefixes.Count)
        {
            _groups = new PrefixGroup[rows.Prefixes.Count];
        }

        if (_mergedFirst.Length < rows.SequenceCount)
        {
            _mergedFirst = new int[rows.SequenceCapacity];
        }

        Array.Clear(_groups);
        foreach (var sequence in rows.Sequences)
        {
            if (sequence.PrefixLength > 0)
            {
                ref var group = ref _groups[sequence.Prefix];
                group.Lanes += sequence.RowCount * geometry.GroupHeads;
                group.Sequences++;
            }
        }
    }

    /// <summary>Which sequences are split, how wide tiles and how long parts are.</summary>
    private void Decide(RowBatch rows, int multiprocessors, bool batchInvariant)
    {
        var decode = rows.RowCount == rows.SequenceCount;
        var longestOwn = decode ? rows.Cache.Capacity : 0;
        var longestPrefix = 0;
        var mostLanes = 0;
        long largeTiles = 0;
        foreach (var sequence in rows.Sequences)
        {
            longestOwn = Math.Max(longestOwn, sequence.Length);
            longestPrefix = Math.Max(longestPrefix, sequence.PrefixLength);
            mostLanes = Math.Max(mostLanes, Lanes(sequence));
            largeTiles += TileCount(Lanes(sequence), geometry.LargeLanes);
        }

        // A tile of a size that depended on the batch would add in another order.
        WideLanes = !batchInvariant && mostLanes > geometry.SmallLanes && largeTiles * geometry.KvHeads >= multiprocessors
            ? geometry.LargeLanes : geometry.SmallLanes;
        long wideTiles = 0;
        foreach (var sequence in rows.Sequences)
        {
            wideTiles += IsNarrow(Lanes(sequence)) ? 0 : TileCount(Lanes(sequence), WideLanes);
        }

        var groups = wideTiles * geometry.KvHeads;
        _splitsWide = !batchInvariant && groups > 0 && 2 * groups <= multiprocessors && longestOwn + longestPrefix >= 2 * NarrowChunk;
        _splitsNarrow = !batchInvariant;
        var narrowOwn = false;
        var split = false;
        for (var s = 0; s < rows.SequenceCount; s++)
        {
            var sequence = rows.Sequences[s];
            if (Splits(sequence, longestOwn))
            {
                split = true;
                narrowOwn |= IsNarrow(Lanes(sequence));
            }
        }

        OwnChunk = Chunk(longestOwn, narrowOwn, groups, multiprocessors);
        OwnParts = split ? TileCount(longestOwn, OwnChunk) : 0;
        DecidePrefixes(rows, longestOwn, longestPrefix, multiprocessors);
    }

    private void DecidePrefixes(RowBatch rows, int longestOwn, int longestPrefix, int multiprocessors)
    {
        foreach (var sequence in rows.Sequences)
        {
            if (sequence.PrefixLength > 0 && Splits(sequence, longestOwn))
            {
                _groups[sequence.Prefix].SplitLanes += Lanes(sequence);
            }
        }

        var narrow = false;
        var split = false;
        long tiles = 0;
        foreach (var group in _groups)
        {
            split |= group.SplitLanes > 0;
            narrow |= group.SplitLanes > 0 && IsNarrow(group.SplitLanes);
            tiles += TileCount(group.SplitLanes, WideLanes);
        }

        PrefixChunk = Chunk(longestPrefix, narrow, tiles * geometry.KvHeads, multiprocessors);
        PrefixParts = split ? TileCount(longestPrefix, PrefixChunk) : 0;
    }

    private bool Splits(in SequenceRows sequence, int longestOwn)
    {
        var lanes = Lanes(sequence);
        if (IsNarrow(lanes))
        {
            return _splitsNarrow && (sequence.PrefixLength > 0 || longestOwn > NarrowChunk);
        }

        if (_splitsWide)
        {
            return true;
        }

        if (sequence.PrefixLength == 0 || !_splitsNarrow)
        {
            return false;
        }

        // Packed with the others over the prefix, its lanes fill tiles that they leave unfilled alone.
        var group = _groups[sequence.Prefix];
        return group.Sequences > 1 && 3L * TileCount(group.Lanes, WideLanes) <= 2L * group.Sequences * TileCount(lanes, WideLanes);
    }

    private static int Chunk(int longest, bool narrow, long groups, int multiprocessors)
    {
        if (narrow)
        {
            return NarrowChunk;
        }

        // About two groups per multiprocessor, and no part shorter than what the decode kernel takes.
        var parts = groups > 0 && 2 * groups <= multiprocessors ? 2 * multiprocessors / groups : 1;
        var chunk = Math.Max(parts == 1 ? ChunkUnit : NarrowChunk, (longest + parts - 1) / parts);
        return (int)((chunk + ChunkUnit - 1) / ChunkUnit * ChunkUnit);
    }

    private void AddSplit(RowBatch rows)
    {
        var longestOwn = LongestOwn(rows);
        MergedRows = 0;
        for (var s = 0; s < rows.SequenceCount; s++)
        {
            var sequence = rows.Sequences[s];
            _mergedFirst[s] = -1;
            if (Splits(sequence, longestOwn))
            {
                _mergedFirst[s] = MergedRows;
                ListRows(sequence, MergedRows);
                MergedRows += sequence.RowCount;
                AddTiles(AttentionTile.OwnPart, _mergedFirst[s], sequence.RowCount, sequence.Slot, 0, -1);
            }
        }

        for (var prefix = 0; prefix < rows.Prefixes.Count; prefix++)
        {
            if (_groups[prefix].SplitLanes == 0)
            {
                continue;
            }

            var first = _list.Count / AttentionTile.ListSize;
            for (var s = 0; s < rows.SequenceCount; s++)
            {
                if (rows.Sequences[s].Prefix == prefix && rows.Sequences[s].PrefixLength > 0 && _mergedFirst[s] >= 0)
                {
                    ListRows(rows.Sequences[s], _mergedFirst[s]);
                }
            }

            AddTiles(
                AttentionTile.PrefixPart, first, _list.Count / AttentionTile.ListSize - first, 0, rows.Prefixes[prefix].Slot,
                Representative(rows, prefix));
        }
    }

    private void AddWhole(RowBatch rows)
    {
        for (var s = 0; s < rows.SequenceCount; s++)
        {
            var sequence = rows.Sequences[s];
            if (_mergedFirst[s] < 0)
            {
                var first = _list.Count / AttentionTile.ListSize;
                ListRows(sequence, 0);
                var hasPrefix = sequence.PrefixLength > 0;
                AddTiles(
                    AttentionTile.Whole, first, sequence.RowCount, sequence.Slot, hasPrefix ? rows.Prefixes[sequence.Prefix].Slot : 0,
                    hasPrefix ? Representative(rows, sequence.Prefix) : -1);
            }
        }
    }

    private static int LongestOwn(RowBatch rows)
    {
        var longest = rows.RowCount == rows.SequenceCount ? rows.Cache.Capacity : 0;
        foreach (var sequence in rows.Sequences)
        {
            longest = Math.Max(longest, sequence.Length);
        }

        return longest;
    }

    /// <summary>The first prefix that lies in the same cache: tiles that read the same cache share a launch.</summary>
    private static int Representative(RowBatch rows, int prefix)
    {
        for (var other = 0; other < prefix; other++)
        {
            if (rows.Prefixes[other].Cache == rows.Prefixes[prefix].Cache)
            {
                return other;
            }
        }

        return prefix;
    }

    private void ListRows(in SequenceRows sequence, int firstMerged)
    {
        for (var i = 0; i < sequence.RowCount; i++)
        {
            _list.Add(sequence.FirstRow + i);
            _list.Add(sequence.Start + i);
            _list.Add(sequence.Position(i));
            _list.Add(sequence.PrefixLength);
            _list.Add(firstMerged + i);
            _list.Add(0);
            _list.Add(0);
            _list.Add(0);
        }
    }

    /// <summary>Tiles over listed rows; those of later rows see more keys and come first.</summary>
    private void AddTiles(int mode, int firstListed, int rowCount, int slot, int prefixSlot, int prefix)
    {
        var lanes = rowCount * geometry.GroupHeads;
        var narrow = IsNarrow(lanes) && (mode != AttentionTile.Whole || (prefix < 0 && _splitsNarrow));
        var size = narrow ? geometry.NarrowLanes : WideLanes;
        for (var tile = TileCount(lanes, size) - 1; tile >= 0; tile--)
        {
            var first = tile * size;
            var count = Math.Min(size, lanes - first);
            _order.Add((narrow, prefix, _tiles.Count));
            _tiles.Add(firstListed);
            _tiles.Add(first);
            _tiles.Add(count);
            _tiles.Add(mode);
            _tiles.Add(slot);
            _tiles.Add(prefixSlot);
            for (var field = 1; field <= 3; field++)
            {
                var (least, greatest) = (int.MaxValue, int.MinValue);
                for (var row = first / geometry.GroupHeads; row <= (first + count - 1) / geometry.GroupHeads; row++)
                {
                    var value = _list[(firstListed + row) * AttentionTile.ListSize + field];
                    least = Math.Min(least, value);
                    greatest = Math.Max(greatest, value);
                }

                _tiles.Add(least);
                _tiles.Add(greatest);
            }

            for (var i = 12; i < AttentionTile.Size; i++)
            {
                _tiles.Add(0);
            }
        }
    }

    /// <summary>Orders tiles by launch, and groups them.</summary>
    private void Sort()
    {
        // Tiles without a prefix go with the first launch of their kernel.
        _sorted.Clear();
        foreach (var narrow in (ReadOnlySpan<bool>)[false, true])
        {
            var prefixes = -1;
            foreach (var tile in _order)
            {
                prefixes = tile.Narrow == narrow ? Math.Max(prefixes, tile.Prefix) : prefixes;
            }

            var pending = true;
            for (var prefix = 0; prefix <= Math.Max(0, prefixes); prefix++)
            {
                var first = _sorted.Count / AttentionTile.Size;
                var found = prefixes < 0;
                foreach (var tile in _order)
                {
                    found |= tile.Narrow == narrow && tile.Prefix == prefix;
                }

                foreach (var tile in _order)
                {
                    if (found && tile.Narrow == narrow && (tile.Prefix == prefix || (pending && tile.Prefix < 0)))
                    {
                        for (var i = 0; i < AttentionTile.Size; i++)
                        {
                            _sorted.Add(_tiles[tile.First + i]);
                        }
                    }
                }

                pending &= !found;
                var count = _sorted.Count / AttentionTile.Size - first;
                if (count > 0)
                {
                    _launches.Add(new AttentionLaunch(narrow, prefixes < 0 ? -1 : prefix, first, count));
                }
            }
        }

        (_tiles, _sorted) = (_sorted, _tiles);
    }

    private void Upload(GpuDevice device)
    {
        var length = _tiles.Count + _list.Count;
        if (_storage is null || _storage.ByteLength < 4L * length)
        {
            _storage?.Dispose();
            _storage = device.NewStorage(Math.Max(1 << 14, 8L * length));
            _host = new int[_storage.ByteLength / 4];
        }

        _tiles.CopyTo(_host);
        _list.CopyTo(_host, _tiles.Count);
        device.UploadRaw<int>(_host.AsSpan(0, length), new Tensor(_storage, DType.I32, 0, 1, 1, length));
    }

    private int Lanes(in SequenceRows sequence) => sequence.RowCount * geometry.GroupHeads;

    private bool IsNarrow(int lanes) => lanes <= geometry.NarrowLanes;

    private static int TileCount(int lanes, int size) => (lanes + size - 1) / size;

    private struct PrefixGroup
    {
        public int Lanes, SplitLanes, Sequences;
    }
}
