// Taps: copies of what passes by, read while in scope.
using Rt.Core;

namespace Rt.Model;

/// <summary>Which rows a tap reads.</summary>
public enum TapRows
{
    /// <summary>Every row.</summary>
    All,

    /// <summary>The last row of every prompt.</summary>
    PromptEnds,
}

/// <summary>Rows read at one place: their values, and as many widths as rows.</summary>
public sealed class TapRecord
{
    private readonly List<double[]> _rows = [];

    /// <summary>[rows] of [width], in the order in which they passed.</summary>
    public IReadOnlyList<double[]> Rows => _rows;

    internal void Read(IDevice device, RowBatch rows, TapRows which, Tensor matrix)
    {
        foreach (var sequence in rows.Sequences)
        {
            if (which == TapRows.PromptEnds && sequence.Stage != Stage.PromptEnd)
            {
                continue;
            }

            for (var row = which == TapRows.All ? sequence.FirstRow : sequence.LastRow; row <= sequence.LastRow; row++)
            {
                var values = new double[matrix.Columns];
                device.Download(matrix.SliceRows(row, 1), values);
                _rows.Add(values);
            }
        }
    }
}

/// <summary>Reads the residual stream at chosen points.</summary>
/// <param name="points">Where; (number of layers, Pre) is the head's argument before the final norm.</param>
/// <param name="which">Which rows.</param>
public sealed class ResidualTap(IEnumerable<ResidualPoint> points, TapRows which = TapRows.All) : ForwardHook
{
    private readonly Dictionary<ResidualPoint, TapRecord> _records = points.ToDictionary(point => point, _ => new TapRecord());

    /// <inheritdoc/>
    public override bool WantsAllRows => which == TapRows.All;

    /// <summary>What was read at a point.</summary>
    public TapRecord this[ResidualPoint point] => _records[point];

    /// <inheritdoc/>
    public override void OnResidual(IDevice device, RowBatch rows, ResidualPoint point, Tensor residual)
    {
        if (_records.TryGetValue(point, out var record))
        {
            record.Read(device, rows, which, residual);
        }
    }
}

/// <summary>Reads attention's output per head (before the output projection) of one layer, rows of [heads x head_dim].</summary>
public sealed class HeadTap(int layer, TapRows which = TapRows.All) : ForwardHook
{
    /// <inheritdoc/>
    public override bool WantsAllRows => which == TapRows.All;

    /// <summary>What was read.</summary>
    public TapRecord Record { get; } = new();

    /// <inheritdoc/>
    public override void OnHeads(IDevice device, RowBatch rows, int atLayer, Tensor heads)
    {
        if (atLayer == layer)
        {
            Record.Read(device, rows, which, Flat(heads));
        }
    }

    internal static Tensor Flat(Tensor heads) =>
        new(heads.Storage, heads.DType, heads.Offset, 1, heads.Dim0, heads.Dim1 * heads.Dim2, heads.Stride0 * heads.Dim0, heads.Stride0);
}

/// <summary>Reads what attention (<see cref="Point.Mid"/>) or the feed-forward (<see cref="Point.Post"/>) of one layer adds to the residual.</summary>
public sealed class BranchTap(ResidualPoint target, TapRows which = TapRows.All) : ForwardHook
{
    /// <inheritdoc/>
    public override bool WantsAllRows => which == TapRows.All;

    /// <summary>What was read.</summary>
    public TapRecord Record { get; } = new();

    /// <inheritdoc/>
    public override bool WantsBranches => true;

    /// <inheritdoc/>
    public override void OnBranch(IDevice device, RowBatch rows, ResidualPoint atTarget, Tensor branch)
    {
        if (atTarget == target)
        {
            Record.Read(device, rows, which, branch);
        }
    }
}

/// <summary>Reads queries, scores and probabilities of one layer's attention.</summary>
public sealed class AttentionTap(int layer, TapRows which = TapRows.All) : ForwardHook
{
    private readonly List<double[][]> _queries = [];
    private readonly List<double[][]> _scores = [];
    private readonly List<double[][]> _probabilities = [];

    /// <inheritdoc/>
    public override bool WantsAllRows => which == TapRows.All;

    /// <summary>[rows][heads][head_dim], after rotary. (Queries of fused projections are strided: read head by head.)</summary>
    public IReadOnlyList<double[][]> Queries => _queries;

    /// <summary>[rows][heads][keys]: kept prefix first, then the sequence's own entries; unseen keys are -infinity.</summary>
    public IReadOnlyList<double[][]> Scores => _scores;

    /// <summary>[rows][heads][keys]; unseen keys are 0.</summary>
    public IReadOnlyList<double[][]> Probabilities => _probabilities;

    /// <inheritdoc/>
    public override void OnQuery(IDevice device, RowBatch rows, int atLayer, Tensor query, in AttentionOptions options)
    {
        if (atLayer != layer)
        {
            return;
        }

        var keys = 0;
        foreach (var sequence in rows.Sequences)
        {
            keys = Math.Max(keys, sequence.PrefixLength + sequence.Length);
        }

        var buffer = device.Allocate(device.ActivationType, rows.RowCount, query.Dim1, keys);
        try
        {
            device.AttentionScores(query, rows, layer, options, probabilities: false, buffer);
            Read(device, rows, buffer, _scores, keysOnly: true);
            device.AttentionScores(query, rows, layer, options, probabilities: true, buffer);
            Read(device, rows, buffer, _probabilities, keysOnly: true);
            Read(device, rows, query, _queries, keysOnly: false);
        }
        finally
        {
            buffer.Storage.Dispose();
        }
    }

    private void Read(IDevice device, RowBatch rows, Tensor source, List<double[][]> destination, bool keysOnly)
    {
        foreach (var sequence in rows.Sequences)
        {
            if (which == TapRows.PromptEnds && sequence.Stage != Stage.PromptEnd)
            {
                continue;
            }

            var width = keysOnly ? sequence.PrefixLength + sequence.Length : source.Dim2;
            for (var row = which == TapRows.All ? sequence.FirstRow : sequence.LastRow; row <= sequence.LastRow; row++)
            {
                var heads = new double[source.Dim1][];
                for (var head = 0; head < heads.Length; head++)
                {
                    heads[head] = new double[width];
                    device.Download(source.Slice(row, 1).SliceRows(head, 1).SliceColumns(0, width), heads[head]);
                }

                destination.Add(heads);
            }
        }
    }
}
