// Which rows attend together: rows that share a kept prefix form one group over it, and each sequence one group over its own keys.
// A group's rows times its query heads per key-value head are the lanes that read each key once.
using Rt.Core;

namespace Rt.Cpu;

/// <summary>Rows that see the same keys.</summary>
internal unsafe struct AttentionGroup
{
    /// <summary>Key-value head 0; heads and entries follow at the strides.</summary>
    public float* Key, Value;
    public long HeadStride, EntryStride;

    /// <summary>Entries that some row may see.</summary>
    public int KeyCount;

    /// <summary>Its rows are Rows[FirstRow .. FirstRow + RowCount) of the plan.</summary>
    public int FirstRow, RowCount;

    /// <summary>For own keys: a row sees entries 0..Start + row - BatchRow. -1 for a prefix, which is seen in full.</summary>
    public int Start;

    /// <summary>First batch row of the sequence, for own keys.</summary>
    public int BatchRow;

    /// <summary>Tiles of lanes per key-value head, and its first work item.</summary>
    public int Tiles, FirstItem;

    /// <summary>Whether another group over own keys goes on from this group's sums, and whether this one goes on from a prefix's.</summary>
    public bool IsPrefix, HasPrefix;
}

/// <summary>The groups of one call: prefixes first, then sequences.</summary>
internal unsafe struct AttentionPlan
{
    public AttentionGroup* Groups;
    public int PrefixGroups, GroupCount;
    public int PrefixItems, OwnItems;

    /// <summary>Batch rows, group by group.</summary>
    public int* Rows;

    /// <summary>Query heads per key-value head.</summary>
    public int HeadsPerKv;

    /// <summary>The group of a work item.</summary>
    public readonly int Find(int item, int first, int last)
    {
        while (last - first > 1)
        {
            var middle = (first + last) / 2;
            if (Groups[middle].FirstItem <= item)
            {
                first = middle;
            }
            else
            {
                last = middle;
            }
        }

        return first;
    }
}

internal sealed unsafe partial class CpuOps<TW, TV>
{
    private AttentionPlan PlanAttention(RowBatch batch, int layer, int heads)
    {
        var sequences = batch.Sequences;
        var groupBytes = (2L * sequences.Length * sizeof(AttentionGroup) + 63) & ~63L;
        // Every row is listed at most twice: under its prefix and under its sequence. Sequences are marked once grouped.
        var memory = workspace.Plan.Bytes(groupBytes + (2L * batch.RowCount + sequences.Length) * sizeof(int));
        var plan = new AttentionPlan
        {
            Groups = (AttentionGroup*)memory,
            Rows = (int*)(memory + groupBytes),
            HeadsPerKv = heads / batch.Cache.KvHeads,
        };
        var grouped = plan.Rows + 2 * batch.RowCount;
        new Span<int>(grouped, sequences.Length).Clear();
        var rows = 0;
        for (var s = 0; s < sequences.Length; s++)
        {
            ref readonly var leader = ref sequences[s];
            if (leader.PrefixLength == 0 || grouped[s] != 0 || leader.RowCount == 0)
            {
                continue;
            }

            var first = rows;
            for (var other = s; other < sequences.Length; other++)
            {
                ref readonly var sequence = ref sequences[other];
                if (sequence.Prefix == leader.Prefix && sequence.PrefixLength == leader.PrefixLength)
                {
                    grouped[other] = 1;
                    for (var i = 0; i < sequence.RowCount; i++)
                    {
                        plan.Rows[rows++] = sequence.FirstRow + i;
                    }
                }
            }

            ref var group = ref plan.Groups[plan.GroupCount++];
            group = Group(batch.Prefixes[leader.Prefix], layer, leader.PrefixLength);
            group.IsPrefix = true;
            group.Start = -1;
            AddTiles(ref group, first, rows - first, plan.HeadsPerKv, batch.Cache.KvHeads, ref plan.PrefixItems);
        }

        plan.PrefixGroups = plan.GroupCount;
        for (var s = 0; s < sequences.Length; s++)
        {
            ref readonly var sequence = ref sequences[s];
            if (sequence.RowCount == 0)
            {
                continue;
            }

            var first = rows;
            for (var i = 0; i < sequence.RowCount; i++)
            {
                plan.Rows[rows++] = sequence.FirstRow + i;
            }

            ref var group = ref plan.Groups[plan.GroupCount++];
            group = Group(new KvPrefix(batch.Cache, sequence.Slot), layer, sequence.Length);
            group.Start = sequence.Start;
            group.BatchRow = sequence.FirstRow;
            group.HasPrefix = sequence.PrefixLength > 0;
            AddTiles(ref group, first, sequence.RowCount, plan.HeadsPerKv, batch.Cache.KvHeads, ref plan.OwnItems);
        }

        return plan;
    }

    private static AttentionGroup Group(KvPrefix entries, int layer, int length)
    {
        var (cache, slot) = entries;
        var (key, value) = cache[layer];
        return new AttentionGroup
        {
            Key = (float*)key.HostPointer() + slot * cache.KvHeads * key.Stride0,
            Value = (float*)value.HostPointer() + slot * cache.KvHeads * value.Stride0,
            HeadStride = key.Stride0,
            EntryStride = key.Stride1,
            KeyCount = length,
        };
    }

    private static void AddTiles(ref AttentionGroup group, int firstRow, int rows, int headsPerKv, int kvHeads, ref int items)
    {
        group.FirstRow = firstRow;
        group.RowCount = rows;
        group.Tiles = (rows * headsPerKv + PanelLanes - 1) / PanelLanes;
        group.FirstItem = items;
        items += group.Tiles * kvHeads;
    }
}
