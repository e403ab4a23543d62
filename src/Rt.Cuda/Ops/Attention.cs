// Attention on the GPU device: which kernel takes which tiles, and the merge of parts.
using Rt.Core;
using Rt.Gpu;
using Rt.Kernels;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    private const int RowsLanes = 4;
    private const int MostHeadDim = 512;

    private readonly List<AttentionPlan> _attentionPlans = [];
    private readonly Dictionary<(string Method, Type? First, Type Second), KernelEntry> _attentionEntries = [];

    /// <inheritdoc/>
    /// <remarks>Lengths are read from device memory; see <see cref="AttentionPlan"/> for what is launched.</remarks>
    public void Attention(Tensor query, RowBatch rows, int layer, in AttentionOptions options, Tensor destination)
    {
        const string Op = nameof(Attention);
        CheckHeads(Op, query, rows, rows.Cache);
        CheckHeads(Op, destination, rows, rows.Cache);
        Guard.SameShape(Op, query, destination);
        CheckOptions(Op, options, query);
        if (rows.RowCount == 0)
        {
            return;
        }

        var fast = HasFastAttention(query, rows, layer, destination);
        var groupHeads = query.Dim1 / rows.Cache.KvHeads;
        var geometry = fast ? FastGeometry(groupHeads, rows.Cache.KvHeads, query.Columns)
            : new AttentionGeometry(groupHeads, rows.Cache.KvHeads, 0, RowsLanes, RowsLanes);
        var plan = Plan(geometry, rows);
        using var scratch = Scratch();
        var parts = plan.PrefixParts + plan.OwnParts;
        var states = checked((int)((long)parts * plan.MergedRows * query.Dim1));
        var partials = scratch.Take(DType.F32, states, 1, query.Columns);
        var state = scratch.Take(DType.F32, states, 1, 2);
        foreach (var launch in plan.Launches)
        {
            var (entry, sharedBytes) = AttentionEntry(fast, launch.Narrow, query.Columns, plan.WideLanes, groupHeads, rows);
            var own = rows.Cache[layer];
            var prefix = launch.Prefix < 0 ? own : rows.Prefixes[launch.Prefix].Cache[layer];
            Start(entry)
                .Add(query).Add(query.Stride0).Add((int)query.Stride1)
                .Add(own.Key).Add(own.Value).Add(own.Key.Stride0).Add((int)own.Key.Stride1)
                .Add(prefix.Key).Add(prefix.Value).Add(prefix.Key.Stride0).Add((int)prefix.Key.Stride1)
                .Add(plan.Tiles).Add(launch.FirstTile).Add(plan.List).Add(options.AlibiSlopes)
                .Add(query.Columns).Add(query.Dim1).Add(rows.Cache.KvHeads)
                .Add((float)options.Scale).Add((float)options.SoftCap).Add(Window(options))
                .Add(plan.MergedRows).Add(plan.PrefixParts).Add(plan.PrefixChunk).Add(plan.OwnChunk)
                .Add(partials).Add(state)
                .Add(destination).Add(destination.Stride0).Add((int)destination.Stride1)
                .Run(launch.TileCount, rows.Cache.KvHeads, Math.Max(1, parts), sharedBytes);
        }

        if (plan.MergedRows > 0)
        {
            var combine = ColumnsEntry(nameof(AttentionCombine.AttentionCombineKernel), query.Columns);
            Start(combine)
                .Add(partials).Add(state).Add(plan.List)
                .Add(query.Columns).Add(query.Dim1).Add(Window(options)).Add(plan.PrefixParts).Add(plan.PrefixChunk).Add(plan.OwnChunk)
                .Add(destination).Add(destination.Stride0).Add((int)destination.Stride1)
                .Run(plan.MergedRows, Groups(query.Dim1, 4));
        }
    }

    /// <summary>Makes the tiles of a new batch for the shapes that the last one was used with.</summary>
    private void BeginAttention(RowBatch rows)
    {
        foreach (var plan in _attentionPlans)
        {
            plan.Forget();
            if (plan.IsUsed)
            {
                plan.Build(this, rows);
            }

            plan.IsUsed = false;
        }
    }

    private AttentionPlan Plan(AttentionGeometry geometry, RowBatch rows)
    {
        AttentionPlan? found = null;
        foreach (var plan in _attentionPlans)
        {
            found = plan.Geometry == geometry ? plan : found;
        }

        if (found is null)
        {
            _attentionPlans.Add(found = new AttentionPlan(geometry));
        }

        if (found.IsStaleFor(rows))
        {
            found.Build(this, rows);
        }

        found.IsUsed = true;
        return found;
    }

    /// <summary>Whether the kernels that move 16 bytes at a time take these tensors.</summary>
    private bool HasFastAttention(in Tensor query, RowBatch rows, int layer, in Tensor destination)
    {
        if (query.Columns > 256 || query.Columns * ActivationType.Bytes() % 16 != 0 || !AreAligned(query) || !AreAligned(destination)
            || !AreAligned(rows.Cache[layer].Key) || !AreAligned(rows.Cache[layer].Value))
        {
            return false;
        }

        for (var i = 0; i < rows.Prefixes.Count; i++)
        {
            var (key, value) = rows.Prefixes[i].Cache[layer];
            if (!AreAligned(key) || !AreAligned(value))
            {
                return false;
            }
        }

        return true;
    }

    private AttentionGeometry FastGeometry(int groupHeads, int kvHeads, int headDim)
    {
        if (ActivationType == DType.F32)
        {
            var large = headDim > 128 ? 64 : 128;
            var shared = AttentionTileF32.SharedBytes(Width(headDim, tensor: false), large / 16);
            return new AttentionGeometry(groupHeads, kvHeads, NarrowLanes: 8, 32, shared <= _launcher.MaxSharedBytes ? large : 32);
        }

        return new AttentionGeometry(groupHeads, kvHeads, NarrowLanes: 8, 64, headDim > 96 ? 64 : 128);
    }

    private (KernelEntry Entry, int SharedBytes) AttentionEntry(
        bool fast, bool narrow, int headDim, int wideLanes, int groupHeads, RowBatch rows)
    {
        if (!fast)
        {
            return (ColumnsEntry(nameof(AttentionRows.AttentionRowsKernel), headDim), 0);
        }

        if (narrow)
        {
            var lanes = NarrowLanes(groupHeads, rows);
            return (
                Entry(
                    nameof(AttentionDecode.AttentionDecodeKernel), HeadDim(Width(headDim, tensor: false)),
                    lanes <= 4 ? typeof(Count4) : typeof(Count8)),
                0);
        }

        var tensor = ActivationType != DType.F32;
        var width = Width(headDim, tensor);

        if (!tensor)
        {
            var perThread = wideLanes / 16;
            return (
                Entry(
                    nameof(AttentionTileF32.AttentionTileKernel), HeadDim(width),
                    perThread == 2 ? typeof(Count2) : perThread == 4 ? typeof(Count4) : typeof(Count8)),
                AttentionTileF32.SharedBytes(width, perThread));
        }

        var fragments = wideLanes / 64;
        return (
            Entry(nameof(AttentionTensor.AttentionTensorKernel), HeadDim(width), fragments == 1 ? typeof(Count1) : typeof(Count2)),
            AttentionTensor.SharedBytes(width, fragments));
    }

    /// <summary>Most lanes of a tile of the decode kernel in this batch: one sequence's, or those of all that share a prefix.</summary>
    private static int NarrowLanes(int groupHeads, RowBatch rows)
    {
        var most = 1;
        foreach (var sequence in rows.Sequences)
        {
            var lanes = sequence.RowCount * groupHeads;
            if (lanes > 8)
            {
                continue;
            }

            most = Math.Max(most, lanes);
            if (sequence.PrefixLength > 0)
            {
                var shared = 0;
                foreach (var other in rows.Sequences)
                {
                    shared += other.Prefix == sequence.Prefix && other.PrefixLength > 0 ? other.RowCount * groupHeads : 0;
                }

                most = shared <= 8 ? Math.Max(most, shared) : most;
            }
        }

        return most;
    }

    /// <summary>A kernel of this device's activations, found once.</summary>
    private KernelEntry Entry(string method, Type? first, Type second)
    {
        if (!_attentionEntries.TryGetValue((method, first, second), out var entry))
        {
            entry = first is null
                ? KernelCatalog.Find(method, ActivationElement, second)
                : KernelCatalog.Find(method, ActivationElement, first, second);
            _attentionEntries.Add((method, first, second), entry);
        }

        return entry;
    }

    /// <summary>A kernel that lays a head across a warp, by the elements per thread.</summary>
    private KernelEntry ColumnsEntry(string method, int headDim) => Entry(
        method, null, headDim <= 128 ? typeof(Count4) : typeof(Count16));

    /// <summary>The width that a kernel is compiled for: the least that holds a head. Only the tensor-core kernel has one of 96.</summary>
    private static int Width(int headDim, bool tensor) =>
        headDim <= 64 ? 64 : headDim <= 96 && tensor ? 96 : headDim <= 128 ? 128 : 256;

    private static Type HeadDim(int width) => width switch
    {
        64 => typeof(HeadDim64),
        96 => typeof(HeadDim96),
        128 => typeof(HeadDim128),
        _ => typeof(HeadDim256),
    };

    /// <summary>The window, bounded so that sums of positions and windows stay within an int.</summary>
    private static int Window(in AttentionOptions options) => Math.Min(options.Window, 1 << 29);

    private bool IsAligned(in Tensor tensor) => (Memory(tensor).Address + tensor.Offset * tensor.DType.Bytes()) % 16 == 0;

    /// <summary>Whether every row along the last axis begins at a multiple of 16 bytes.</summary>
    private bool AreAligned(in Tensor tensor)
    {
        var length = 16 / tensor.DType.Bytes();
        return IsAligned(tensor) && tensor.Stride0 % length == 0 && tensor.Stride1 % length == 0;
    }

    /// <summary>[rows, heads, head_dim] of the batch, and a cache of that head dim whose heads divide the query's.</summary>
    private void CheckHeads(string op, in Tensor tensor, RowBatch rows, KvCache cache)
    {
        GpuGuard.Activations(op, this, tensor);
        if (tensor.Dim0 != rows.RowCount || tensor.Columns != cache.HeadDim || tensor.Columns > MostHeadDim || tensor.Dim1 % cache.KvHeads != 0
            || tensor.Stride1 > int.MaxValue)
        {
            throw new ShapeException(
                $"{op}: {tensor} does not fit {rows.RowCount} rows and {cache.KvHeads} key-value heads of {cache.HeadDim} (at most {MostHeadDim})");
        }
    }

    private void CheckKeys(string op, in Tensor tensor, RowBatch rows)
    {
        CheckHeads(op, tensor, rows, rows.Cache);
        if (tensor.Dim1 != rows.Cache.KvHeads)
        {
            throw new ShapeException($"{op}: {tensor} does not have {rows.Cache.KvHeads} key-value heads");
        }
    }

    private void CheckOptions(string op, in AttentionOptions options, in Tensor query)
    {
        if (options.AlibiSlopes is { } slopes)
        {
            GpuGuard.Activations(op, this, slopes);
            Guard.Fits(op, slopes.Count == query.Dim1 && slopes.IsContiguous, slopes, query);
        }
    }
}
