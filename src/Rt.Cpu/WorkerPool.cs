// Persistent threads that share the chunks of one job with the caller.
// Each thread has a stretch of chunks of its own, so that it reads memory as one stream, and then helps with what others have left.
// Chunks are claimed one by one; what a chunk computes never depends on which thread runs it.
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Rt.Cpu;

/// <summary>Work that splits into numbered chunks, each independent of the others.</summary>
internal interface IJob
{
    /// <summary>Does one chunk.</summary>
    /// <param name="chunk">0 .. chunks - 1.</param>
    /// <param name="worker">0 .. threads - 1; no two chunks run with the same worker at once, so scratch may be kept per worker.</param>
    void Run(int chunk, int worker);
}

/// <summary>Runs jobs on a fixed set of threads without allocating. One caller at a time.</summary>
/// <remarks>
/// Waiting is a bounded spin and then a semaphore. The caller takes chunks too and waits only for chunks that have begun,
/// so a thread that the system does not schedule costs no more than the chunk it holds.
/// No more threads are woken than there are processors, however many were asked for.
/// </remarks>
internal sealed unsafe class WorkerPool : IDisposable
{
    private const int SpinMicroseconds = 40;

    /// <summary>What a waiting thread asks for: a part of the second-level cache, and how much of it at once.</summary>
    private const int ExpectedBytes = 256 * 1024, AskedBytes = 1024;

    private static readonly long SpinTicks = Stopwatch.Frequency * SpinMicroseconds / 1_000_000;

    private readonly Worker[] _workers;
    private readonly SemaphoreSlim _callerWake = new(0);

    /// <summary>Per thread (epoch, chunks left of its stretch): a thread that comes late finds none left or another epoch.</summary>
    private readonly PaddedLong[] _tickets;
    private readonly Expected[] _expected;
    private PaddedLong _epoch;
    private PaddedLong _finished;
    private delegate*<void*, int, int, void> _run;
    private void* _job;
    private int _chunks;
    private int _callerParked;
    private Exception? _failure;
    private volatile bool _disposed;

    /// <param name="threads">Threads asked for, the caller's included.</param>
    public WorkerPool(int threads)
    {
        var helpers = Math.Min(threads, Environment.ProcessorCount) - 1;
        _tickets = new PaddedLong[helpers + 1];
        _expected = new Expected[helpers + 1];
        _workers = new Worker[helpers];
        for (var i = 0; i < helpers; i++)
        {
            _workers[i] = new Worker(this, i + 1);
        }
    }

    /// <summary>Threads that compute, the caller's included: no more than there are processors, for each waits for the others.</summary>
    public int Threads => _workers.Length + 1;

    /// <summary>The first chunk of a thread's stretch.</summary>
    public int StretchStart(int thread, int chunks) => (int)((long)thread * chunks / _tickets.Length);

    /// <summary>Says what the threads will probably read first in a job to come: each asks for its own while it waits.</summary>
    /// <param name="starts">An address per thread, any; 0 for none.</param>
    public void Expect(ReadOnlySpan<nint> starts)
    {
        for (var i = 0; i < starts.Length; i++)
        {
            _expected[i].Left = 0;
            _expected[i].Next = starts[i];
            _expected[i].Left = starts[i] == 0 ? 0 : ExpectedBytes;
        }
    }

