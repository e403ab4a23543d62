// The tiles of attention: whatever the batch, every key that a lane sees is read by exactly one tile and part.
using Rt.Cuda.Driver;
using Rt.Cuda.Tests.Driver;
using Rt.Kernels;

namespace Rt.Cuda.Tests.Ops;

public sealed class AttentionPlanTests : IDisposable
{
    private readonly GpuDevice _device = new(new CudaLauncher(new FakeDriver(), 0), DType.BF16);
    private readonly List<KvCache> _caches = [];

    public static TheoryData<int, int, int> Geometries => new()
    {
        { 1, 8, 64 }, { 4, 8, 64 }, { 8, 8, 64 }, { 7, 8, 64 }, { 71, 8, 64 }, { 1, 0, 4 }, { 3, 0, 4 }, { 12, 8, 32 },
    };

    [Theory]
    [MemberData(nameof(Geometries))]
    public void Build_RandomBatches_EveryVisibleKeyIsReadOnce(int groupHeads, int narrowLanes, int smallLanes)
    {
        var random = new Random(groupHeads);
        for (var turn = 0; turn < 15; turn++)
        {
            var plan = new AttentionPlan(new AttentionGeometry(groupHeads, random.Next(1, 9), narrowLanes, smallLanes, 2 * smallLanes));
            var rows = RandomBatch(random, decode: turn % 3 == 0);
            plan.Build(_device, rows);
            foreach (var window in (int[])[0, 1, 50, 400])
            {
                CheckCoverage(plan, rows, groupHeads, window);
            }

            plan.Release();
        }
    }

    [Fact]
    public void Build_NextDecodeStep_GivesTheSameLaunches()
    {
        var cache = NewCache(2, 5000);
        var kept = NewCache(1, 300);
        var plan = new AttentionPlan(new AttentionGeometry(4, 8, 8, 64, 128));
        var launches = new HashSet<string>();
        for (var length = 100; length < 4900; length += 97)
        {
            var rows = new RowBatch(4, 4).Reset(cache);
            var prefix = rows.AddPrefix(kept);
            rows.Add([1], 0, length, 300, prefix, 300);
            rows.Add([1], 1, length / 2, 300, prefix, 300);
            plan.Build(_device, rows);
            launches.Add(
                $"{plan.PrefixParts} {plan.OwnParts} {plan.PrefixChunk} {plan.OwnChunk} {plan.MergedRows} {plan.Tiles.Offset} {plan.List.Offset} "
                + string.Join(' ', plan.Launches));
        }

        Assert.Single(launches);
    }

    [Fact]
    public void Build_ManySequencesOverOnePrefix_ReadItInOneTile()
    {
        var rows = new RowBatch(64, 64).Reset(NewCache(16, 40));
        var prefix = rows.AddPrefix(NewCache(1, 2000));
        for (var s = 0; s < 16; s++)
        {
            rows.Add([1, 2, 3], s, 0, 2000, prefix, 2000);
        }

        var plan = new AttentionPlan(new AttentionGeometry(1, 8, 8, 64, 128));
        plan.Build(_device, rows);
        var tiles = Tiles(plan);

        Assert.Single(tiles, tile => tile.Mode == AttentionTile.PrefixPart);
        Assert.Equal(16, tiles.Count(tile => tile.Mode == AttentionTile.OwnPart));
        Assert.True(plan.PrefixParts > 1);
    }

    public void Dispose()
    {
        foreach (var cache in _caches)
        {
            cache.Dispose();
        }

        _device.Dispose();
    }

