// A device around another one that writes down what every op cost. Computes nothing itself.
using System.Diagnostics;
using Rt.Core;

namespace Rt.Cli.Bench;

/// <summary>Passes every op on to <paramref name="inner"/> and, while <paramref name="ledger"/> records, times it.</summary>
/// <param name="inner">Computes; disposed with this device.</param>
/// <param name="ledger">Receives calls, times and work.</param>
/// <remarks>Times are wall times seen by the caller: right for devices that finish an op before they return.</remarks>
public sealed class TimingDevice(IDevice inner, OpLedger ledger) : IDevice
{
    /// <inheritdoc/>
    public string Name => inner.Name;

    /// <inheritdoc/>
    public string Description => inner.Description;

    /// <inheritdoc/>
    public DType ActivationType => inner.ActivationType;

    private IDevice Inner => inner;

    private int ActivationBytes => inner.ActivationType.Bytes();

    /// <inheritdoc/>
    public Tensor Allocate(DType type, int dim0, int dim1, int dim2)
    {
        var start = Stopwatch.GetTimestamp();
        var tensor = inner.Allocate(type, dim0, dim1, dim2);
        Note(start, new OpKey(nameof(Allocate), tensor.Rows, (tensor.Columns, 1)), Moved((double)tensor.Count * type.Bytes()));
        return tensor;
    }

    /// <summary>Whether ops compute on the processor and are done when they return.</summary>
    public bool ReadsHostMemory => inner is not Cuda.GpuDevice;

    /// <inheritdoc/>
    public DType MasterType => inner.MasterType;

    /// <inheritdoc/>
    public void Repeat<TState>(TState state, Action<TState> work) => inner.Repeat(state, work);

    /// <inheritdoc/>
    public Tensor Import(Tensor host) => inner.Import(host);

    /// <inheritdoc/>
    public void Upload(ReadOnlySpan<double> source, Tensor destination)
    {
        var start = Stopwatch.GetTimestamp();
        inner.Upload(source, destination);
        Note(start, nameof(Upload), destination, 1);
    }

    /// <inheritdoc/>
    public void Download(Tensor source, Span<float> destination)
    {
        var start = Stopwatch.GetTimestamp();
        inner.Download(source, destination);
        Note(start, nameof(Download), source, 1);
    }

    /// <inheritdoc/>
    public void Download(Tensor source, Span<double> destination)
    {
        var start = Stopwatch.GetTimestamp();
        inner.Download(source, destination);
        Note(start, nameof(Download), source, 1);
    }

    /// <inheritdoc/>
    public void Begin(RowBatch rows)
    {
        var start = Stopwatch.GetTimestamp();
        inner.Begin(rows);
        Note(start, new OpKey(nameof(Begin), rows.RowCount), default);
    }

    /// <inheritdoc/>
    public void Embed(RowBatch rows, Tensor table, double scale, Tensor destination)
    {
        var start = Stopwatch.GetTimestamp();
        inner.Embed(rows, table, scale, destination);
        Note(start, nameof(Embed), destination, 2);
    }

    /// <inheritdoc/>
    public void AddPositions(RowBatch rows, Tensor table, int offset, Tensor destination)
    {
        var start = Stopwatch.GetTimestamp();
        inner.AddPositions(rows, table, offset, destination);
        Note(start, nameof(AddPositions), destination, 3);
    }

    /// <inheritdoc/>
    public void Normalize(Tensor x, Norm norm, Tensor destination)
    {
        var start = Stopwatch.GetTimestamp();
        inner.Normalize(x, norm, destination);
        Note(start, nameof(Normalize), x, 2);
    }

    /// <inheritdoc/>
    public void MatMul(Tensor x, Linear linear, bool accumulate, Tensor destination)
    {
        var start = Stopwatch.GetTimestamp();
        inner.MatMul(x, linear, accumulate, destination);
        if (ledger.Recording)
        {
            Note(start, Product(nameof(MatMul), x.Rows, linear), ProductWork(x.Rows, linear));
        }
    }

    /// <inheritdoc/>
    /// <remarks>On the processor as its two plain ops, so that each has its own time.</remarks>
    public void AddNormalize(Tensor x, Tensor y, Norm norm, Tensor destination)
    {
        if (ReadsHostMemory)
        {
            Add(x, y, x);
            Normalize(x, norm, destination);
            return;
        }

        var start = Stopwatch.GetTimestamp();
        inner.AddNormalize(x, y, norm, destination);
        Note(start, nameof(AddNormalize), x, 4);
    }

