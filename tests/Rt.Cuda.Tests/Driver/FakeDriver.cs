// A driver made of host memory: copies are done at once, calls are written down, and any call can be made to fail.
using System.Runtime.InteropServices;
using System.Text;
using Rt.Cuda.Driver;

namespace Rt.Cuda.Tests.Driver;

internal sealed unsafe class FakeDriver : ICudaDriver
{
    private readonly Dictionary<long, nuint> _device = [];
    private readonly Dictionary<nint, nuint> _pinned = [];
    private readonly Dictionary<string, (int Result, int After)> _failures = [];
    private readonly Dictionary<nint, int> _capturedLaunches = [];
    private nint _nextHandle = 1;
    private int _launchesInCapture = -1;

    public List<string> Calls { get; } = [];

    public List<(string Kernel, GridSize Grid, int SharedBytes, byte[] Arguments)> Launches { get; } = [];

    public Dictionary<nint, string> Functions { get; } = [];

    public int Version { get; set; } = 12040;

    public int Count { get; set; } = 1;

    public (int Major, int Minor) Capability { get; set; } = (9, 0);

    public nuint TotalBytes { get; set; } = 1 << 30;

    public string Log { get; set; } = "";

    public nuint UsedBytes => _device.Values.Aggregate<nuint, nuint>(0, (sum, bytes) => sum + bytes);

    public int PinnedBlocks => _pinned.Count;

    public int LiveHandles { get; private set; }

    /// <summary>Makes a call fail, after it succeeded some times.</summary>
    public void Fail(string call, int result, int after = 0) => _failures[call] = (result, after);

    public int Init() => Call("cuInit");

    public int DriverGetVersion(out int version)
    {
        version = Version;
        return Call("cuDriverGetVersion");
    }

    public int DeviceGetCount(out int count)
    {
        count = Count;
        return Call("cuDeviceGetCount");
    }

    public int DeviceGet(out int device, int ordinal)
    {
        device = ordinal;
        return Call("cuDeviceGet");
    }

    public int DeviceGetName(Span<byte> name, int device)
    {
        Encoding.UTF8.GetBytes("Fake GPU", name);
        return Call("cuDeviceGetName");
    }

    public int DeviceGetAttribute(out int value, DeviceAttribute attribute, int device)
    {
        value = attribute switch
        {
            DeviceAttribute.ComputeCapabilityMajor => Capability.Major,
            DeviceAttribute.ComputeCapabilityMinor => Capability.Minor,
            DeviceAttribute.MultiprocessorCount => 132,
            DeviceAttribute.MaxSharedBytesPerBlockOptIn => 232448,
            _ => 50 << 20,
        };
        return Call("cuDeviceGetAttribute");
    }

    public int DeviceTotalMem(out nuint bytes, int device)
    {
        bytes = TotalBytes;
        return Call("cuDeviceTotalMem");
    }

    public int DevicePrimaryCtxRetain(out nint context, int device) => New("cuDevicePrimaryCtxRetain", out context);

    public int DevicePrimaryCtxRelease(int device) => Gone("cuDevicePrimaryCtxRelease");

    public int CtxSetCurrent(nint context) => Call("cuCtxSetCurrent");

    public int MemGetInfo(out nuint free, out nuint total)
    {
        (free, total) = (TotalBytes - UsedBytes, TotalBytes);
        return Call("cuMemGetInfo");
    }

    public int MemAlloc(out long address, nuint bytes)
    {
        address = 0;
        var result = Call("cuMemAlloc");
        if (result != 0 || UsedBytes + bytes > TotalBytes)
        {
            return result != 0 ? result : CudaErrors.OutOfMemory;
        }

        address = (long)NativeMemory.AlignedAlloc(bytes, 256);
        _device.Add(address, bytes);
        return 0;
    }

    public int MemFree(long address)
    {
        Assert.True(_device.Remove(address), "an address is freed that was not allocated");
        NativeMemory.AlignedFree((void*)address);
        return Call("cuMemFree");
    }

    public int MemHostAlloc(out nint pointer, nuint bytes)
    {
        pointer = 0;
        var result = Call("cuMemHostAlloc");
        if (result == 0)
        {
            pointer = (nint)NativeMemory.AlignedAlloc(bytes, 64);
            _pinned.Add(pointer, bytes);
        }

        return result;
    }

    public int MemFreeHost(nint pointer)
    {
        Assert.True(_pinned.Remove(pointer), "host memory is freed that was not allocated");
        NativeMemory.AlignedFree((void*)pointer);
        return Call("cuMemFreeHost");
    }

    public int MemcpyHtoDAsync(long destination, nint source, nuint bytes, nint stream)
    {
        RequireInside(destination, bytes);
        Assert.Contains(_pinned, block => source >= block.Key && source + (nint)bytes <= block.Key + (nint)block.Value);
        NativeMemory.Copy((void*)source, (void*)destination, bytes);
        return Call("cuMemcpyHtoDAsync");
    }

