// The launcher over a driver made of host memory: order of calls, reuse, and what every failure says.
using System.Text;
using Rt.Cuda.Driver;
using Rt.Gpu;

namespace Rt.Cuda.Tests.Driver;

public sealed class CudaLauncherTests
{
    private static readonly KernelEntry Plain = Entry("PlainKernel", "sm_80", sharedBytes: 1024);

    private readonly FakeDriver _driver = new();

    [Fact]
    public void Upload_ThenDownload_GivesTheBytesBack()
    {
        using var launcher = new CudaLauncher(_driver, 0);
        var source = new byte[(3 * PinnedRing.Piece) + 12345];
        new Random(7).NextBytes(source);
        var address = launcher.Allocate(source.Length);
        var found = new byte[source.Length];

        launcher.Upload(source, address);
        launcher.Download(address, found);

        Assert.Equal(source, found);
    }

    [Fact]
    public void Upload_MoreThanTheRingHolds_WaitsForTheOldestCopy()
    {
        using var launcher = new CudaLauncher(_driver, 0);
        var address = launcher.Allocate(PinnedRing.Piece);
        var piece = new byte[PinnedRing.Piece];
        for (var i = 0; i < 4; i++)
        {
            launcher.Upload(piece, address);
        }

        Assert.DoesNotContain("cuEventSynchronize", _driver.Calls);
        launcher.Upload(piece, address);
        Assert.Equal(1, _driver.Calls.Count(call => call == "cuEventSynchronize"));
        Assert.Equal(4, _driver.Calls.Count(call => call == "cuEventCreate"));
    }

    [Fact]
    public void Allocate_AfterFree_ReusesTheBlockWithoutTheDriver()
    {
        using var launcher = new CudaLauncher(_driver, 0);
        var first = launcher.Allocate(10_000);
        launcher.Free(first);

        Assert.Equal(first, launcher.Allocate(10_000));
        Assert.Equal(1, _driver.Calls.Count(call => call == "cuMemAlloc"));
    }

    [Fact]
    public void Allocate_UnderPressure_GivesCachedBlocksBackFirst()
    {
        _driver.TotalBytes = 64 << 20;
        using var launcher = new CudaLauncher(_driver, 0);
        launcher.Free(launcher.Allocate(40 << 20));

        Assert.NotEqual(0, launcher.Allocate(50 << 20));
        Assert.Equal(1, _driver.Calls.Count(call => call == "cuMemFree"));
    }

    [Fact]
    public void Allocate_MoreThanThereIs_SaysWhatWasAskedAndWhatIsFree()
    {
        _driver.TotalBytes = 64 << 20;
        using var launcher = new CudaLauncher(_driver, 0);
        launcher.Allocate(16 << 20);

        var error = Assert.Throws<DeviceException>(() => launcher.Allocate(100 << 20));
        Assert.Equal(
            "cuda:0: out of memory, 104,857,600 bytes asked, 50,331,648 of 67,108,864 bytes are free, this process uses 16,777,216",
            error.Message);
        Assert.Equal(5, error.ExitCode);
        Assert.NotEqual(0, launcher.Allocate(1 << 20));
    }

    [Fact]
    public void Launch_Twice_LoadsTheModuleOnceAndPassesArguments()
    {
        using var launcher = new CudaLauncher(_driver, 0);
        launcher.Launch(Plain, new GridSize(3, 2), 0, [1, 2, 3, 4]);
        launcher.Launch(Plain, new GridSize(1), 0, [5, 6, 7, 8]);

        Assert.Equal(1, _driver.Calls.Count(call => call == "cuModuleLoadDataEx"));
        Assert.Equal(["PlainKernel", "PlainKernel"], _driver.Launches.Select(launch => launch.Kernel));
        Assert.Equal(new GridSize(3, 2), _driver.Launches[0].Grid);
        Assert.Equal(new byte[] { 5, 6, 7, 8 }, _driver.Launches[1].Arguments);
    }

