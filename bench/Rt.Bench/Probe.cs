// What probes share: timing, random tensors, one line per measurement.
using System.Diagnostics;
using System.Globalization;
using Rt.Core;

namespace Rt.Bench;

internal static class Probe
{
    /// <summary>Seconds of the fastest and the median of repetitions that fill about <paramref name="seconds"/>, after a warm-up.</summary>
    public static (double Best, double Median) Time(Action action, double seconds = 0.6)
    {
        action();
        var started = Stopwatch.GetTimestamp();
        action();
        var once = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var count = Math.Clamp((int)(seconds / Math.Max(once, 1e-7)), 5, 20000);
        var times = new double[count];
        for (var i = 0; i < count; i++)
        {
            started = Stopwatch.GetTimestamp();
            action();
            times[i] = Stopwatch.GetElapsedTime(started).TotalSeconds;
        }

        Array.Sort(times);
        return (times[0], times[count / 2]);
    }

    /// <summary>Prints a rate, best and median.</summary>
    public static void Report(string name, (double Best, double Median) time, double amount, string unit) =>
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{name,-52} best {amount / time.Best / 1e9,8:F1}  median {amount / time.Median / 1e9,8:F1} {unit}   {time.Median * 1e3,9:F3} ms"));

    /// <summary>A host tensor of normal-like numbers with a small spread.</summary>
    public static unsafe Tensor Random(DType type, int dim0, int dim1, int dim2, int seed = 1)
    {
        var tensor = HostTensors.Allocate(type, dim0, dim1, dim2);
        var random = new Random(seed);
        var pointer = tensor.HostPointer();
        for (var i = 0L; i < tensor.Count; i++)
        {
            HostTensors.Store(pointer, i, type, (random.NextSingle() - 0.5f) * 0.1f);
        }

        return tensor;
    }
}
