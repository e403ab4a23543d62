// The one forward pass: every family is data to it, every device an IDevice.
using Rt.Core;

namespace Rt.Model;

/// <summary>What the caller wants of the last block.</summary>
public enum LastBlock
{
    /// <summary>Every row.</summary>
    AllRows,

    /// <summary>The last row of every sequence that is at its end: all that a next token or a task vector needs.</summary>
    LastRows,

    /// <summary>Keys and values only: it stops once they are stored, and its attention is not computed.</summary>
    KeysAndValues,
}

/// <summary>Runs rows through the blocks of a model.</summary>
public sealed class Transformer : IDisposable
{
    private readonly IDevice _device;
    private readonly ModelConfig _config;
    private readonly TransformerWeights _weights;
    private readonly Rotary?[] _rotaries;
    private readonly Rotary[] _distinctRotaries;
    private readonly Tensor? _alibiSlopes;

    /// <param name="device">Computes the ops.</param>
    /// <param name="config">Shape and rules.</param>
    /// <param name="weights">Bound to <paramref name="device"/>.</param>
    public Transformer(IDevice device, ModelConfig config, TransformerWeights weights)
    {
        _device = device;
        _config = config;
        _weights = weights;
        var distinct = new Dictionary<RopeConfig, Rotary>();
        _rotaries = [.. config.Layers.Select(layer => layer.Rope is null ? null : Shared(layer.Rope))];
        _distinctRotaries = [.. distinct.Values];
        if (config.Alibi)
        {
            var slopes = device.Allocate(device.ActivationType, 1, 1, config.NumAttentionHeads);
            device.Upload(AlibiSlopes(config.NumAttentionHeads), slopes);
            _alibiSlopes = slopes;
        }

        Rotary Shared(RopeConfig rope) =>
            distinct.TryGetValue(rope, out var rotary) ? rotary : distinct[rope] = new Rotary(device, rope);
    }

    /// <summary>Hooks called by every pass, in order.</summary>
    internal List<ForwardHook> Hooks { get; } = [];

    /// <summary>Computes the blocks for a batch.</summary>
    /// <param name="rows">The rows; their keys and values go into its cache.</param>
    /// <param name="workspace">Buffers for at least that many rows.</param>
    /// <param name="last">What is wanted of the last block.</param>
    /// <returns>The batch whose rows <see cref="Workspace.Residual"/> then holds, as the last block's output: <paramref name="rows"/>,
    /// or the last rows of its sequences where only those were computed.</returns>
    public RowBatch Forward(RowBatch rows, Workspace workspace, LastBlock last = LastBlock.AllRows)
    {
        if (rows.RowCount > workspace.RowCapacity)
        {
            throw new ShapeException($"{rows.RowCount} rows exceed the workspace of {workspace.RowCapacity}");
        }

        _device.Begin(rows);
        foreach (var hook in Hooks)
        {
            hook.OnBegin(_device, rows);
        }

        foreach (var rotary in _distinctRotaries)
        {
            rotary.Prepare(rows);
        }

        Embed(rows, workspace);
        var lastLayer = _config.NumHiddenLayers - 1;
        for (var layer = 0; layer < lastLayer; layer++)
        {
            rows.Enter(layer);
            if (rows.RowCount > 0)
            {
                Block(layer, rows, workspace, LastBlock.AllRows);
            }
        }

        rows.Enter(lastLayer);
        if (rows.RowCount > 0)
        {
            rows = Block(lastLayer, rows, workspace, last);
        }

        rows.Enter(_config.NumHiddenLayers);
        Visit(rows, new ResidualPoint(_config.NumHiddenLayers, Point.Pre), workspace.Residual.SliceRows(0, rows.RowCount));
        return rows;
    }

    /// <summary>The final norm (and projection) of chosen rows of the residual: the head's argument.</summary>
    /// <param name="residual">[rows, hidden], the last block's output or any vectors of the residual stream.</param>
    /// <param name="rowIndices">Rows to take.</param>
    /// <param name="gathered">[count, hidden], scratch.</param>
    /// <param name="destination">[count, embedding size]; <paramref name="gathered"/> itself where embeddings are not projected.</param>
    /// <param name="finalNorm">False leaves the final norm out.</param>
    public void FinalStates(
        Tensor residual, ReadOnlySpan<int> rowIndices, Tensor gathered, Tensor destination, bool finalNorm = true)
    {
        _device.GatherRows(residual, rowIndices, gathered);
        if (finalNorm && _weights.FinalNorm is { } norm)
        {
            _device.Normalize(gathered, norm, gathered);
        }

        if (_weights.ProjectOut is { } project)
        {
            _device.MatMul(gathered, project, false, destination);
        }
    }

    /// <summary>Logits of final states: head, then the final soft cap.</summary>
    public void Logits(Tensor finalStates, Tensor destination)
    {
        _device.MatMul(finalStates, _weights.Head, false, destination);
        if (_config.FinalSoftCap > 0)
        {
            _device.SoftCap(destination, _config.FinalSoftCap);
        }
    }

