// The worker pool: every chunk once, exceptions to the caller, use after failure, bounded cost of idle threads.
namespace Rt.Cpu.Tests;

public sealed unsafe class WorkerPoolTests
{
    private struct CountingJob : IJob
    {
        public int* Counts;
        public int FailAt;

        public void Run(int chunk, int worker)
        {
            Interlocked.Increment(ref Counts[chunk]);
            if (chunk == FailAt)
            {
                throw new InvalidOperationException($"chunk {chunk}");
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8)]
    public void Run_ManyJobs_RunsEveryChunkOnce(int threads)
    {
        using var pool = new WorkerPool(threads);
        var counts = stackalloc int[64];
        for (var job = 0; job < 5000; job++)
        {
            var chunks = job % 64;
            new Span<int>(counts, 64).Clear();
            var counting = new CountingJob { Counts = counts, FailAt = -1 };
            pool.Run(ref counting, chunks);
            for (var i = 0; i < 64; i++)
            {
                Assert.Equal(i < chunks ? 1 : 0, counts[i]);
            }
        }
    }

    [Fact]
    public void Run_AfterPause_WakesParkedThreads()
    {
        using var pool = new WorkerPool(2);
        var counts = stackalloc int[8];
        for (var i = 1; i <= 20; i++)
        {
            Thread.Sleep(2);
            var job = new CountingJob { Counts = counts, FailAt = -1 };
            pool.Run(ref job, 8);
            Assert.Equal(i, counts[7]);
        }
    }

    [Fact]
    public void Expect_AnyAddress_DisturbsNoJob()
    {
        using var pool = new WorkerPool(2);
        var counts = stackalloc int[8];
        foreach (var address in (nint[])[0, 1, -1, nint.MaxValue, (nint)counts])
        {
            var starts = new nint[pool.Threads];
            starts.AsSpan().Fill(address);
            pool.Expect(starts);
            new Span<int>(counts, 8).Clear();
            var job = new CountingJob { Counts = counts, FailAt = -1 };
            pool.Run(ref job, 8);
            // Time for the waiting thread to ask for all that is expected.
            Thread.Sleep(1);
            Assert.Equal(Enumerable.Repeat(1, 8), new Span<int>(counts, 8).ToArray());
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(64)]
    public void StretchStart_AllThreads_CutsTheChunksOnce(int chunks)
    {
        using var pool = new WorkerPool(2);
        Assert.Equal(0, pool.StretchStart(0, chunks));
        Assert.Equal(chunks, pool.StretchStart(pool.Threads, chunks));
    }

    private struct WaitingJob : IJob
    {
        public int* Done;
        public int Chunks, Held;

        public void Run(int chunk, int worker)
        {
            // Ends once all others have: somebody else must run the rest of its thread's stretch.
            var others = Chunks - 1;
            var done = Done;
            if (chunk == Held && !SpinWait.SpinUntil(() => Volatile.Read(ref *done) == others, TimeSpan.FromSeconds(20)))
            {
                throw new TimeoutException("the other chunks have not been run");
            }

            Interlocked.Increment(ref *Done);
        }
    }

    [Fact]
    public void Run_ThreadHeldByItsFirstChunk_OthersRunTheRestOfItsStretch()
    {
        using var pool = new WorkerPool(2);
        var done = 0;
        // On one processor nobody else is there, and only the last chunk may wait.
        var job = new WaitingJob { Done = &done, Chunks = 16, Held = pool.Threads > 1 ? 0 : 15 };
        pool.Run(ref job, 16);
        Assert.Equal(16, done);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Run_ChunkThrows_SurfacesInCallerAndPoolStaysUsable(int threads)
    {
        using var pool = new WorkerPool(threads);
        var counts = stackalloc int[16];
        for (var i = 0; i < 16; i++)
        {
            var failing = new CountingJob { Counts = counts, FailAt = i };
            string? message = null;
            try
            {
                pool.Run(ref failing, 16);
            }
            catch (InvalidOperationException e)
            {
                message = e.Message;
            }

            Assert.Equal($"chunk {i}", message);
        }

        new Span<int>(counts, 16).Clear();
        var job = new CountingJob { Counts = counts, FailAt = -1 };
        pool.Run(ref job, 16);
        Assert.Equal(1, counts[15]);
    }
}