    [Fact]
    public void Launch_WithMoreSharedMemoryThanDefault_AsksForItOnce()
    {
        using var launcher = new CudaLauncher(_driver, 0);
        launcher.Launch(Plain, new GridSize(1), 40 << 10, []);
        Assert.DoesNotContain(_driver.Calls, call => call.StartsWith("cuFuncSetAttribute", StringComparison.Ordinal));

        launcher.Launch(Plain, new GridSize(1), 100_000, []);
        launcher.Launch(Plain, new GridSize(1), 90_000, []);
        Assert.Equal(["cuFuncSetAttribute MaxDynamicSharedBytes 100000"], _driver.Calls.Where(call => call.StartsWith("cuFuncSet", StringComparison.Ordinal)));
    }

    [Fact]
    public void Launch_WithMoreSharedMemoryThanThereIs_SaysHowMuchThereIs()
    {
        using var launcher = new CudaLauncher(_driver, 0);
        var error = Assert.Throws<DeviceException>(() => launcher.Launch(Plain, new GridSize(1), 232_448, []));
        Assert.Equal("cuda:0: PlainKernel asks for 233,472 shared bytes, the GPU has 232,448 per group", error.Message);
    }

    [Fact]
    public void Launch_OfKernelForAnotherArchitecture_IsRefused()
    {
        _driver.Capability = (8, 6);
        using var launcher = new CudaLauncher(_driver, 0);
        Assert.Equal("sm_80", launcher.Target);
        var error = Assert.Throws<DeviceException>(() => launcher.Launch(Entry("NewKernel", "sm_90a"), new GridSize(1), 0, []));
        Assert.Equal("cuda:0: NewKernel is compiled for sm_90a, the GPU runs sm_80", error.Message);
    }