    /// <inheritdoc/>
    /// <remarks>On the processor as its plain ops, so that each has its own time.</remarks>
    public void MatMulActivate(Tensor x, Linear linear, Activation activation, bool gated, Tensor inner)
    {
        var start = Stopwatch.GetTimestamp();
        if (!ReadsHostMemory)
        {
            Inner.MatMulActivate(x, linear, activation, gated, inner);
            if (ledger.Recording)
            {
                Note(start, Product(nameof(MatMulActivate), x.Rows, linear), ProductWork(x.Rows, linear));
            }

            return;
        }

        MatMul(x, linear, false, inner);
        if (gated)
        {
            var width = linear.Out / 2;
            var gate = inner.SliceColumns(0, width);
            Gate(gate, inner.SliceColumns(width, width), activation, gate);
        }
        else
        {
            Activate(inner, activation, inner);
        }
    }

    /// <inheritdoc/>
    public void TopK(Tensor x, int count, Span<float> values, Span<int> indices)
    {
        var start = Stopwatch.GetTimestamp();
        inner.TopK(x, count, values, indices);
        Note(start, nameof(TopK), x, 1);
    }

    /// <inheritdoc/>
    public void Activate(Tensor x, Activation activation, Tensor destination)
    {
        var start = Stopwatch.GetTimestamp();
        inner.Activate(x, activation, destination);
        Note(start, nameof(Activate), x, 2);
    }

    /// <inheritdoc/>
    public void Gate(Tensor gate, Tensor up, Activation activation, Tensor destination)
    {
        var start = Stopwatch.GetTimestamp();
        inner.Gate(gate, up, activation, destination);
        Note(start, nameof(Gate), gate, 3);
    }

    /// <inheritdoc/>
    public void Add(Tensor x, Tensor y, Tensor destination)
    {
        var start = Stopwatch.GetTimestamp();
        inner.Add(x, y, destination);
        Note(start, nameof(Add), x, 3);
    }

    /// <inheritdoc/>
    public void Copy(Tensor source, Tensor destination)
    {
        var start = Stopwatch.GetTimestamp();
        inner.Copy(source, destination);
        Note(start, nameof(Copy), source, 2);
    }

    /// <inheritdoc/>
    public void SoftCap(Tensor x, double cap)
    {
        var start = Stopwatch.GetTimestamp();
        inner.SoftCap(x, cap);
        Note(start, nameof(SoftCap), x, 2);
    }

    /// <inheritdoc/>
    public void AppendKv(Tensor query, Tensor key, Tensor value, RowBatch rows, int layer, RotaryTable? rotary)
    {
        var start = Stopwatch.GetTimestamp();
        inner.AppendKv(query, key, value, rows, layer, rotary);
        Note(
            start, new OpKey(nameof(AppendKv), query.Dim0, (query.Dim1 + 2 * key.Dim1, query.Dim2)),
            Moved(2.0 * (query.Count + key.Count + value.Count) * ActivationBytes));
    }

    /// <inheritdoc/>
    public void Attention(Tensor query, RowBatch rows, int layer, in AttentionOptions options, Tensor destination)
    {
        var start = Stopwatch.GetTimestamp();
        inner.Attention(query, rows, layer, options, destination);
        NoteAttention(start, nameof(Attention), query, rows, options.Window);
    }

    /// <inheritdoc/>
    public void AttentionScores(
        Tensor query, RowBatch rows, int layer, in AttentionOptions options, bool probabilities, Tensor destination)
    {
        var start = Stopwatch.GetTimestamp();
        inner.AttentionScores(query, rows, layer, options, probabilities, destination);
        NoteAttention(start, nameof(AttentionScores), query, rows, options.Window);
    }

    /// <inheritdoc/>
    public void LinearAttention(
        Tensor query, RowBatch rows, int layer, double scale, LinearAttentionForm form, Tensor destination)
    {
        var start = Stopwatch.GetTimestamp();
        inner.LinearAttention(query, rows, layer, scale, form, destination);
        NoteAttention(start, nameof(LinearAttention), query, rows, 0);
    }

    /// <inheritdoc/>
    public void AccumulateMetaGradient(
        KvLayer current, KvLayer kept, KvLayer velocity, in MetaGradientStep step, Tensor? squaredNorms, KvLayer? copy = null)
    {
        var start = Stopwatch.GetTimestamp();
        inner.AccumulateMetaGradient(current, kept, velocity, step, squaredNorms, copy);
        // Reads current, kept and velocity, writes kept and velocity; where nothing is updated, only current and kept are read.
        var streams = (step.UpdateKey ? 5 : 2) + (step.UpdateValue ? 5 : 2);
        Note(
            start, new OpKey(nameof(AccumulateMetaGradient), current.Key.Rows, (current.Key.Columns, streams)),
            Moved((double)streams * current.Key.Count * kept.Key.DType.Bytes()));
    }