    /// <summary>Log-probabilities of chosen tokens at final states.</summary>
    public void LogProbabilities(Tensor finalStates, ReadOnlySpan<TokenTarget> targets, Span<double> destination) =>
        _device.LogProbabilities(finalStates, _weights.Head, _config.FinalSoftCap, targets, destination);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var rotary in _distinctRotaries)
        {
            rotary.Dispose();
        }

        _alibiSlopes?.Storage.Dispose();
    }

    /// <summary>ALiBi slopes: a geometric sequence per head; for head counts that are no power of two, the rest is taken
    /// from the next power's sequence, every second. Press et al. 2021, arXiv:2108.12409.</summary>
    internal static double[] AlibiSlopes(int heads)
    {
        var power = 1;
        while (2 * power <= heads)
        {
            power *= 2;
        }

        var slopes = new double[heads];
        for (var head = 0; head < heads; head++)
        {
            slopes[head] = head < power
                ? Math.Pow(2, -8.0 * (head + 1) / power)
                : Math.Pow(2, -8.0 * (2 * (head - power) + 1) / (2 * power));
        }

        return slopes;
    }

    private void Embed(RowBatch rows, Workspace workspace)
    {
        var residual = workspace.Residual.SliceRows(0, rows.RowCount);
        if (_weights.ProjectIn is { } project)
        {
            var embedded = workspace.Embedded.SliceRows(0, rows.RowCount);
            _device.Embed(rows, _weights.TokenEmbedding, _config.EmbeddingScale, embedded);
            _device.MatMul(embedded, project, false, residual);
        }
        else
        {
            _device.Embed(rows, _weights.TokenEmbedding, _config.EmbeddingScale, residual);
        }

        if (_weights.PositionEmbedding is { } positions)
        {
            _device.AddPositions(rows, positions, _config.LearnedPositionOffset!.Value, residual);
        }

        if (_weights.EmbeddingNorm is { } norm)
        {
            _device.Normalize(residual, norm, residual);
        }
    }

    /// <summary>One block; returns the rows it went on with after storing keys and values.</summary>
    private RowBatch Block(int layer, RowBatch rows, Workspace workspace, LastBlock wanted)
    {
        var weights = _weights.Layers[layer];
        var post = _config.NormPlacement == NormPlacement.Post;
        var residual = workspace.Residual.SliceRows(0, rows.RowCount);
        Visit(rows, new ResidualPoint(layer, Point.Pre), residual);

        var normed = post ? residual : Normed(residual, weights.AttentionNorm, workspace.Normed, rows);
        var qkv = Project(layer, normed, rows, workspace);
        if (wanted == LastBlock.LastRows && KeepLastRows(ref rows, ref qkv, workspace))
        {
            residual = workspace.Residual.SliceRows(0, rows.RowCount);
            normed = post ? residual : Normed(residual, weights.AttentionNorm, workspace.Normed, rows);
        }

        if (rows.RowCount == 0)
        {
            return rows;
        }

        var heads = Attend(layer, qkv, rows, workspace, wanted != LastBlock.KeysAndValues);
        if (wanted == LastBlock.KeysAndValues)
        {
            return rows;
        }

        // In parallel families the feed-forward reads the block's input, so its norm comes before attention joins the residual.
        var mlpInput = normed;
        if (_config.ParallelResidual && weights.MlpNorm is { } ownNorm)
        {
            mlpInput = Normed(residual, ownNorm, workspace.MlpNormed, rows);
        }

        Continue(normed, residual);
        var next = post || _config.ParallelResidual ? null : weights.MlpNorm;
        var isNormed = Join(heads, weights.Output, weights.PostAttentionNorm, new ResidualPoint(layer, Point.Mid), rows, workspace, next);
        if (post)
        {
            Normed(residual, weights.AttentionNorm, residual, rows);
        }

        if (!_config.ParallelResidual)
        {
            Visit(rows, new ResidualPoint(layer, Point.Mid), residual);
            mlpInput = post ? residual
                : isNormed ? workspace.Normed.SliceRows(0, rows.RowCount)
                : Normed(residual, weights.MlpNorm, workspace.Normed, rows);
            Continue(mlpInput, residual);
        }

        var inner = FeedForward(mlpInput, weights, rows, workspace);
        Join(inner, weights.Down, weights.PostMlpNorm, new ResidualPoint(layer, Point.Post), rows, workspace);
        if (post)
        {
            Normed(residual, weights.MlpNorm, residual, rows);
        }

        Visit(rows, new ResidualPoint(layer, Point.Post), residual);
        return rows;
    }

    /// <summary>Queries, keys and values of all rows, the latter two stored; returns [rows, width] with the queries rotated.</summary>
    private Tensor Project(int layer, Tensor normed, RowBatch rows, Workspace workspace)
    {
        var weights = _weights.Layers[layer];
        var qkv = workspace.Qkv.SliceRows(0, rows.RowCount);
        _device.MatMul(normed, weights.Qkv, false, qkv);
        var layout = weights.Layout;
        var query = Query(qkv, layout);
        var key = qkv.Heads(layout.Key, _config.NumKeyValueHeads, _config.HeadDim, layout.KeyValueStride);
        var value = qkv.Heads(layout.Value, _config.NumKeyValueHeads, _config.HeadDim, layout.KeyValueStride);
        if (weights.QueryNorm is { } queryNorm)
        {
            _device.Normalize(query, queryNorm, query);
        }

        if (weights.KeyNorm is { } keyNorm)
        {
            _device.Normalize(key, keyNorm, key);
        }

        _device.AppendKv(query, key, value, rows, layer, _rotaries[layer]?.Table);
        return qkv;
    }

    private Tensor Query(Tensor qkv, QkvLayout layout) =>
        qkv.Heads(layout.Query, _config.NumAttentionHeads, _config.HeadDim, layout.QueryStride);

    /// <summary>Goes on with the last row of every sequence at its end, where that saves rows and no hook wants the others.</summary>
    private bool KeepLastRows(ref RowBatch rows, ref Tensor qkv, Workspace workspace)
    {
        if (rows.SequenceCount == rows.RowCount)
        {
            return false;
        }

        foreach (var hook in Hooks)
        {
            if (hook.WantsAllRows)
            {
                return false;
            }
        }

        var kept = workspace.LastRows;
        kept.TakeLastRows(rows, workspace.LastRowIndices);
        rows = kept;
        _device.Begin(kept);
        if (kept.RowCount == 0)
        {
            return true;
        }

        var indices = workspace.LastRowIndices.AsSpan(0, kept.RowCount);
        _device.GatherRows(qkv, indices, workspace.LastQkv.SliceRows(0, kept.RowCount));
        qkv = workspace.LastQkv.SliceRows(0, kept.RowCount);
        _device.GatherRows(workspace.Residual, indices, workspace.Branch.SliceRows(0, kept.RowCount));
        _device.Copy(workspace.Branch.SliceRows(0, kept.RowCount), workspace.Residual.SliceRows(0, kept.RowCount));
        return true;
    }

    private Tensor Attend(int layer, Tensor qkv, RowBatch rows, Workspace workspace, bool compute)
    {
        var attention = _config.Layers[layer];
        var query = Query(qkv, _weights.Layers[layer].Layout);
        var options = new AttentionOptions(attention.Scale, attention.Window, _config.AttentionSoftCap, _alibiSlopes);
        foreach (var hook in Hooks)
        {
            hook.OnQuery(_device, rows, layer, query, options);
        }

        var heads = workspace.Heads.SliceRows(0, rows.RowCount).Heads(0, _config.NumAttentionHeads, _config.HeadDim, _config.HeadDim);
        if (compute)
        {
            _device.Attention(query, rows, layer, options, heads);
        }

        foreach (var hook in Hooks)
        {
            hook.OnHeads(_device, rows, layer, heads);
        }

        return workspace.Heads.SliceRows(0, rows.RowCount);
    }

    private Tensor FeedForward(Tensor input, LayerWeights weights, RowBatch rows, Workspace workspace)
    {
        var inner = workspace.Inner.SliceRows(0, rows.RowCount);
        _device.MatMulActivate(input, weights.Up, _config.Activation, _config.Gated, inner);
        return inner.SliceColumns(0, _config.IntermediateSize);
    }

    /// <summary>Projects a branch and adds it to the residual, through its norm where the family has one there. Where that is a step of its own
    /// and no hook looks at the residual in between, <paramref name="next"/> is taken along; returns whether <see cref="Workspace.Normed"/> holds its result.</summary>
    private bool Join(
        Tensor input, Linear projection, Norm? norm, ResidualPoint target, RowBatch rows, Workspace workspace, Norm? next = null)
    {
        var residual = workspace.Residual.SliceRows(0, rows.RowCount);
        var watched = false;
        foreach (var hook in Hooks)
        {
            watched |= hook.WantsBranches;
        }

        if (norm is null && !watched)
        {
            _device.MatMul(input, projection, true, residual);
            return false;
        }

        var branch = workspace.Branch.SliceRows(0, rows.RowCount);
        _device.MatMul(input, projection, false, branch);
        if (norm is not null)
        {
            _device.Normalize(branch, norm, branch);
        }

        foreach (var hook in Hooks)
        {
            hook.OnBranch(_device, rows, target, branch);
        }

        if (next is not null && Hooks.Count == 0)
        {
            _device.AddNormalize(residual, branch, next, workspace.Normed.SliceRows(0, rows.RowCount));
            return true;
        }

        _device.Add(residual, branch, residual);
        return false;
    }

    /// <summary>BLOOM's variant: the residual continues from the norm's output.</summary>
    private void Continue(Tensor normed, Tensor residual)
    {
        if (_config.ResidualFromNorm)
        {
            _device.Copy(normed, residual);
        }
    }

    private Tensor Normed(Tensor x, Norm? norm, Tensor destination, RowBatch rows)
    {
        var result = destination.SliceRows(0, rows.RowCount);
        _device.Normalize(x, norm!, result);
        return result;
    }

    private void Visit(RowBatch rows, ResidualPoint point, Tensor residual)
    {
        foreach (var hook in Hooks)
        {
            hook.OnResidual(_device, rows, point, residual);
        }
    }
}
