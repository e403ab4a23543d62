// Scratch memory of the ops: named buffers that grow to the largest call seen and are then reused.
using Rt.Core;

namespace Rt.Cpu;

/// <summary>One buffer that grows and keeps its size. Its contents are undefined at each call.</summary>
internal sealed unsafe class ScratchBuffer : IDisposable
{
    private HostMemory? _memory;

    /// <summary>At least <paramref name="bytes"/> bytes, aligned to 64.</summary>
    public byte* Bytes(long bytes)
    {
        if (_memory is null || _memory.ByteLength < bytes)
        {
            // A quarter more than asked: a sequence that grows by one key per call does not reallocate at each.
            _memory?.Dispose();
            _memory = null;
            _memory = new HostMemory(bytes + bytes / 4 + 4096);
        }

        return _memory.Pointer;
    }

    /// <summary>At least <paramref name="count"/> F32 elements.</summary>
    public float* Floats(long count) => (float*)Bytes(count * sizeof(float));

    /// <inheritdoc/>
    public void Dispose() => _memory?.Dispose();
}

/// <summary>The buffers of one device. Buffers used at the same time have different names.</summary>
internal sealed unsafe class Workspace(int workers) : IDisposable
{
    /// <summary>Workers that <see cref="PerWorker"/> serves.</summary>
    public int Workers { get; } = workers;

    /// <summary>The argument of a matmul, packed for its kernels.</summary>
    public ScratchBuffer PackedRows { get; } = new();

    /// <summary>The parts of a linear map and their biases in F32.</summary>
    public ScratchBuffer Parts { get; } = new();

    /// <summary>Norm weights in F32, partial sums, targets and the like.</summary>
    public ScratchBuffer Small { get; } = new();

    /// <summary>Which rows attend together, and to which keys.</summary>
    public ScratchBuffer Plan { get; } = new();

    /// <summary>Running maxima, sums and outputs of attention between its phases.</summary>
    public ScratchBuffer State { get; } = new();

    /// <summary>Scratch of the threads, side by side.</summary>
    public ScratchBuffer Threads { get; } = new();

    /// <summary>Scratch for every worker: worker w's lies at w * stride bytes.</summary>
    /// <param name="bytes">Bytes per worker.</param>
    /// <param name="stride">Bytes from one worker's scratch to the next: whole pages, so that no line is shared.</param>
    public byte* PerWorker(long bytes, out long stride)
    {
        // One line more than whole pages keeps the workers' buffers off the same cache sets.
        stride = ((bytes + 4095) & ~4095L) + 64;
        return Threads.Bytes(stride * Workers);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        PackedRows.Dispose();
        Parts.Dispose();
        Small.Dispose();
        Plan.Dispose();
        State.Dispose();
        Threads.Dispose();
    }
}