    /// <inheritdoc/>
    public void PatchRows(Tensor x, ReadOnlySpan<int> rowIndices, Tensor vectors, PatchMode mode, double scale)
    {
        var start = Stopwatch.GetTimestamp();
        inner.PatchRows(x, rowIndices, vectors, mode, scale);
        Note(start, nameof(PatchRows), vectors, 3);
    }

    /// <inheritdoc/>
    public void GatherRows(Tensor x, ReadOnlySpan<int> rowIndices, Tensor destination)
    {
        var start = Stopwatch.GetTimestamp();
        inner.GatherRows(x, rowIndices, destination);
        Note(start, nameof(GatherRows), destination, 2);
    }

    /// <inheritdoc/>
    public void ArgMax(Tensor x, Span<int> indices)
    {
        var start = Stopwatch.GetTimestamp();
        inner.ArgMax(x, indices);
        Note(start, nameof(ArgMax), x, 1);
    }

    /// <inheritdoc/>
    public void LogProbabilities(
        Tensor x, Linear head, double softCap, ReadOnlySpan<TokenTarget> targets, Span<double> destination)
    {
        var start = Stopwatch.GetTimestamp();
        inner.LogProbabilities(x, head, softCap, targets, destination);
        if (ledger.Recording)
        {
            var rows = 0;
            for (var i = 0; i < targets.Length; i++)
            {
                rows += i == 0 || targets[i].Row != targets[i - 1].Row ? 1 : 0;
            }

            Note(start, Product(nameof(LogProbabilities), rows, head), ProductWork(rows, head));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => inner.Dispose();

    private static OpKey Product(string op, int rows, Linear linear) =>
        new(op, rows, (linear.In, linear.Out), linear.Parts[0].Weight.DType, linear.Parts[0].InputMajor);

    private OpWork ProductWork(int rows, Linear linear)
    {
        var weights = 0.0;
        foreach (var part in linear.Parts)
        {
            weights += (double)part.Weight.Count * part.Weight.DType.Bytes();
        }

        return new OpWork(2.0 * rows * linear.In * linear.Out, weights, (double)rows * (linear.In + linear.Out) * ActivationBytes);
    }

    private static OpWork Moved(double bytes) => new(0, 0, bytes);

    /// <summary>An elementwise op whose time is a number of passes over a tensor.</summary>
    private void Note(long start, string op, Tensor tensor, int streams)
    {
        if (ledger.Recording)
        {
            Note(start, new OpKey(op, tensor.Rows, (tensor.Columns, 1)), Moved((double)streams * tensor.Count * tensor.DType.Bytes()));
        }
    }

    private void Note(long start, OpKey key, OpWork work)
    {
        if (ledger.Recording)
        {
            ledger.Add(key, Stopwatch.GetElapsedTime(start).TotalSeconds, work);
        }
    }

    /// <summary>Attention reads each prefix once and every sequence's own entries; a row multiplies with the keys it sees.</summary>
    private void NoteAttention(long start, string op, Tensor query, RowBatch rows, int window)
    {
        if (!ledger.Recording)
        {
            return;
        }

        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        var seen = 0.0;
        var entries = 0.0;
        Span<int> prefixLengths = rows.Prefixes.Count <= 256 ? stackalloc int[rows.Prefixes.Count] : new int[rows.Prefixes.Count];
        prefixLengths.Clear();
        foreach (ref readonly var sequence in rows.Sequences)
        {
            for (var row = 0; row < sequence.RowCount; row++)
            {
                var keys = sequence.PrefixLength + sequence.Start + row + 1;
                seen += window > 0 ? Math.Min(keys, window) : keys;
            }

            entries += sequence.Length;
            if (sequence.Prefix >= 0)
            {
                prefixLengths[sequence.Prefix] = Math.Max(prefixLengths[sequence.Prefix], sequence.PrefixLength);
            }
        }

        foreach (var length in prefixLengths)
        {
            entries += length;
        }

        ledger.Add(
            new OpKey(op, query.Dim0, (query.Dim1, query.Dim2)), seconds,
            new OpWork(4.0 * seen * query.Dim1 * query.Dim2, 0, 2 * entries * rows.Cache.KvHeads * rows.Cache.HeadDim * ActivationBytes));
    }
}
