// Kernels executed by the simulator against the same C# on the host.
using System.Runtime.InteropServices;
using Rt.Gpu.Compiler.Tests.Kernels;
using Rt.Gpu.Simulator;

namespace Rt.Gpu.Compiler.Tests;

public sealed class SemanticsTests
{
    private static readonly int[] Ints =
        [0, 1, -1, 2, -2, 3, 4, 5, 7, 8, -7, -8, 16, 31, 32, 33, 63, 64, 65, 100, 127, 128, 255, 256, 32767, 32768, -32769, 65535, 65536, 123456789, -123456789, int.MaxValue, int.MinValue, int.MinValue + 1];

    private static readonly float[] Floats =
    [
        0f, -0f, 1f, -1f, 0.5f, -0.5f, 1.5f, 2.5f, 300f, -300f, 255.9f, 1e-45f, -1e-40f, 1.17549435e-38f, 16777217f, 3e9f, -3e9f, 2147483648f, 4294967296f,
        9.3e18f, 1.9e19f, 65520f, 6e-8f, float.MaxValue, float.MinValue, float.PositiveInfinity, float.NegativeInfinity, float.NaN,
    ];

    [Fact]
    public void Kernel_IntExpressionsOverEdgeValues_EqualTheHost() =>
        Check("IntExpressionsKernel", Pairs(Ints), 64, Expressions.IntCount, (k, a, b) => Expressions.Int(k, a, b), (a, b) => a == b);

    [Fact]
    public void Kernel_LongExpressionsOverEdgeValues_EqualTheHost()
    {
        long[] values = [.. Ints.Select(value => (long)value), long.MaxValue, long.MinValue, 1L << 32, -(1L << 40), 0x123456789ABCDEF];
        Check("LongExpressionsKernel", Pairs(values), 64, Expressions.LongCount, (k, a, b) => Expressions.Long(k, a, b), (a, b) => a == b);
    }

    [Fact]
    public void Kernel_FloatExpressionsOverEdgeValues_EqualTheHost() =>
        Check("FloatExpressionsKernel", Pairs(Floats), 64, Expressions.FloatCount, (k, a, b) => Expressions.Float(k, a, b), (a, b) =>
            a == b || (float.IsNaN(Interop.IntAsFloat((uint)a)) && float.IsNaN(Interop.IntAsFloat((uint)b)) && a >> 32 == 0 && b >> 32 == 0));

    [Fact]
    public void Kernel_DoubleExpressionsOverEdgeValues_EqualTheHost()
    {
        double[] values = [.. Floats.Select(value => (double)value), 1e300, -1e-310, 4503599627370497.5, 16777217.0, 9007199254740993.0];
        Check("DoubleExpressionsKernel", Pairs(values), 64, Expressions.DoubleCount, (k, a, b) => Expressions.Double(k, a, b), (a, b) =>
            a == b || (double.IsNaN(BitConverter.Int64BitsToDouble(a)) && double.IsNaN(BitConverter.Int64BitsToDouble(b)))
            || (a >> 32 == 0 && b >> 32 == 0 && float.IsNaN(Interop.IntAsFloat((uint)a)) && float.IsNaN(Interop.IntAsFloat((uint)b))));
    }

    [Fact]
    public void Kernel_LoopsBranchesStructsAndReferences_EqualTheHost()
    {
        int[] values = [0, 1, 2, 3, 5, 8, 9, 13, 20, 31];
        Check("FlowsKernel", Pairs(values), 32, Flows.Count, (k, a, b) => Flows.Run(k, a, b), (a, b) => a == b);
    }

    private static (T A, T B)[] Pairs<T>(T[] values) => [.. values.SelectMany(a => values.Select(b => (a, b)))];

    // One thread per pair; the kernel writes `count` results for each.
    private static void Check<T, TResult>(
        string method, (T A, T B)[] pairs, int groupSize, int count, Func<int, T, T, TResult> host, Func<TResult, TResult, bool> same)
        where T : unmanaged
        where TResult : unmanaged
    {
        var entry = KernelCatalog.Find(method);
        var module = PtxModule.Parse(entry.PtxText);
        using var gpu = new SimulatedGpu(new SimulatorOptions { MemoryBytes = 1L << 24 });
        var failures = new List<string>();
        for (var start = 0; start < pairs.Length; start += groupSize)
        {
            // The last group repeats pairs to be full.
            var chosen = Enumerable.Range(start, groupSize).Select(i => pairs[Math.Min(i, pairs.Length - 1)]).ToArray();
            var a = Upload(gpu, chosen.Select(pair => pair.A).ToArray());
            var b = Upload(gpu, chosen.Select(pair => pair.B).ToArray());
            var results = new TResult[groupSize * count];
            var output = gpu.Allocate(results.Length * Marshal.SizeOf<TResult>());
            long[] arguments = [a, groupSize, b, groupSize, output, results.Length];
            gpu.Launch(module, entry.Name, 1, 1, 1, 0, MemoryMarshal.AsBytes(arguments.AsSpan()));
            gpu.Download(output, MemoryMarshal.AsBytes(results.AsSpan()));
            for (var i = 0; i < groupSize; i++)
            {
                for (var k = 0; k < count; k++)
                {
                    var expected = host(k, chosen[i].A, chosen[i].B);
                    if (!same(expected, results[(i * count) + k]))
                    {
                        failures.Add($"{method} {k} of {chosen[i]}: host {expected}, kernel {results[(i * count) + k]}");
                    }
                }
            }

            gpu.Free(a);
            gpu.Free(b);
            gpu.Free(output);
        }

        Assert.True(failures.Count == 0, $"{failures.Count} of {pairs.Length * count}:\n" + string.Join("\n", failures.DistinctBy(failure => failure[..(method.Length + 3)]).Take(40)));
    }

    private static long Upload<T>(SimulatedGpu gpu, T[] values)
        where T : unmanaged
    {
        var bytes = MemoryMarshal.AsBytes(values.AsSpan());
        var address = gpu.Allocate(bytes.Length);
        gpu.Upload(bytes, address);
        return address;
    }
}
