// Arguments that do not fit, options out of range, and memory: errors that name what is wrong.
using Rt.Core;

namespace Rt.Cpu.Tests;

public sealed class CpuDeviceTests
{
    [Fact]
    public void MatMul_WidthsDiffer_NamesBothTensors()
    {
        using var device = new CpuDevice(new CpuOptions(1));
        var x = device.Allocate(DType.F32, 1, 2, 5);
        var linear = new Linear(new LinearPart(device.Allocate(DType.F32, 1, 3, 4), null, false));
        var error = Assert.Throws<ShapeException>(() => device.MatMul(x, linear, false, device.Allocate(DType.F32, 1, 2, 3)));
        Assert.Equal("MatMul: F32[1, 2, 5] does not fit F32[1, 3, 4]", error.Message);
    }

    [Fact]
    public void Embed_TokenOutsideTable_Throws()
    {
        using var device = new CpuDevice(new CpuOptions(1));
        using var cache = new KvCache(device, 1, 1, 1, 4, 1);
        var rows = new RowBatch(1, 1).Reset(cache);
        rows.Add([7], 0, 0, 0);
        var error = Assert.Throws<ShapeException>(() =>
            device.Embed(rows, device.Allocate(DType.F32, 1, 7, 2), 1, device.Allocate(DType.F32, 1, 1, 2)));
        Assert.Contains("index 7", error.Message);
    }

    [Fact]
    public void LogProbabilities_RowsDescend_Throws()
    {
        using var device = new CpuDevice(new CpuOptions(1));
        var x = device.Allocate(DType.F32, 1, 2, 4);
        var head = new Linear(new LinearPart(device.Allocate(DType.F32, 1, 3, 4), null, false));
        Assert.Throws<ShapeException>(() => device.LogProbabilities(x, head, 0, [new(1, 0), new(0, 0)], new double[2]));
        Assert.Throws<ShapeException>(() => device.LogProbabilities(x, head, 0, [new(0, 3)], new double[1]));
    }

    [Fact]
    public void GatherRows_IndexOutside_Throws()
    {
        using var device = new CpuDevice(new CpuOptions(1));
        var x = device.Allocate(DType.F32, 1, 2, 4);
        Assert.Throws<ShapeException>(() => device.GatherRows(x, [2], device.Allocate(DType.F32, 1, 1, 4)));
        Assert.Throws<ShapeException>(() => device.GatherRows(x, [-1], device.Allocate(DType.F32, 1, 1, 4)));
    }

    [Fact]
    public void ArgMax_RowWithNaN_TakesLargestNumber()
    {
        using var device = new CpuDevice(new CpuOptions(1));
        var x = device.Allocate(DType.F32, 1, 2, 40);
        var values = new double[80];
        values[3] = double.NaN;
        values[20] = 2;
        Array.Fill(values, double.NaN, 40, 40);
        device.Upload(values, x);
        var indices = new int[2];
        device.ArgMax(x, indices);
        Assert.Equal([20, 0], indices);
    }

    [Fact]
    public void Import_F64_BecomesF32()
    {
        using var device = new CpuDevice(new CpuOptions(1));
        var host = HostTensors.Allocate(DType.F64, 1, 1, 2);
        device.Upload([1.5, 1e-3], host);
        var imported = device.Import(host);
        Assert.Equal(DType.F32, imported.DType);
        Assert.Equal([1.5, (double)1e-3f], imported.ToArray());
        host.Storage.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100_000)]
    public void Constructor_ThreadsOutOfRange_Throws(int threads) =>
        Assert.Throws<UsageException>(() => new CpuDevice(new CpuOptions(threads)));

    [Fact]
    public void FromEnvironment_BadValues_AreUsageErrors()
    {
        var (threads, width) = (Environment.GetEnvironmentVariable("RT_THREADS"), Environment.GetEnvironmentVariable("RT_FORCE_WIDTH"));
        try
        {
            Environment.SetEnvironmentVariable("RT_THREADS", "3");
            Environment.SetEnvironmentVariable("RT_FORCE_WIDTH", "scalar");
            Assert.Equal(new CpuOptions(3, ForceWidth: SimdWidth.Scalar), CpuOptions.FromEnvironment());
            Environment.SetEnvironmentVariable("RT_THREADS", "many");
            Assert.Throws<UsageException>(CpuOptions.FromEnvironment);
            Environment.SetEnvironmentVariable("RT_THREADS", null);
            Environment.SetEnvironmentVariable("RT_FORCE_WIDTH", "1024");
            Assert.Throws<UsageException>(CpuOptions.FromEnvironment);
        }
        finally
        {
            Environment.SetEnvironmentVariable("RT_THREADS", threads);
            Environment.SetEnvironmentVariable("RT_FORCE_WIDTH", width);
        }
    }
}
