// Page-locked host memory that transfers pass through: the driver copies from it while the host fills the next part.
// A ring; a part is free again when the event recorded behind its copy has passed.
using System.Runtime.InteropServices;

namespace Rt.Cuda.Driver;

/// <summary>A ring of pinned memory for uploads, and its first bytes' like for downloads.</summary>
internal sealed unsafe class PinnedRing
{
    /// <summary>Most bytes of one copy.</summary>
    public const int Piece = 8 << 20;

    private const int Capacity = 4 * Piece;
    private const int Alignment = 64;
    private const int ParallelFrom = 1 << 20;

    private readonly ICudaDriver _driver;
    private readonly CudaErrors _errors;
    private readonly nint _stream;
    private readonly nint _memory;
    private readonly nint _downloads;
    private readonly Queue<(long End, nint Event)> _pending = new();
    private readonly Stack<nint> _events = new();

    // Bytes handed out and bytes known to be copied, counted from the beginning of time.
    private long _head;
    private long _tail;

    public PinnedRing(ICudaDriver driver, CudaErrors errors, nint stream)
    {
        _driver = driver;
        _errors = errors;
        _stream = stream;
        errors.Check(driver.MemHostAlloc(out _memory, Capacity), "cuMemHostAlloc", $"{Capacity:N0} bytes of pinned host memory");
        errors.Check(driver.MemHostAlloc(out _downloads, Piece), "cuMemHostAlloc", $"{Piece:N0} bytes of pinned host memory");
    }

    /// <summary>Copies host bytes to the device; the source may change on return.</summary>
    public void Upload(ReadOnlySpan<byte> source, long address)
    {
        for (var done = 0; done < source.Length;)
        {
            var bytes = Math.Min(Piece, source.Length - done);
            var at = Reserve(bytes);
            CopyToPinned(source.Slice(done, bytes), at);
            _errors.Check(_driver.MemcpyHtoDAsync(address + done, at, (nuint)bytes, _stream), "cuMemcpyHtoDAsync");
            var passed = NextEvent();
            _errors.Check(_driver.EventRecord(passed, _stream), "cuEventRecord");
            _pending.Enqueue((_head, passed));
            done += bytes;
        }
    }

    /// <summary>Copies device bytes to the host, after all work before.</summary>
    public void Download(long address, Span<byte> destination)
    {
        for (var done = 0; done < destination.Length;)
        {
            var bytes = Math.Min(Piece, destination.Length - done);
            _errors.Check(_driver.MemcpyDtoHAsync(_downloads, address + done, (nuint)bytes, _stream), "cuMemcpyDtoHAsync");
            _errors.Check(_driver.StreamSynchronize(_stream), "cuStreamSynchronize");
            new ReadOnlySpan<byte>((void*)_downloads, bytes).CopyTo(destination[done..]);
            done += bytes;
        }
    }

    /// <summary>Frees the memory and the events; nothing may be under way.</summary>
    public void Release()
    {
        while (_pending.TryDequeue(out var copy))
        {
            _events.Push(copy.Event);
        }

        while (_events.TryPop(out var handle))
        {
            _errors.Check(_driver.EventDestroy(handle), "cuEventDestroy");
        }

        _errors.Check(_driver.MemFreeHost(_memory), "cuMemFreeHost");
        _errors.Check(_driver.MemFreeHost(_downloads), "cuMemFreeHost");
    }

    /// <summary>A part of the ring that no copy reads any more.</summary>
    private nint Reserve(int bytes)
    {
        var start = (_head + Alignment - 1) & -Alignment;
        if (start % Capacity + bytes > Capacity)
        {
            start += Capacity - start % Capacity;
        }

        while (start + bytes - _tail > Capacity)
        {
            var (end, passed) = _pending.Dequeue();
            _errors.Check(_driver.EventSynchronize(passed), "cuEventSynchronize");
            _events.Push(passed);
            _tail = end;
        }

        if (_pending.Count == 0)
        {
            _tail = start;
        }

        _head = start + bytes;
        return _memory + (nint)(start % Capacity);
    }

    private nint NextEvent()
    {
        if (_events.TryPop(out var handle))
        {
            return handle;
        }

        _errors.Check(_driver.EventCreate(out handle, timing: false), "cuEventCreate");
        return handle;
    }

    /// <summary>Large pieces are copied by several threads: one alone does not reach the bus's rate.</summary>
    private static void CopyToPinned(ReadOnlySpan<byte> source, nint destination)
    {
        if (source.Length < ParallelFrom)
        {
            source.CopyTo(new Span<byte>((void*)destination, source.Length));
            return;
        }

        var length = source.Length;
        fixed (byte* pointer = source)
        {
            var from = (nint)pointer;
            Parallel.For(0, (length + ParallelFrom - 1) / ParallelFrom, i =>
            {
                var start = i * ParallelFrom;
                NativeMemory.Copy((byte*)from + start, (byte*)destination + start, (nuint)Math.Min(ParallelFrom, length - start));
            });
        }
    }
}