    private void CheckCoverage(AttentionPlan plan, RowBatch rows, int groupHeads, int window)
    {
        // [row, head of the group] -> how often each prefix entry and each own entry is read.
        var counts = new Dictionary<(int Row, int Head), (int[] Prefix, int[] Own)>();
        foreach (var sequence in rows.Sequences)
        {
            for (var i = 0; i < sequence.RowCount * groupHeads; i++)
            {
                counts.Add((sequence.FirstRow + i / groupHeads, i % groupHeads), (new int[sequence.PrefixLength], new int[sequence.Length]));
            }
        }

        var list = new int[plan.List.Count];
        _device.DownloadRaw<int>(plan.List, list);
        var tiles = Tiles(plan);
        var launched = new bool[tiles.Length];
        foreach (var launch in plan.Launches)
        {
            for (var t = launch.FirstTile; t < launch.FirstTile + launch.TileCount; t++)
            {
                Assert.False(launched[t]);
                launched[t] = true;
                var tile = tiles[t];
                Assert.True(tile.Lanes > 0 && tile.Lanes <= (launch.Narrow ? plan.Geometry.NarrowLanes : plan.WideLanes));
                for (var part = 0; part < Math.Max(1, plan.PrefixParts + plan.OwnParts); part++)
                {
                    var keys = AttentionKeys.Of(tile, part, window, plan.PrefixParts, plan.PrefixChunk, plan.OwnChunk);
                    Assert.False(launch.Narrow && Math.Max(keys.PrefixEnd - keys.PrefixFirst, keys.OwnEnd - keys.OwnFirst) > AttentionDecode.Chunk);
                    for (var lane = 0; lane < tile.Lanes; lane++)
                    {
                        var listed = tile.FirstListed + (tile.FirstLane + lane) / groupHeads;
                        Count(list.AsSpan(listed * AttentionTile.ListSize, AttentionTile.ListSize), (tile.FirstLane + lane) % groupHeads, keys, tile);
                    }
                }
            }
        }

        Assert.DoesNotContain(false, launched);
        foreach (var sequence in rows.Sequences)
        {
            for (var i = 0; i < sequence.RowCount * groupHeads; i++)
            {
                var (row, head) = (i / groupHeads, i % groupHeads);
                var (prefix, own) = counts[(sequence.FirstRow + row, head)];
                var position = sequence.Position(row);
                var entry = sequence.Start + row;
                var wrong = 0;
                for (var j = 0; j < prefix.Length; j++)
                {
                    wrong += prefix[j] == (window == 0 || Math.Abs(position - j) < window ? 1 : 0) ? 0 : 1;
                }

                for (var j = 0; j < own.Length; j++)
                {
                    wrong += own[j] == (j <= entry && (window == 0 || entry - j < window) ? 1 : 0) ? 0 : 1;
                }

                Assert.True(wrong == 0, $"row {sequence.FirstRow + row}, head {head}: {wrong} entries are not read as often as they are seen");
            }
        }

        void Count(ReadOnlySpan<int> listed, int head, AttentionKeys keys, AttentionTile tile)
        {
            var (prefix, own) = counts[(listed[0], head)];
            Assert.True(tile.LeastEntry <= listed[1] && listed[1] <= tile.GreatestEntry);
            Assert.True(tile.LeastPosition <= listed[2] && listed[2] <= tile.GreatestPosition);
            Assert.True(tile.LeastPrefix <= listed[3] && listed[3] <= tile.GreatestPrefix);
            var bounds = AttentionLane.Of(true, listed[1], listed[2], listed[3], window);
            for (var j = Math.Max(keys.PrefixFirst, bounds.Low); j < Math.Min(keys.PrefixEnd, bounds.High + 1); j++)
            {
                prefix[j]++;
            }

            bounds = AttentionLane.Of(false, listed[1], listed[2], listed[3], window);
            for (var j = Math.Max(keys.OwnFirst, bounds.Low); j < Math.Min(keys.OwnEnd, bounds.High + 1); j++)
            {
                own[j]++;
            }
        }
    }

    private AttentionTile[] Tiles(AttentionPlan plan)
    {
        var ints = new int[plan.Tiles.Count];
        _device.DownloadRaw<int>(plan.Tiles, ints);
        return [.. ints.Chunk(AttentionTile.Size).Select(t => new AttentionTile
        {
            FirstListed = t[0],
            FirstLane = t[1],
            Lanes = t[2],
            Mode = t[3],
            Slot = t[4],
            PrefixSlot = t[5],
            LeastEntry = t[6],
            GreatestEntry = t[7],
            LeastPosition = t[8],
            GreatestPosition = t[9],
            LeastPrefix = t[10],
            GreatestPrefix = t[11],
        })];
    }

    private RowBatch RandomBatch(Random random, bool decode)
    {
        var sequences = random.Next(1, 7);
        var rows = new RowBatch(sequences * 100, sequences).Reset(NewCache(sequences, 700));
        var caches = Enumerable.Range(0, random.Next(0, 3)).Select(_ => NewCache(2, 900)).ToArray();
        foreach (var cache in caches)
        {
            rows.AddPrefix(cache, 0);
            rows.AddPrefix(cache, 1);
        }

        for (var s = 0; s < sequences; s++)
        {
            var prefix = caches.Length == 0 ? -1 : random.Next(-1, 2 * caches.Length);
            var length = prefix < 0 ? 0 : random.Next(1, 900);
            var count = decode ? 1 : random.Next(1, random.Next(2, 100));
            rows.Add(new int[count], s, random.Next(0, 600), random.Next(2) == 0 ? 0 : length, prefix, length);
        }

        return rows;
    }

    private KvCache NewCache(int slots, int capacity)
    {
        var cache = new KvCache(_device, 1, slots, 1, capacity, 8);
        _caches.Add(cache);
        return cache;
    }
}
