// Repeated work over a driver made of host memory: what is replayed as a graph, and what is not.
using Rt.Cuda.Driver;
using Rt.Cuda.Tests.Driver;
using Rt.Gpu;

namespace Rt.Cuda.Tests;

public sealed class RepeatTests : IDisposable
{
    private static readonly KernelEntry Step = CudaLauncherTests.Entry(
        "StepKernel", "sm_80", 0,
        new KernelParameter("x", ParameterKind.View, 4, false),
        new KernelParameter("count", ParameterKind.Int32, 0, false),
        new KernelParameter("length", ParameterKind.Int64, 0, false),
        new KernelParameter("scale", ParameterKind.Float32, 0, false),
        new KernelParameter("last", ParameterKind.Bool, 0, false),
        new KernelParameter("big", ParameterKind.Float64, 0, false));

    private readonly FakeDriver _driver = new();
    private readonly GpuDevice _device;
    private readonly Tensor _x;

    public RepeatTests()
    {
        _device = new GpuDevice(new CudaLauncher(_driver, 0), DType.F32);
        _x = _device.Allocate(DType.F32, 1, 4, 16);
    }

    public void Dispose() => _device.Dispose();

    [Fact]
    public void Run_OfEveryKind_LaysArgumentsOutLikeAStruct()
    {
        Launch(_x.SliceRows(1, 2), 7);

        var arguments = _driver.Launches.Single().Arguments;
        Assert.Equal(48, arguments.Length);
        Assert.Equal(48, BitConverter.ToInt64(arguments, 8));
        Assert.Equal(7, BitConverter.ToInt32(arguments, 16));
        Assert.Equal(70, BitConverter.ToInt64(arguments, 24));
        Assert.Equal(0.5f, BitConverter.ToSingle(arguments, 32));
        Assert.Equal(1, arguments[36]);
        Assert.Equal(0.25, BitConverter.ToDouble(arguments, 40));
    }

    [Fact]
    public void Run_WithTooFewArguments_NamesTheKernel() =>
        Assert.Equal(
            "StepKernel: 1 of 6 arguments were given",
            Assert.Throws<InvalidOperationException>(() => _device.Start(Step).Add(_x).Run(1)).Message);

    [Fact]
    public void Add_OfAnotherKind_NamesTheParameter() =>
        Assert.StartsWith(
            "StepKernel: parameter 'count' is Int32",
            Assert.Throws<InvalidOperationException>(() => _device.Start(Step).Add(_x).Add(1f)).Message);

    [Fact]
    public void Add_OfAnotherElementSize_IsRefused()
    {
        var halves = _device.Allocate(DType.BF16, 1, 1, 4);
        Assert.Throws<InvalidOperationException>(() => _device.Start(Step).Add(halves));
    }

    [Fact]
    public void Repeat_OfEqualLaunches_ReplaysFromTheSecondOn()
    {
        for (var i = 0; i < 5; i++)
        {
            _device.Repeat(3, count => Launches(count));
        }

        Assert.Equal((1, 4), _device.Sections);
        Assert.Equal(3, _driver.Launches.Count);
        Assert.Equal(4, _driver.Calls.Count(call => call == "cuGraphLaunch"));
        Assert.Single(_driver.Calls, call => call == "cuGraphInstantiate of 3 launches");
    }

    [Fact]
    public void Repeat_WithAnotherArgument_LaunchesItAnew()
    {
        for (var i = 0; i < 4; i++)
        {
            _device.Repeat(i, step =>
            {
                Launches(2);
                Launch(_x, step);
            });
        }

        Assert.Equal((4, 0), _device.Sections);
        Assert.Equal([0, 1, 2, 3], _driver.Launches.Where((_, i) => i % 3 == 2).Select(launch => BitConverter.ToInt32(launch.Arguments, 16)));
    }

    [Fact]
    public void Repeat_OfTwoShapesInTurn_KeepsAGraphOfEach()
    {
        for (var i = 0; i < 6; i++)
        {
            _device.Repeat(3 + i % 2, count => Launches(count));
        }

        Assert.Equal((2, 4), _device.Sections);
    }

    [Fact]
    public void Repeat_WithADownload_SplitsIntoTwoGraphs()
    {
        for (var i = 0; i < 3; i++)
        {
            _device.Repeat(0, _ =>
            {
                Launches(4);
                _device.Download(_x, new float[64]);
                Launches(3);
            });
        }

        Assert.Equal((2, 4), _device.Sections);
        Assert.True(_driver.Calls.LastIndexOf("cuMemcpyDtoHAsync") < _driver.Calls.LastIndexOf("cuGraphLaunch"));
    }

    [Fact]
    public void Repeat_WithAnUploadAfterLaunches_StartsThemFirst()
    {
        _device.Repeat(0, _ =>
        {
            Launches(3);
            _device.Upload(new double[64], _x);
            Launches(3);
        });

        var upload = _driver.Calls.LastIndexOf("cuMemcpyHtoDAsync");
        Assert.Equal(3, _driver.Calls[..upload].Count(call => call == "cuLaunchKernel"));
        Assert.Equal(3, _driver.Calls[upload..].Count(call => call == "cuLaunchKernel"));
    }

