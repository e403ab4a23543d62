// Memory that an op needs for itself, from one growing workspace.
using Rt.Core;

namespace Rt.Cuda;

/// <summary>Memory of one op: <c>using var scratch = Scratch();</c> then <see cref="Take"/>; free for the next op when disposed.</summary>
/// <remarks>Contents are undefined. Scratches nest. The host gives memory out again at once: work on the device is done in order.</remarks>
public readonly ref struct Scratch
{
    private readonly ScratchSpace _space;
    private readonly (int Block, long Used) _mark;

    internal Scratch(ScratchSpace space)
    {
        _space = space;
        _mark = space.Mark();
    }

    /// <summary>A tensor [dim0, dim1, dim2], aligned to 256 bytes.</summary>
    public Tensor Take(DType type, int dim0, int dim1, int dim2) => _space.Take(type, dim0, dim1, dim2);

    /// <summary>A vector.</summary>
    public Tensor Take(DType type, int count) => _space.Take(type, 1, 1, count);

    /// <summary>Makes the memory free for the next op.</summary>
    public void Dispose() => _space.Return(_mark);
}

/// <summary>The workspace that scratches come from: blocks that are kept, the last one the largest.</summary>
internal sealed class ScratchSpace(GpuDevice device)
{
    private const long Alignment = 256;
    private const long SmallestBlock = 1 << 20;

    private readonly List<GpuStorage> _blocks = [];
    private int _block;
    private long _used;

    /// <summary>Bytes held.</summary>
    public long ByteLength => _blocks.Sum(block => block.ByteLength);

    public (int Block, long Used) Mark() => (_block, _used);

    public Tensor Take(DType type, int dim0, int dim1, int dim2)
    {
        var elementBytes = type.Bytes();
        var bytes = (Math.Max(1, (long)dim0 * dim1 * dim2) * elementBytes + Alignment - 1) & -Alignment;
        while (_block < _blocks.Count && _used + bytes > _blocks[_block].ByteLength)
        {
            _block++;
            _used = 0;
        }

        if (_block == _blocks.Count)
        {
            var size = _blocks.Count == 0 ? SmallestBlock : 2 * _blocks[^1].ByteLength;
            _blocks.Add(device.NewStorage(Math.Max(size, bytes)));
        }

        var tensor = new Tensor(_blocks[_block], type, _used / elementBytes, dim0, dim1, dim2);
        device.ForgetBytes(_blocks[_block].Address + _used, bytes);
        _used += bytes;
        return tensor;
    }

    public void Return((int Block, long Used) mark) => (_block, _used) = mark;

    public void Release()
    {
        foreach (var block in _blocks)
        {
            block.Dispose();
        }

        _blocks.Clear();
        Return((0, 0));
    }
}
