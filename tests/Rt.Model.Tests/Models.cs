// Tiny models and prompts that the tests share.
using Rt.Core;
using Rt.Cpu;
using Rt.Cpu.Reference;
using Rt.Tests;

namespace Rt.Model.Tests;

/// <summary>A tiny golden model on a device, disposed together.</summary>
internal sealed class Loaded : IDisposable
{
    public Loaded(string name, IDevice? device = null)
    {
        Device = device ?? new CpuDevice(new CpuOptions(Threads: 2));
        var folder = Path.Combine(Fixtures.Goldens, name);
        Model = LanguageModel.Load(Directory.Exists(folder) ? folder : Path.Combine(Fixtures.Independent, name), Device);
    }

    public IDevice Device { get; }

    public LanguageModel Model { get; }

    public static IDevice NewDevice(string name) => name switch
    {
        "reference" => new ReferenceDevice(),
        "cpu" => new CpuDevice(new CpuOptions(Threads: 2)),
        "cpu invariant" => new CpuDevice(new CpuOptions(Threads: 2, BatchInvariant: true)),
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "unknown device"),
    };

    /// <summary>Token ids from a fixed seed, none of them special.</summary>
    public static int[] Ids(int seed, int length)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(3, 100))];
    }

    /// <summary>Logits of every row of a prompt.</summary>
    public double[][] Logits(int[] ids, KeptKv? kept = null)
    {
        using var sequence = new Sequence(Model, ids.Length, kept);
        return sequence.Append(ids);
    }

    public void Dispose()
    {
        Model.Dispose();
        Device.Dispose();
    }
}

/// <summary>Comparisons of rows of numbers.</summary>
internal static class Rows
{
    public static double Difference(IEnumerable<double[]> a, IEnumerable<double[]> b) =>
        a.Zip(b, (x, y) => x.Zip(y, (p, q) => Math.Abs(p - q)).Max()).Max();

    public static void Equal(IEnumerable<double[]> expected, IEnumerable<double[]> found) => Assert.Equal(expected, found);
}