    [Fact]
    public void Repeat_WithIndices_SendsThemOnceAndGivesEachCallItsOwn()
    {
        var addresses = new List<long>();
        for (var i = 0; i < 3; i++)
        {
            _device.Repeat(0, _ =>
            {
                Launches(2);
                addresses.Add(_device.Indices([1, 2, 3]).Offset);
                Launches(1);
                addresses.Add(_device.Indices([4]).Offset);
                Launches(1);
            });
        }

        Assert.Equal([0, 3, 0, 3, 0, 3], addresses);
        Assert.Equal((1, 2), _device.Sections);
        Assert.Equal(2, _driver.Calls.Count(call => call == "cuMemcpyHtoDAsync"));
    }

    [Fact]
    public void Indices_OutsideRepeat_HoldWhatWasAsked()
    {
        var random = new Random(3);
        for (var i = 0; i < 200; i++)
        {
            var first = Enumerable.Range(0, random.Next(0, 400)).Select(_ => random.Next(1000)).ToArray();
            var second = Enumerable.Range(0, random.Next(1, 4000)).Select(_ => random.Next(1000)).ToArray();
            var a = _device.Indices(first);
            var b = _device.Indices(second);
            var found = new int[first.Length];
            _device.DownloadRaw(a, found.AsSpan());
            Assert.Equal(first, found);
            found = new int[second.Length];
            _device.DownloadRaw(b, found.AsSpan());
            Assert.Equal(second, found);
        }
    }

    [Fact]
    public void Repeat_ThatFreesMemory_StartsLaunchesFirst()
    {
        _device.Repeat(0, _ =>
        {
            var scratch = _device.Allocate(DType.F32, 1, 1, 8);
            Launches(3);
            scratch.Storage.Dispose();
            Assert.Equal(3, _driver.Launches.Count);
        });
    }

    [Fact]
    public void Repeat_ThatThrows_ForgetsItsLaunches()
    {
        Assert.Throws<InvalidOperationException>(() => _device.Repeat(0, _ =>
        {
            Launches(3);
            throw new InvalidOperationException();
        }));
        Launches(1);
        Assert.Single(_driver.Launches);
    }

    [Fact]
    public void Repeat_WithManyShapes_KeepsABoundedNumberOfGraphs()
    {
        for (var count = 3; count < 50; count++)
        {
            _device.Repeat(count, Launches);
            _device.Repeat(count, Launches);
        }

        Assert.Equal(15, _driver.Calls.Count(call => call == "cuGraphExecDestroy"));
    }

    [Fact]
    public void Repeat_WithoutGraphs_LaunchesAtOnce()
    {
        using var device = new GpuDevice(new CudaLauncher(new FakeDriver(), 0), DType.BF16, new GpuOptions(Graphs: false));
        var ran = false;
        device.Repeat(1, _ => ran = true);
        Assert.True(ran);
        Assert.Equal((0, 0), device.Sections);
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    public void Upload_ToStridedView_WritesOnlyTheView(DType type)
    {
        var whole = _device.Allocate(type, 2, 5, 12);
        var view = whole.SliceColumns(3, 4).SliceRows(1, 3);
        var values = Enumerable.Range(1, 24).Select(i => (double)i).ToArray();
        _device.Upload(values, view);

        var found = new double[24];
        _device.Download(view, found);
        Assert.Equal(values, found);
        var all = new float[120];
        _device.Download(whole, all);
        Assert.Equal(values.Sum(), all.Sum(), 1e-9);
        Assert.Equal(24, all.Count(value => value != 0));
    }

    [Fact]
    public void Scratch_Nested_GivesSeparateMemoryAndReusesIt()
    {
        long first;
        using (var outer = _device.Scratch())
        {
            var a = outer.Take(DType.F32, 1000);
            using (var inner = _device.Scratch())
            {
                var b = inner.Take(DType.I32, 3, 5, 7);
                Assert.True(b.Storage != a.Storage || b.Offset * 4 >= a.Offset * 4 + 4000);
                Assert.NotEqual(a.Storage, inner.Take(DType.F32, 1 << 20).Storage);
            }

            first = a.Offset;
            Assert.True(outer.Take(DType.F64, 10).Offset >= 500);
        }

        using var next = _device.Scratch();
        Assert.Equal(first, next.Take(DType.F32, 1).Offset);
    }

    private void Launches(int count)
    {
        for (var i = 0; i < count; i++)
        {
            Launch(_x, i);
        }
    }

    private void Launch(Tensor x, int count) =>
        _device.Start(Step).Add(x).Add(count).Add(10L * count).Add(0.5f).Add(true).Add(0.25).Run(1);
}
