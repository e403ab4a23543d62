// Every tile of every matrix product kernel, where the choice by shape would not take it for shapes that a test can afford.
using Rt.Conformance.Ops;
using Rt.Cpu.Reference;
using Rt.Gpu.Simulator;

namespace Rt.Cuda.Tests;

public sealed class MatMulTileTests
{
    private static readonly ReferenceDevice Reference = new();

    public static TheoryData<DType, DType, bool, int, int> Tiles()
    {
        var rows = new TheoryData<DType, DType, bool, int, int>();
        foreach (var type in (DType[])[DType.BF16, DType.F16])
        {
            foreach (var (tileRows, tileColumns) in ((int, int)[])[(16, 64), (64, 64), (128, 128), (128, 256)])
            {
                rows.Add(type, type, false, tileRows, tileColumns);
                rows.Add(type, type, true, tileRows, tileColumns);
            }
        }

        rows.Add(DType.F32, DType.F32, false, 128, 128);
        rows.Add(DType.F32, DType.BF16, true, 128, 128);
        rows.Add(DType.F32, DType.F16, false, 128, 128);
        rows.Add(DType.F32, DType.F32, true, 32, 64);
        return rows;
    }

    [Theory]
    [MemberData(nameof(Tiles))]
    public void MatMul_WithTile_IsWithinTolerance(DType type, DType weight, bool inputMajor, int tileRows, int tileColumns)
    {
        using var device = Device(type, null);
        (device.TileRows, device.TileColumns) = (tileRows, tileColumns);
        Check(device, "MatMul", bench => Product(bench, weight, inputMajor, 133, 136, 272));
    }

    [Theory]
    [MemberData(nameof(Tiles))]
    public void MatMulActivate_GatedWithTile_IsWithinTolerance(DType type, DType weight, bool inputMajor, int tileRows, int tileColumns)
    {
        using var device = Device(type, null);
        (device.TileRows, device.TileColumns) = (tileRows, tileColumns);
        Check(device, "MatMulActivate", bench => Feed(bench, weight, inputMajor, 70, 72, 152));
    }

    [Theory]
    [InlineData(16, 64)]
    [InlineData(64, 64)]
    [InlineData(128, 128)]
    public void MatMul_Tf32_IsWithinItsRoundoff(int tileRows, int tileColumns)
    {
        using var device = Device(DType.F32, new GpuOptions(Tf32: true));
        (device.TileRows, device.TileColumns) = (tileRows, tileColumns);
        var (found, expected) = Run(device, bench => Product(bench, DType.F32, false, 133, 136, 200));
        var worst = found.Zip(expected, (a, b) => Math.Abs(a - b)).Max();

        // 136 products of numbers of size 1 and 1/sqrt(136), each rounded to 10 bits; more than F32 would err.
        Assert.InRange(worst, 1e-5, 6e-3);
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void MatMul_BatchInvariant_RowHasTheSameBitsInEveryBatch(DType type)
    {
        using var device = Device(type, new GpuOptions(BatchInvariant: true));
        using var bench = new ConformanceBench(device, type, "batch invariance");
        var linear = new Linear(new LinearPart(bench.Weight(type, 96, 520, 0.05), null, false));
        var x = bench.Activations(1, 150, 520);
        var all = bench.Zeros(1, 150, 96);
        device.MatMul(x, linear, false, all);
        foreach (var (first, count) in ((int, int)[])[(0, 1), (149, 1), (40, 5), (60, 20), (10, 70)])
        {
            var some = bench.Zeros(1, count, 96);
            device.MatMul(x.SliceRows(first, count), linear, false, some);
            Assert.Equal(Values(device, all.SliceRows(first, count)), Values(device, some));
        }
    }

    [Fact]
    public void MatMul_SplitAlongTheInnerAxis_GivesTheSameBitsOnEveryRun()
    {
        var runs = Enumerable.Range(0, 2).Select(seed =>
        {
            using var device = new GpuDevice(new SimulatorLauncher(new SimulatorOptions { Threads = 2, Seed = (uint)seed }), DType.BF16);
            using var bench = new ConformanceBench(device, DType.BF16, "splits");
            var linear = new Linear(new LinearPart(bench.Weight(DType.BF16, 64, 2048, 0.05), null, false));
            var x = bench.Activations(1, 3, 2048);
            var destination = bench.Zeros(1, 3, 64);
            device.MatMul(x, linear, false, destination);
            return Values(device, destination);
        }).ToArray();
        Assert.Equal(runs[0], runs[1]);
    }

    private static GpuDevice Device(DType type, GpuOptions? options) =>
        new(new SimulatorLauncher(new SimulatorOptions { Threads = 1 }), type, options);

    private static double[] Values(GpuDevice device, Tensor tensor)
    {
        var values = new double[tensor.Count];
        device.Download(tensor, values);
        return values;
    }

    private static void Product(ConformanceBench bench, DType weight, bool inputMajor, int rows, int width, int outputs)
    {
        var linear = new Linear(Part(bench, weight, inputMajor, width, outputs), Part(bench, weight, inputMajor, width, 24), Part(bench, weight, inputMajor, width, 72));
        var x = bench.Activations(1, rows, width);
        var destination = bench.Activations(1, rows, linear.Out);
        bench.Device.MatMul(x, linear, true, destination);
        bench.Report("product", "MatMul", destination);
    }

    private static void Feed(ConformanceBench bench, DType weight, bool inputMajor, int rows, int width, int outputs)
    {
        var linear = new Linear(Part(bench, weight, inputMajor, width, outputs), Part(bench, weight, inputMajor, width, outputs));
        var x = bench.Activations(1, rows, width);
        var inner = bench.Zeros(1, rows, linear.Out);
        bench.Device.MatMulActivate(x, linear, Activation.Silu, true, inner);
        bench.Report("gated", "MatMulActivate", inner.SliceColumns(0, outputs));
    }

    private static LinearPart Part(ConformanceBench bench, DType weight, bool inputMajor, int width, int outputs) => new(
        inputMajor ? bench.Weight(weight, width, outputs, 1 / Math.Sqrt(width)) : bench.Weight(weight, outputs, width, 1 / Math.Sqrt(width)),
        bench.Weight(weight, 1, outputs, 1), inputMajor);

    private static (double[] Found, double[] Expected) Run(GpuDevice device, Action<ConformanceBench> body)
    {
        using var bench = new ConformanceBench(device, device.ActivationType, "tiles");
        body(bench);
        using var judge = new ConformanceBench(Reference, device.ActivationType, "tiles");
        body(judge);
        return (bench.Quantities[0].Values, judge.Quantities[0].Values);
    }

    private static void Check(GpuDevice device, string op, Action<ConformanceBench> body)
    {
        var (found, expected) = Run(device, body);
        var tolerance = Tolerance.For(op, device.ActivationType);
        for (var i = 0; i < found.Length; i++)
        {
            Assert.True(tolerance.Allows(expected[i], found[i]), $"element {i}: reference {expected[i]}, found {found[i]}");
        }
    }
}
