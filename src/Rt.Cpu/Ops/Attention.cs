// Softmax attention over a prefix and own keys with running maxima and sums: no row of scores longer than a block exists.
// Milakov and Gimelshein 2018, arXiv:1805.02867; Dao et al. 2022, arXiv:2205.14135.
using Rt.Core;

namespace Rt.Cpu;

/// <summary>What one tile of lanes carries from block to block. A lane is one query head of one row.</summary>
internal unsafe struct AttentionLanes
{
    public int Count;
    public int HeadDim;

    /// <summary>Head dim rounded up to whole registers.</summary>
    public int PaddedDim;

    /// <summary>[lanes] addresses of the queries and of the results.</summary>
    public float** Query;
    public float** Result;

    /// <summary>[lanes, padded dim] queries, scaled, zeros at the end; for dot products.</summary>
    public float* Padded;

    /// <summary>[head dim, register lanes] queries, scaled, transposed; for tiles.</summary>
    public float* Panel;

    /// <summary>[block + rows of a tile, MaxLanes] scores, then probabilities; or [lanes, block] for dot products.</summary>
    public float* Scores;

    /// <summary>[lanes, padded dim] weighted sums of values.</summary>
    public float* Output;

    /// <summary>[8, padded dim] the last keys, where they are fewer than eight.</summary>
    public float* Side;

    /// <summary>[lanes] running maximum and sum, the factor of the last block, first and last visible key, own key index, ALiBi slope.</summary>
    public float* Maximum, Sum, Factor, Low, High, Centre, Slope;
}

internal sealed unsafe partial class CpuOps<TW, TV>
{
    /// <summary>Keys of a block; blocks start at its multiples, so that a row's sums do not depend on the rows beside it.</summary>
    private const int KeyBlock = 128;

    /// <summary>Most lanes that run as dot products with keys.</summary>
    private const int MaxDotLanes = 3;

    public override void Attention(Tensor query, RowBatch rows, int layer, in AttentionOptions options, Tensor destination)
    {
        var plan = PlanAttention(rows, layer, query.Dim1);
        var headDim = query.Dim2;
        var paddedDim = PaddedColumns(headDim);
        var states = rows.RowCount * query.Dim1;
        var stateFloats = plan.PrefixItems == 0 ? 0 : states * (2L + paddedDim);
        var state = workspace.State.Floats(stateFloats);
        var laneFloats = Tile.MaxLanes * (2L * paddedDim + headDim + 7 + KeyBlock + Tile.Rows) + Tile.Rows * paddedDim
            + 2L * Tile.MaxLanes * sizeof(float*) / sizeof(float);
        var job = new AttentionJob
        {
            Plan = plan,
            Query = new RowView(query),
            Destination = new RowView(destination),
            Batch = rows,
            Options = options,
            Slopes = options.AlibiSlopes is { } slopes ? (float*)slopes.HostPointer() : null,
            KvHeads = rows.Cache.KvHeads,
            Heads = query.Dim1,
            HeadDim = headDim,
            PaddedDim = paddedDim,
            TilesOnly = batchInvariant,
            Maxima = state,
            Sums = state + states,
            Outputs = state + 2L * states,
            Scratch = workspace.PerWorker(laneFloats * sizeof(float), out var stride),
            ScratchStride = stride,
        };
        job.FirstGroup = 0;
        job.LastGroup = plan.PrefixGroups;
        pool.Run(ref job, plan.PrefixItems);
        job.FirstGroup = plan.PrefixGroups;
        job.LastGroup = plan.GroupCount;
        pool.Run(ref job, plan.OwnItems);
    }

    private struct AttentionJob : IJob
    {
        public AttentionPlan Plan;
        public RowView Query, Destination;
        public RowBatch Batch;
        public AttentionOptions Options;
        public float* Slopes;
        public int KvHeads, Heads, HeadDim, PaddedDim, FirstGroup, LastGroup;
        public bool TilesOnly;

        /// <summary>[rows, heads] and [rows, heads, padded dim]: what rows with a prefix carry from it to their own keys.</summary>
        public float* Maxima, Sums, Outputs;
        public byte* Scratch;
        public long ScratchStride;

        public void Run(int chunk, int worker)
        {
            ref var group = ref Plan.Groups[Plan.Find(chunk, FirstGroup, LastGroup)];
            var item = chunk - group.FirstItem;
            var kvHead = item % KvHeads;
            // Later rows see more keys: they come first, so that threads end together.
            var firstLane = (group.Tiles - 1 - item / KvHeads) * PanelLanes;
            var lanes = Lay((float*)(Scratch + worker * ScratchStride));
            lanes.Count = Math.Min(PanelLanes, group.RowCount * Plan.HeadsPerKv - firstLane);
            // The choice follows the whole group, not the tile, so that a row's bits do not depend on where tiles begin.
            var dots = !TilesOnly && group.RowCount * Plan.HeadsPerKv <= MaxDotLanes;
            Fill(ref lanes, group, kvHead, firstLane);
            LayQueries(lanes, dots);
            var key = group.Key + kvHead * group.HeadStride;
            var value = group.Value + kvHead * group.HeadStride;
            // Threads take items in order: the next one is mostly the next head over the same entries.
            var nextKey = kvHead + 1 < KvHeads ? key + group.HeadStride : null;
            Attend(ref lanes, key, value, nextKey, (nint)group.EntryStride, (float)Options.SoftCap, Slopes != null, dots);
            Finish(lanes, group, kvHead, firstLane);
        }