    [Fact]
    public void Launch_OfTextTheAssemblerRefuses_ShowsItsLog()
    {
        _driver.Fail("cuModuleLoadDataEx", 218);
        _driver.Log = "ptxas application ptx input, line 9; error\n: unknown symbol";
        using var launcher = new CudaLauncher(_driver, 0);
        var error = Assert.Throws<DeviceException>(() => launcher.Launch(Plain, new GridSize(1), 0, []));
        Assert.Contains("cuModuleLoadDataEx (PlainKernel: ptxas application ptx input, line 9; error : unknown symbol): CUDA_ERROR_218", error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Synchronize_AfterFault_NamesCallResultAndKernel()
    {
        _driver.Fail("cuStreamSynchronize", 700);
        using var launcher = new CudaLauncher(_driver, 0);
        launcher.Launch(Plain, new GridSize(1), 0, []);
        var error = Assert.Throws<DeviceException>(launcher.Synchronize);
        Assert.Equal(
            "cuda:0: cuStreamSynchronize: CUDA_ERROR_700: error 700 in words; the last kernel started was PlainKernel", error.Message);
    }

    [Theory]
    [InlineData("cuMemHostAlloc")]
    [InlineData("cuStreamCreate")]
    [InlineData("cuCtxSetCurrent")]
    public void Open_WhenACallFails_ReleasesTheContext(string call)
    {
        _driver.Fail(call, 999);
        Assert.Contains(call, Assert.Throws<DeviceException>(() => new CudaLauncher(_driver, 0)).Message);
        Assert.Equal("cuDevicePrimaryCtxRelease", _driver.Calls[^1]);
    }

    [Fact]
    public void Open_BelowComputeCapability8_SaysSo()
    {
        _driver.Capability = (7, 5);
        var error = Assert.Throws<DeviceException>(() => new CudaLauncher(_driver, 0));
        Assert.Equal("cuda:0: Fake GPU has compute capability 7.5, expected 8.0 or above", error.Message);
    }

    [Fact]
    public void Open_OldDriver_SaysWhichIsNeeded()
    {
        _driver.Version = 11020;
        Assert.Equal(
            "cuda:0: the driver supports CUDA 11.2, expected 11.4 or above",
            Assert.Throws<DeviceException>(() => new CudaLauncher(_driver, 0)).Message);
    }

    [Fact]
    public void Open_OrdinalBeyondCount_SaysHowManyThereAre()
    {
        _driver.Count = 2;
        Assert.StartsWith("cuda:2: the driver shows 2 GPUs", Assert.Throws<DeviceException>(() => new CudaLauncher(_driver, 2)).Message);
    }

    [Theory]
    [InlineData(8, 0, "sm_80")]
    [InlineData(8, 9, "sm_80")]
    [InlineData(9, 0, "sm_90a")]
    [InlineData(10, 0, "sm_90")]
    [InlineData(12, 0, "sm_90")]
    public void Target_OfComputeCapability_IsTheBestItRuns(int major, int minor, string target)
    {
        _driver.Capability = (major, minor);
        using var launcher = new CudaLauncher(_driver, 0);
        Assert.Equal(target, launcher.Target);
    }

    [Fact]
    public void Capture_OfLaunches_RunsThemAsOneGraph()
    {
        using var launcher = new CudaLauncher(_driver, 0);
        using var graph = launcher.Capture(() =>
        {
            launcher.Launch(Plain, new GridSize(1), 0, []);
            launcher.Launch(Plain, new GridSize(2), 0, []);
        });
        Assert.Empty(_driver.Launches);

        graph.Launch();
        graph.Launch();
        Assert.Contains("cuGraphInstantiate of 2 launches", _driver.Calls);
        Assert.Equal(2, _driver.Calls.Count(call => call == "cuGraphLaunch"));
    }

    [Fact]
    public void Capture_WhenLaunchesThrow_EndsTheCapture()
    {
        using var launcher = new CudaLauncher(_driver, 0);
        Assert.Throws<InvalidOperationException>(() => launcher.Capture(() => throw new InvalidOperationException()));
        Assert.Equal(["cuStreamBeginCapture", "cuStreamEndCapture", "cuGraphDestroy"], _driver.Calls[^3..]);
    }

    [Fact]
    public void Dispose_AfterUse_GivesEverythingBack()
    {
        var launcher = new CudaLauncher(_driver, 0);
        launcher.Allocate(1000);
        launcher.Free(launcher.Allocate(5000));
        launcher.Upload(new byte[100], launcher.Allocate(100));
        launcher.Launch(Plain, new GridSize(1), 0, []);
        launcher.Measure(() => { });
        launcher.Capture(() => launcher.Launch(Plain, new GridSize(1), 0, [])).Dispose();

        launcher.Dispose();
        launcher.Dispose();

        Assert.Equal((nuint)0, _driver.UsedBytes);
        Assert.Equal(0, _driver.PinnedBlocks);
        Assert.Equal(0, _driver.LiveHandles);
    }

    [Fact]
    public void Dispose_AfterFault_DoesNotHideIt()
    {
        _driver.Fail("cuLaunchKernel", 719);
        var launcher = new CudaLauncher(_driver, 0);
        Assert.Throws<DeviceException>(() => launcher.Launch(Plain, new GridSize(1), 0, []));
        launcher.Dispose();
        Assert.Equal("cuDevicePrimaryCtxRelease", _driver.Calls[^1]);
    }

    [Theory]
    [InlineData(1, 256)]
    [InlineData(256, 256)]
    [InlineData(257, 512)]
    [InlineData(10_000, 10_240)]
    [InlineData((64 << 20) + 1, 66 << 20)]
    public void SizeClass_OfBytes_WastesAtMostAnEighth(long bytes, long expected) => Assert.Equal(expected, MemoryPool.SizeClass(bytes));

    internal static KernelEntry Entry(string name, string target, int sharedBytes = 0, params KernelParameter[] parameters) =>
        new(name, name, [], target, 128, sharedBytes, true, "kernels/None.cs:1", parameters, static () => Encoding.UTF8.GetBytes(".version 7.0"));
}
