// Spreads the groups of a launch over workers in a shuffled order; the outcome does not depend on how many there are.
namespace Rt.Gpu.Simulator.Execution;

internal sealed class GroupSchedule
{
    private readonly uint _seed;
    private readonly long _groups;
    private readonly long _stride;
    private readonly long _offset;
    private readonly Lock _lock = new();
    private long _next;
    private long _faultAt = long.MaxValue;
    private Exception? _fault;

    public GroupSchedule(Launch launch, uint seed)
    {
        _seed = seed;
        _groups = launch.Groups;
        var random = new Random(unchecked((int)seed));
        // A stride without a common divisor visits every group once.
        _offset = random.NextInt64(_groups);
        _stride = 1 + random.NextInt64(_groups);
        while (Gcd(_stride, _groups) != 1)
        {
            _stride++;
        }
    }

    private static long Gcd(long a, long b) => b == 0 ? a : Gcd(b, a % b);

    public void Run(Worker[] workers)
    {
        if (workers.Length == 1)
        {
            Drain(workers[0]);
        }
        else
        {
            Parallel.For(0, workers.Length, new ParallelOptions { MaxDegreeOfParallelism = workers.Length }, w => Drain(workers[w]));
        }
        if (_fault is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(_fault);
        }
    }

    /// <summary>Takes groups until none is left, or until a fault stands before all that are left: the first fault in the order is reported.</summary>
    private void Drain(Worker worker)
    {
        while (true)
        {
            long position = Interlocked.Increment(ref _next) - 1;
            if (position >= _groups || position > Volatile.Read(ref _faultAt))
            {
                return;
            }
            long group = (long)((_offset + ((Int128)position * _stride)) % _groups);
            try
            {
                worker.RunGroup((int)group, unchecked((_seed * 2654435761) + (uint)group));
            }
            catch (Exception fault)
            {
                lock (_lock)
                {
                    if (position < _faultAt)
                    {
                        _faultAt = position;
                        _fault = fault;
                    }
                }
                return;
            }
        }
    }
}
