// The clock of one repetition, and what the other processes of the machine did meanwhile.
using System.Diagnostics;
using System.Globalization;

namespace Rt.Cli.Bench;

/// <summary>Started and stopped by a test around what it measures, so that its preparations do not count.</summary>
/// <param name="ledger">Cleared at the start, so that it holds the measured stretch only.</param>
public sealed class BenchMeter(OpLedger ledger)
{
    private long _start;
    private long _allocatedBefore;

    /// <summary>Seconds of the last repetition.</summary>
    public double Seconds { get; private set; }

    /// <summary>Bytes that all threads allocated on the garbage-collected heap in the last repetition.</summary>
    public long AllocatedBytes { get; private set; }

    /// <summary>Seconds inside the meta-gradient update; zero unless the ledger records.</summary>
    public double UpdateSeconds { get; private set; }

    /// <summary>Starts the clock.</summary>
    public void Start()
    {
        ledger.Clear();
        _allocatedBefore = GC.GetTotalAllocatedBytes(precise: true);
        _start = Stopwatch.GetTimestamp();
    }

    /// <summary>Stops the clock.</summary>
    public void Stop()
    {
        Seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        AllocatedBytes = GC.GetTotalAllocatedBytes(precise: true) - _allocatedBefore;
        UpdateSeconds = ledger.Seconds(nameof(Core.IDevice.AccumulateMetaGradient));
    }
}

/// <summary>Processor time that others used, from /proc/stat; NaN where the system does not tell.</summary>
public sealed class OtherProcesses
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly double _othersBefore = OthersSeconds();

    /// <summary>Processors kept busy by other processes, on average since this was made.</summary>
    public double Processors() =>
        Math.Max(0, (OthersSeconds() - _othersBefore) / Stopwatch.GetElapsedTime(_start).TotalSeconds);

    private static double OthersSeconds()
    {
        const string Path = "/proc/stat";
        const double TicksPerSecond = 100;
        if (!File.Exists(Path))
        {
            return double.NaN;
        }

        // cpu user nice system idle iowait irq softirq steal: all but idle and iowait is busy.
        var fields = File.ReadLines(Path).First().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var busy = 0.0;
        for (var i = 1; i < Math.Min(fields.Length, 9); i++)
        {
            busy += i is 4 or 5 ? 0 : double.Parse(fields[i], CultureInfo.InvariantCulture);
        }

        using var self = Process.GetCurrentProcess();
        return busy / TicksPerSecond - self.TotalProcessorTime.TotalSeconds;
    }
}
