// Rotary tables on the device: cosines and sines made on the host in float64, grown with the positions asked for.
using Rt.Core;

namespace Rt.Model;

/// <summary>The rotary table of one <see cref="RopeConfig"/> on one device.</summary>
internal sealed class Rotary(IDevice device, RopeConfig config) : IDisposable
{
    private const int FirstCapacity = 512;

    private readonly double[] _frequencies = config.Frequencies(1);
    private double[] _cos = [];
    private double[] _sin = [];
    private RotaryTable? _table;
    private int _filled;

    /// <summary>The table, after <see cref="Prepare"/>.</summary>
    public RotaryTable Table => _table!;

    /// <summary>Makes the table hold what the rows of a forward pass need.</summary>
    public void Prepare(RowBatch rows)
    {
        if (config.DependsOnLength)
        {
            FillByRow(rows);
        }
        else
        {
            FillByPosition(rows);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _table?.Cos.Storage.Dispose();
        _table?.Sin.Storage.Dispose();
    }

    /// <summary>One entry per position; entries already made stay.</summary>
    private void FillByPosition(RowBatch rows)
    {
        var last = 0;
        foreach (var sequence in rows.Sequences)
        {
            last = Math.Max(last, sequence.Position(sequence.RowCount - 1));
        }

        if (last >= _filled)
        {
            var capacity = FirstCapacity;
            while (capacity <= last)
            {
                capacity *= 2;
            }

            Reserve(capacity, byRow: false);
            for (var position = 0; position < capacity; position++)
            {
                Fill(position, position, _frequencies);
            }

            Send(capacity);
            _filled = capacity;
        }
    }

    /// <summary>One entry per row: frequencies follow the length that the row's own sequence has reached.</summary>
    private void FillByRow(RowBatch rows)
    {
        if (_table is null || _table.Cos.Rows < rows.RowCount)
        {
            Reserve(Math.Max(rows.RowCapacity, FirstCapacity), byRow: true);
        }

        foreach (var sequence in rows.Sequences)
        {
            var frequencies = config.Frequencies(sequence.Position(sequence.RowCount - 1) + 1);
            for (var i = 0; i < sequence.RowCount; i++)
            {
                Fill(sequence.FirstRow + i, sequence.Position(i), frequencies);
            }
        }

        Send(rows.RowCount);
    }

    private void Reserve(int capacity, bool byRow)
    {
        Dispose();
        var half = config.Dim / 2;
        _cos = new double[capacity * half];
        _sin = new double[capacity * half];
        _table = new RotaryTable(
            device.Allocate(device.ActivationType, 1, capacity, half),
            device.Allocate(device.ActivationType, 1, capacity, half),
            config.Dim, config.Interleaved, byRow);
    }

    private void Fill(int row, int position, double[] frequencies)
    {
        for (var i = 0; i < frequencies.Length; i++)
        {
            var (s, c) = Math.SinCos(position * frequencies[i]);
            _cos[row * frequencies.Length + i] = c * config.AttentionFactor;
            _sin[row * frequencies.Length + i] = s * config.AttentionFactor;
        }
    }

    /// <summary>Brings the first rows over.</summary>
    private void Send(int rows)
    {
        var count = rows * (config.Dim / 2);
        device.Upload(_cos.AsSpan(0, count), _table!.Cos.SliceRows(0, rows));
        device.Upload(_sin.AsSpan(0, count), _table.Sin.SliceRows(0, rows));
    }
}