        private readonly AttentionLanes Lay(float* scratch)
        {
            var lanes = new AttentionLanes { HeadDim = HeadDim, PaddedDim = PaddedDim, Side = scratch };
            scratch += Tile.Rows * PaddedDim;
            lanes.Scores = scratch;
            scratch += (KeyBlock + Tile.Rows) * Tile.MaxLanes;
            lanes.Output = scratch;
            scratch += Tile.MaxLanes * PaddedDim;
            lanes.Padded = scratch;
            scratch += Tile.MaxLanes * PaddedDim;
            lanes.Panel = scratch;
            scratch += Tile.MaxLanes * HeadDim;
            lanes.Maximum = scratch;
            lanes.Sum = scratch + Tile.MaxLanes;
            lanes.Factor = scratch + 2 * Tile.MaxLanes;
            lanes.Low = scratch + 3 * Tile.MaxLanes;
            lanes.High = scratch + 4 * Tile.MaxLanes;
            lanes.Centre = scratch + 5 * Tile.MaxLanes;
            lanes.Slope = scratch + 6 * Tile.MaxLanes;
            scratch += 7 * Tile.MaxLanes;
            lanes.Query = (float**)scratch;
            lanes.Result = lanes.Query + Tile.MaxLanes;
            return lanes;
        }

        /// <summary>Bounds, queries and the state so far of a tile's lanes; lanes past the last see nothing.</summary>
        private readonly void Fill(ref AttentionLanes lanes, in AttentionGroup group, int kvHead, int firstLane)
        {
            var positions = Batch.Positions;
            var window = Options.Window;
            for (var i = 0; i < PanelRows(lanes.Count); i++)
            {
                lanes.Maximum[i] = float.NegativeInfinity;
                lanes.Sum[i] = 0;
                lanes.Low[i] = 0;
                lanes.High[i] = -1;
                lanes.Centre[i] = 0;
                lanes.Slope[i] = 0;
                if (i >= lanes.Count)
                {
                    continue;
                }

                var (row, head) = LaneAt(group, kvHead, firstLane + i);
                // Own entries are counted as the slot counts them, a prefix's by position: distances agree within each.
                var centre = group.IsPrefix ? positions[row] : group.Start + row - group.BatchRow;
                var last = group.IsPrefix ? group.KeyCount - 1 : centre;
                lanes.Low[i] = window > 0 ? Math.Max(0, centre - window + 1) : 0;
                lanes.High[i] = window > 0 ? Math.Min(last, (long)centre + window - 1) : last;
                lanes.Centre[i] = centre;
                lanes.Slope[i] = Slopes == null ? 0 : Slopes[head];
                lanes.Query[i] = Query.Row(row, head);
                lanes.Result[i] = Destination.Row(row, head);
                var output = new Span<float>(lanes.Output + i * PaddedDim, PaddedDim);
                if (group.HasPrefix)
                {
                    var state = (long)row * Heads + head;
                    lanes.Maximum[i] = Maxima[state];
                    lanes.Sum[i] = Sums[state];
                    new ReadOnlySpan<float>(Outputs + state * PaddedDim, PaddedDim).CopyTo(output);
                }
                else
                {
                    output.Clear();
                }
            }
        }

        /// <summary>Scaled queries in the form that scores are computed from.</summary>
        private readonly void LayQueries(in AttentionLanes lanes, bool dots)
        {
            var scale = (float)Options.Scale;
            if (!dots)
            {
                Transposition.Pack(lanes.Query, lanes.Count, HeadDim, lanes.Panel, PanelRows(lanes.Count), scale);
                return;
            }

            for (var i = 0; i < lanes.Count; i++)
            {
                CopyPaddedQuery(lanes.Query[i], HeadDim, scale, lanes.Padded + i * PaddedDim);
            }
        }

        /// <summary>Writes the results of own keys, or keeps the state of a prefix.</summary>
        private readonly void Finish(in AttentionLanes lanes, in AttentionGroup group, int kvHead, int firstLane)
        {
            for (var i = 0; i < lanes.Count; i++)
            {
                var output = lanes.Output + i * PaddedDim;
                if (group.IsPrefix)
                {
                    var (row, head) = LaneAt(group, kvHead, firstLane + i);
                    var state = (long)row * Heads + head;
                    Maxima[state] = lanes.Maximum[i];
                    Sums[state] = lanes.Sum[i];
                    new ReadOnlySpan<float>(output, PaddedDim).CopyTo(new Span<float>(Outputs + state * PaddedDim, PaddedDim));
                    continue;
                }

                ScaleRow(output, 1f / lanes.Sum[i], HeadDim, lanes.Result[i]);
            }
        }

        private readonly (int Row, int Head) LaneAt(in AttentionGroup group, int kvHead, int lane) =>
            (Plan.Rows[group.FirstRow + lane / Plan.HeadsPerKv], kvHead * Plan.HeadsPerKv + lane % Plan.HeadsPerKv);
    }
}
