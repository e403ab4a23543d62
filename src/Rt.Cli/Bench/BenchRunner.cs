// Runs tests: warm-up, then repetitions with a look at the machine's limits before and after each.
using System.Diagnostics;
using Rt.Core;
using Rt.Model;

namespace Rt.Cli.Bench;

/// <summary>How tests are run.</summary>
public sealed record BenchOptions
{
    /// <summary>Measured repetitions of every test; at least one.</summary>
    public int Repetitions { get; init; } = 5;

    /// <summary>Seconds of warm-up per test, so that code is compiled in its final form; at most twelve runs, at least one.</summary>
    public double WarmUpSeconds { get; init; } = 1.5;

    /// <summary>Seconds per test for which disturbed repetitions are repeated; 0 takes them as they come.</summary>
    public double Patience { get; init; } = 10;

    /// <summary>Seed of tokens and, for random checkpoints, of weights.</summary>
    public ulong Seed { get; init; }

    /// <summary>Threads of the probes: those of the device.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Also writes down every op of one further repetition.</summary>
    public bool Ops { get; init; }
}

/// <summary>Runs tests on one model.</summary>
/// <param name="folder">The model folder.</param>
/// <param name="createDevice">Makes the device; called once for all tests on the model and once per load.</param>
/// <param name="options">Repetitions, seed, threads.</param>
/// <param name="log">Told what is being done; null for silence.</param>
public sealed class BenchRunner(string folder, Func<IDevice> createDevice, BenchOptions options, Action<string>? log = null)
{
    private const int WarmUpRuns = 12;

    private readonly OpLedger _ledger = new();

    /// <summary>Runs the tests in order, loads first: their peak memory is that of a process that has done nothing else.</summary>
    /// <returns>The device's description and one row per test.</returns>
    /// <exception cref="RtException">The folder is no model, or a test does not fit it.</exception>
    public (string Device, DType WeightType, long WeightBytes, IReadOnlyList<BenchRow> Rows) Run(
        IReadOnlyList<BenchSpec> specs, CancellationToken cancellation = default)
    {
        var rows = new List<BenchRow>();
        var loads = specs.Where(spec => spec.Kind == BenchKind.Load).ToArray();
        if (loads.Length > 0)
        {
            rows.Add(Load(cancellation));
        }

        using var device = new TimingDevice(createDevice(), _ledger);
        using var model = LanguageModel.Load(folder, device);
        var tests = new BenchTests(model, options.Seed, cancellation);
        // A processor's limits say nothing about a GPU; `rt bench kernels` measures those of the GPU.
        var onProcessor = device.ReadsHostMemory;
        if (options.Ops && !onProcessor)
        {
            throw new UsageException($"--ops: the {device.Name} device does ops later than it is asked to; rt bench kernels times them");
        }

        using var probe = onProcessor ? new HardwareProbe(options.Threads) : null;
        probe?.Read();
        foreach (var spec in specs.Where(spec => spec.Kind != BenchKind.Load))
        {
            log?.Invoke($"{spec}: warm-up");
            using var test = tests.Prepare(spec);
            rows.Add(Measure(test, probe, onProcessor, cancellation));
        }

        return (device.Description, model.WeightType, model.WeightBytes, rows);
    }

    private BenchRow Measure(BenchTest test, HardwareProbe? probe, bool onProcessor, CancellationToken cancellation)
    {
        var meter = new BenchMeter(_ledger);
        var clock = Stopwatch.StartNew();
        for (var run = 0; run == 0 || (run < WarmUpRuns && clock.Elapsed.TotalSeconds < options.WarmUpSeconds); run++)
        {
            cancellation.ThrowIfCancellationRequested();
            test.Run(meter);
        }

        _ledger.Recording = true;
        test.Run(meter);
        var work = _ledger.Work;
        _ledger.Recording = test.AlwaysRecord;
        GC.Collect();
        GC.WaitForPendingFinalizers();

        var (repetitions, dropped) = Repeat(test, meter, probe is null ? null : probe.Read, cancellation);
        OpLedger? ops = null;
        if (options.Ops)
        {
            ops = RecordOps(test, meter);
        }

        _ledger.Recording = false;
        return new BenchRow
        {
            Spec = test.Spec,
            Unit = test.Unit,
            Units = test.Units,
            Limit = test.Limit,
            Repetitions = repetitions,
            Dropped = dropped,
            HasUpdate = test.AlwaysRecord && onProcessor,
            Work = work,
            Ops = ops,
        };
    }

    /// <summary>Repeats until enough repetitions were undisturbed or patience ends, and keeps the least disturbed ones in their order.</summary>
    private (IReadOnlyList<Repetition> Kept, int Dropped) Repeat(
        BenchTest test, BenchMeter meter, Func<ProbeReading>? probe, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        var all = new List<Repetition>();
        var quiet = 0;
        var before = probe?.Invoke();
        while (quiet < options.Repetitions && (all.Count < options.Repetitions || clock.Elapsed.TotalSeconds < options.Patience))
        {
            cancellation.ThrowIfCancellationRequested();
            log?.Invoke($"{test.Spec}: {all.Count + 1}, undisturbed {quiet} of {options.Repetitions}");
            var others = new OtherProcesses();
            test.Run(meter);
            var after = probe?.Invoke();
            var repetition = new Repetition(
                meter.Seconds, meter.UpdateSeconds, meter.AllocatedBytes, before, after, others.Processors());
            all.Add(repetition);
            quiet += repetition.Disturbed ? 0 : 1;
            before = after;
        }

        var kept = all.Index().OrderBy(item => item.Item.Disturbed ? item.Item.OtherProcessors : 0).Take(options.Repetitions)
            .OrderBy(item => item.Index).Select(item => item.Item).ToArray();
        return (kept, all.Count - kept.Length);
    }

    /// <summary>The ops of the fastest of a few repetitions: the one that was disturbed least.</summary>
    private OpLedger RecordOps(BenchTest test, BenchMeter meter)
    {
        var best = new OpLedger();
        var fastest = double.PositiveInfinity;
        _ledger.Recording = true;
        for (var run = 0; run < Math.Max(3, options.Repetitions); run++)
        {
            test.Run(meter);
            if (meter.Seconds < fastest)
            {
                fastest = meter.Seconds;
                best = _ledger.Snapshot(meter.Seconds);
            }
        }

        return best;
    }

    private BenchRow Load(CancellationToken cancellation)
    {
        log?.Invoke("load: first");
        var test = BenchTests.Load(folder, createDevice, options.Seed);
        var meter = new BenchMeter(_ledger);
        test.Run(meter);
        var first = meter.Seconds;
        long peak;
        using (var self = Process.GetCurrentProcess())
        {
            peak = self.PeakWorkingSet64;
        }

        var (repetitions, dropped) = Repeat(test, meter, null, cancellation);
        return new BenchRow
        {
            Spec = test.Spec,
            Unit = test.Unit,
            Units = test.Units,
            Limit = test.Limit,
            Repetitions = repetitions,
            Dropped = dropped,
            FirstSeconds = first,
            PeakResidentBytes = peak,
        };
    }
}
