// The launcher over the simulator: faults become device errors, graphs read lengths from memory, counts are kept per entry.
using Rt.Gpu;
using Rt.Gpu.Simulator;

namespace Rt.Cuda.Tests;

public sealed class SimulatorLauncherTests : IDisposable
{
    // Adds one to the first length[0] elements of x.
    private static readonly KernelEntry Increment = new(
        "IncrementKernel", "IncrementKernel", [], "sm_80", 32, 0, false, "None.cs:1",
        [new KernelParameter("x", ParameterKind.View, 4, false), new KernelParameter("length", ParameterKind.View, 4, false)],
        static () => Ptx);

    private readonly SimulatorLauncher _launcher = new(new SimulatorOptions { Threads = 1 });
    private readonly GpuDevice _device;
    private readonly Tensor _x;
    private readonly Tensor _length;

    public SimulatorLauncherTests()
    {
        _device = new GpuDevice(_launcher, DType.F32);
        _x = _device.Allocate(DType.I32, 1, 1, 64);
        _length = _device.Allocate(DType.I32, 1, 1, 1);
    }

    private static ReadOnlySpan<byte> Ptx => """
        .version 7.0
        .target sm_80
        .address_size 64
        .visible .entry IncrementKernel(.param .align 8 .b8 x[16], .param .align 8 .b8 length[16])
        .reqntid 32
        {
            .reg .pred %p<2>;
            .reg .b32 %r<8>;
            .reg .b64 %rd<8>;
            ld.param.u64 %rd1, [x];
            ld.param.u64 %rd2, [length];
            ld.global.u32 %r1, [%rd2];
            mov.u32 %r2, %tid.x;
            mov.u32 %r3, %ctaid.x;
            mad.lo.s32 %r4, %r3, 32, %r2;
            setp.ge.s32 %p1, %r4, %r1;
            @%p1 bra DONE;
            mul.wide.s32 %rd3, %r4, 4;
            add.s64 %rd4, %rd1, %rd3;
            ld.global.u32 %r5, [%rd4];
            add.s32 %r6, %r5, 1;
            st.global.u32 [%rd4], %r6;
        DONE:
            ret;
        }
        """u8;

    public void Dispose() => _device.Dispose();

    [Fact]
    public void Launch_OfKernel_ComputesAndCounts()
    {
        _device.UploadRaw<int>([40], _length);
        Run();
        Run();

        Assert.Equal(Enumerable.Range(0, 64).Select(i => i < 40 ? 2 : 0), Values());
        Assert.Equal(2, _launcher.Counters[Increment].Launches);
        Assert.Equal(4, _launcher.Counters[Increment].Groups);
        _launcher.ResetCounters();
        Assert.Empty(_launcher.Counters);
    }

    [Fact]
    public void Repeat_WithLengthInDeviceMemory_ReplaysTheGraphForEveryLength()
    {
        for (var length = 1; length <= 5; length++)
        {
            _device.UploadRaw<int>([length], _length);
            _device.Repeat(this, static test =>
            {
                for (var i = 0; i < 3; i++)
                {
                    test.Run();
                }
            });
        }

        Assert.Equal((1, 4), _device.Sections);
        Assert.Equal([15, 12, 9, 6, 3, 0], Values()[..6]);
    }

    [Fact]
    public void Launch_PastTheEnd_IsADeviceErrorThatNamesTheKernel()
    {
        _device.UploadRaw<int>([65], _length);
        var error = Assert.Throws<DeviceException>(() => _device.Start(Increment).Add(_x).Add(_length).Run(3));
        Assert.StartsWith("simulator: IncrementKernel: ", error.Message);
        Assert.Equal(5, error.ExitCode);
    }

    [Fact]
    public void Download_OfMemoryThatNothingWrote_IsRefused()
    {
        using var scratch = _device.Scratch();
        var tensor = scratch.Take(DType.I32, 8);
        _device.UploadRaw<int>([1, 2, 3, 4, 5, 6, 7, 8], tensor);
        _device.DownloadRaw(tensor, new int[8].AsSpan());
        scratch.Dispose();

        var again = _device.Scratch().Take(DType.I32, 8);
        Assert.Equal(tensor.Offset, again.Offset);
        Assert.Throws<DeviceException>(() => _device.DownloadRaw(again, new int[8].AsSpan()));
    }

    [Fact]
    public void Launch_ForANewerArchitecture_IsRefused()
    {
        using var old = new SimulatorLauncher(target: "sm_80");
        var entry = new KernelEntry("NewKernel", "NewKernel", [], "sm_90a", 32, 0, false, "None.cs:1", [], static () => Ptx);
        Assert.Contains("sm_90a", Assert.Throws<DeviceException>(() => old.Launch(entry, new GridSize(1), 0, [])).Message);
    }

    [Fact]
    public void Allocate_MoreThanThereIs_SaysSo()
    {
        using var small = new GpuDevice(new SimulatorLauncher(new SimulatorOptions { MemoryBytes = 1 << 20 }), DType.F32);
        Assert.Contains("out of device memory", Assert.Throws<DeviceException>(() => small.Allocate(DType.F32, 1, 1024, 1024)).Message);
    }

    private void Run() => _device.Start(Increment).Add(_x).Add(_length).Run(2);

    private int[] Values()
    {
        var values = new int[64];
        _device.DownloadRaw(_x, values.AsSpan());
        return values;
    }
}
