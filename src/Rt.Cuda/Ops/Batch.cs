// The batch on the device: tokens, positions and sequences in fixed buffers, so that recorded launches see each new batch.
// Lengths that grow from step to step are read from here by kernels, never passed as numbers.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    private readonly BatchDescriptor _batch = new();

    /// <inheritdoc/>
    public void Begin(RowBatch rows)
    {
        _batch.Upload(this, rows);
        BeginAttention(rows);
    }
}

/// <summary>One block of ints that describes the batch announced last; every table has a fixed place for given capacities.</summary>
internal sealed class BatchDescriptor
{
    /// <summary>Ints per sequence in <see cref="Sequences"/>: first row, rows, slot, start, first position, prefix index or -1,
    /// prefix length, slot of the prefix in its cache.</summary>
    public const int SequenceInts = 8;

    private int[] _host = [];
    private GpuStorage? _storage;
    private int _rowCapacity;
    private int _sequenceCapacity;

    /// <summary>[capacity] I32: the token of each row.</summary>
    public Tensor TokenIds => Table(0, _rowCapacity);

    /// <summary>[capacity] I32: the position of each row.</summary>
    public Tensor Positions => Table(_rowCapacity, _rowCapacity);

    /// <summary>[capacity] I32: the sequence of each row.</summary>
    public Tensor SequenceOfRow => Table(2 * _rowCapacity, _rowCapacity);

    /// <summary>[capacity, <see cref="SequenceInts"/>] I32.</summary>
    public Tensor Sequences => Table(3 * _rowCapacity, _sequenceCapacity * SequenceInts);

    /// <summary>Brings a batch over: one upload.</summary>
    public void Upload(GpuDevice device, RowBatch rows)
    {
        Reserve(device, rows);
        rows.TokenIds.CopyTo(_host);
        rows.Positions.CopyTo(_host.AsSpan(_rowCapacity));
        for (var s = 0; s < rows.SequenceCount; s++)
        {
            var sequence = rows.Sequences[s];
            _host.AsSpan(2 * _rowCapacity + sequence.FirstRow, sequence.RowCount).Fill(s);
            var table = _host.AsSpan(3 * _rowCapacity + s * SequenceInts, SequenceInts);
            table[0] = sequence.FirstRow;
            table[1] = sequence.RowCount;
            table[2] = sequence.Slot;
            table[3] = sequence.Start;
            table[4] = sequence.FirstPosition;
            table[5] = sequence.Prefix;
            table[6] = sequence.PrefixLength;
            table[7] = sequence.Prefix < 0 ? 0 : rows.Prefixes[sequence.Prefix].Slot;
        }

        device.UploadRaw<int>(_host, Table(0, _host.Length));
    }

    /// <summary>Gives the memory back.</summary>
    public void Release() => _storage?.Dispose();

    private Tensor Table(int offset, int count) => new(_storage!, DType.I32, offset, 1, 1, count);

    private void Reserve(GpuDevice device, RowBatch rows)
    {
        if (rows.RowCount <= _rowCapacity && rows.SequenceCount <= _sequenceCapacity)
        {
            return;
        }

        _rowCapacity = Math.Max(_rowCapacity, rows.RowCapacity);
        _sequenceCapacity = Math.Max(_sequenceCapacity, rows.SequenceCapacity);
        _storage?.Dispose();
        _host = new int[3 * _rowCapacity + SequenceInts * _sequenceCapacity];
        _storage = device.NewStorage(4L * _host.Length);
    }
}