    /// <summary>Runs all chunks and returns when the last has ended.</summary>
    /// <exception cref="Exception">The first exception that a chunk threw, after all chunks have ended.</exception>
    public void Run<TJob>(ref TJob job, int chunks) where TJob : struct, IJob
    {
        if (chunks <= 1 || _workers.Length == 0)
        {
            for (var chunk = 0; chunk < chunks; chunk++)
            {
                job.Run(chunk, 0);
            }

            return;
        }

        // The job stays on this thread's stack: nobody touches it after the last chunk has ended, and this method waits for that.
        _job = Unsafe.AsPointer(ref job);
        _run = &Invoke<TJob>;
        _chunks = chunks;
        _failure = null;
        Volatile.Write(ref _finished.Value, 0);
        var epoch = (_epoch.Value + 1) & int.MaxValue;
        for (var i = 0; i < _tickets.Length; i++)
        {
            Volatile.Write(ref _tickets[i].Value, (epoch << 32) | (uint)(StretchStart(i + 1, chunks) - StretchStart(i, chunks)));
        }

        Interlocked.Exchange(ref _epoch.Value, epoch);
        var helpers = Math.Min(_workers.Length, chunks - 1);
        for (var i = 0; i < helpers; i++)
        {
            _workers[i].WakeIfParked();
        }

        Work(epoch, 0);
        WaitForChunks(chunks);
        if (_failure is { } failure)
        {
            _failure = null;
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    private static void Invoke<TJob>(void* job, int chunk, int worker) where TJob : struct, IJob =>
        Unsafe.AsRef<TJob>(job).Run(chunk, worker);

    /// <summary>Takes chunks of one epoch until none is left: a thread's own, then its neighbours'.</summary>
    private void Work(long epoch, int worker)
    {
        for (var i = 0; i < _tickets.Length; i++)
        {
            WorkStretch(epoch, worker, (worker + i) % _tickets.Length);
        }
    }

    private void WorkStretch(long epoch, int worker, int stretch)
    {
        ref var ticketOfStretch = ref _tickets[stretch].Value;
        while (true)
        {
            var ticket = Volatile.Read(ref ticketOfStretch);
            var left = (int)ticket;
            if (ticket >> 32 != epoch || left == 0)
            {
                return;
            }

            if (Interlocked.CompareExchange(ref ticketOfStretch, ticket - 1, ticket) != ticket)
            {
                continue;
            }

            // A chunk held keeps the job in place: its fields are read only from here on.
            var chunks = _chunks;
            try
            {
                _run(_job, StretchStart(stretch + 1, chunks) - left, worker);
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref _failure, e, null);
            }

            // Once the last chunk is counted the caller may start the next job: nothing of this one is read afterwards.
            if (Interlocked.Increment(ref _finished.Value) == chunks && Interlocked.Exchange(ref _callerParked, 0) == 1)
            {
                _callerWake.Release();
            }
        }
    }

    private void WaitForChunks(int chunks)
    {
        var start = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref _finished.Value) != chunks)
        {
            if (Stopwatch.GetTimestamp() - start < SpinTicks)
            {
                Pause(0);
                continue;
            }

            Interlocked.Exchange(ref _callerParked, 1);
            if (Volatile.Read(ref _finished.Value) == chunks)
            {
                // Whoever takes the flag back owns the wake-up: if it is gone, a release is on its way and must be consumed.
                if (Interlocked.Exchange(ref _callerParked, 0) == 0)
                {
                    _callerWake.Wait();
                }

                return;
            }

            _callerWake.Wait();
        }
    }

    /// <summary>A moment of waiting, used to ask for what is expected. The caller may say anew what that is meanwhile: hints may be wrong.</summary>
    private void Pause(int thread)
    {
        ref var expected = ref _expected[thread];
        if (expected.Left <= 0)
        {
            Thread.SpinWait(8);
            return;
        }

        Prefetch.Rows((byte*)expected.Next, 0, 1, AskedBytes);
        expected.Next += AskedBytes;
        expected.Left -= AskedBytes;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        foreach (var worker in _workers)
        {
            worker.Stop();
        }

        _callerWake.Dispose();
    }

    /// <summary>A counter on cache lines of its own.</summary>
    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Explicit, Size = 256)]
    private struct PaddedLong
    {
        [System.Runtime.InteropServices.FieldOffset(128)]
        public long Value;
    }

    /// <summary>Memory that a thread will probably read next, on cache lines of its own.</summary>
    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Explicit, Size = 256)]
    private struct Expected
    {
        [System.Runtime.InteropServices.FieldOffset(128)]
        public nint Next;

        [System.Runtime.InteropServices.FieldOffset(136)]
        public long Left;
    }

    private sealed class Worker
    {
        private readonly WorkerPool _pool;
        private readonly int _index;
        private readonly Thread _thread;
        private readonly SemaphoreSlim _wake = new(0);
        private int _parked;

        public Worker(WorkerPool pool, int index)
        {
            _pool = pool;
            _index = index;
            _thread = new Thread(Loop) { IsBackground = true, Name = $"rt cpu {index}" };
            _thread.Start();
        }

        public void WakeIfParked()
        {
            if (Volatile.Read(ref _parked) == 1 && Interlocked.Exchange(ref _parked, 0) == 1)
            {
                _wake.Release();
            }
        }

        public void Stop()
        {
            WakeIfParked();
            _thread.Join();
            _wake.Dispose();
        }

        private void Loop()
        {
            var seen = 0L;
            while (!_pool._disposed)
            {
                var epoch = Volatile.Read(ref _pool._epoch.Value);
                if (epoch != seen)
                {
                    seen = epoch;
                    _pool.Work(epoch, _index);
                    continue;
                }

                WaitForEpoch(seen);
            }
        }

        private void WaitForEpoch(long seen)
        {
            var start = Stopwatch.GetTimestamp();
            while (Stopwatch.GetTimestamp() - start < SpinTicks)
            {
                if (Volatile.Read(ref _pool._epoch.Value) != seen || _pool._disposed)
                {
                    return;
                }

                _pool.Pause(_index);
            }

            Interlocked.Exchange(ref _parked, 1);
            // A job begun, or a stop asked for, between the last look and the flag would be missed without this second look.
            if ((Volatile.Read(ref _pool._epoch.Value) != seen || _pool._disposed)
                && Interlocked.Exchange(ref _parked, 0) == 1)
            {
                return;
            }

            _wake.Wait();
        }
    }
}