    public int MemcpyDtoHAsync(nint destination, long source, nuint bytes, nint stream)
    {
        RequireInside(source, bytes);
        NativeMemory.Copy((void*)source, (void*)destination, bytes);
        return Call("cuMemcpyDtoHAsync");
    }

    public int MemcpyDtoDAsync(long destination, long source, nuint bytes, nint stream)
    {
        RequireInside(source, bytes);
        RequireInside(destination, bytes);
        NativeMemory.Copy((void*)source, (void*)destination, bytes);
        return Call("cuMemcpyDtoDAsync");
    }

    public int MemsetD8Async(long address, byte value, nuint bytes, nint stream)
    {
        RequireInside(address, bytes);
        NativeMemory.Fill((void*)address, bytes, value);
        return Call("cuMemsetD8Async");
    }

    public int StreamCreate(out nint stream) => New("cuStreamCreate", out stream);

    public int StreamDestroy(nint stream) => Gone("cuStreamDestroy");

    public int StreamSynchronize(nint stream) => Call("cuStreamSynchronize");

    public int StreamBeginCapture(nint stream)
    {
        _launchesInCapture = 0;
        return Call("cuStreamBeginCapture");
    }

    public int StreamEndCapture(nint stream, out nint graph)
    {
        var result = New("cuStreamEndCapture", out graph);
        _capturedLaunches[graph] = _launchesInCapture;
        _launchesInCapture = -1;
        return result;
    }

    public int EventCreate(out nint handle, bool timing) => New("cuEventCreate", out handle);

    public int EventDestroy(nint handle) => Gone("cuEventDestroy");

    public int EventRecord(nint handle, nint stream) => Call("cuEventRecord");

    public int EventSynchronize(nint handle) => Call("cuEventSynchronize");

    public int EventElapsedTime(out float milliseconds, nint start, nint end)
    {
        milliseconds = 1.5f;
        return Call("cuEventElapsedTime");
    }

    public int ModuleLoadDataEx(out nint module, ReadOnlySpan<byte> image, Span<byte> infoLog, Span<byte> errorLog)
    {
        Assert.Equal(0, image[^1]);
        Encoding.UTF8.GetBytes(Log, errorLog);
        return New("cuModuleLoadDataEx", out module);
    }

    public int ModuleUnload(nint module) => Gone("cuModuleUnload");

    public int ModuleGetFunction(out nint function, nint module, string name)
    {
        function = _nextHandle++;
        Functions.Add(function, name);
        return Call("cuModuleGetFunction");
    }

    public int FuncGetAttribute(out int value, FunctionAttribute attribute, nint function)
    {
        value = attribute == FunctionAttribute.Registers ? 40 : 0;
        return Call("cuFuncGetAttribute");
    }

    public int FuncSetAttribute(nint function, FunctionAttribute attribute, int value) => Call($"cuFuncSetAttribute {attribute} {value}", "cuFuncSetAttribute");

    public int LaunchKernel(nint function, GridSize grid, int groupSize, int dynamicSharedBytes, nint stream, ReadOnlySpan<byte> arguments)
    {
        var result = Call("cuLaunchKernel");
        if (_launchesInCapture >= 0)
        {
            _launchesInCapture++;
        }
        else
        {
            Launches.Add((Functions[function], grid, dynamicSharedBytes, arguments.ToArray()));
        }

        return result;
    }

    public int GraphInstantiate(out nint executable, nint graph) =>
        New($"cuGraphInstantiate of {_capturedLaunches[graph]} launches", out executable, "cuGraphInstantiate");

    public int GraphLaunch(nint executable, nint stream) => Call("cuGraphLaunch");

    public int GraphExecDestroy(nint executable) => Gone("cuGraphExecDestroy");

    public int GraphDestroy(nint graph) => Gone("cuGraphDestroy");

    public string ErrorName(int result) => result == CudaErrors.OutOfMemory ? "CUDA_ERROR_OUT_OF_MEMORY" : $"CUDA_ERROR_{result}";

    public string ErrorString(int result) => $"error {result} in words";

    private void RequireInside(long address, nuint bytes) =>
        Assert.Contains(_device, block => address >= block.Key && address + (long)bytes <= block.Key + (long)block.Value);

    private int New(string call, out nint handle, string? name = null)
    {
        handle = _nextHandle++;
        var result = Call(call, name);
        LiveHandles += result == 0 ? 1 : 0;
        return result;
    }

    private int Gone(string call)
    {
        LiveHandles--;
        return Call(call);
    }

    private int Call(string text, string? name = null)
    {
        Calls.Add(text);
        name ??= text;
        if (!_failures.TryGetValue(name, out var failure))
        {
            return 0;
        }

        _failures[name] = failure with { After = failure.After - 1 };
        return failure.After <= 0 ? failure.Result : 0;
    }
}
