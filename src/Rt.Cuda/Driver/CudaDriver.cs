// The driver's functions behind the interface that the launcher uses: spans become pointers, options become arrays.
// Source: NVIDIA, CUDA Driver API reference.
using System.Runtime.InteropServices;
using static Rt.Cuda.Driver.CudaLibrary;

namespace Rt.Cuda.Driver;

/// <summary>The installed driver.</summary>
internal sealed unsafe class CudaDriver : ICudaDriver
{
    private const uint NonBlockingStream = 1;
    private const uint EventWithoutTiming = 2;
    private const int RelaxedCapture = 2;

    // CUjit_option.
    private const int InfoLogBuffer = 3;
    private const int InfoLogBytes = 4;
    private const int ErrorLogBuffer = 5;
    private const int ErrorLogBytes = 6;

    // Keys of cuLaunchKernel's extra options.
    private const nint ArgumentPointer = 1;
    private const nint ArgumentBytes = 2;

    private CudaDriver()
    {
    }

    /// <summary>Loads the driver's library.</summary>
    /// <exception cref="Core.DeviceException">There is none.</exception>
    public static CudaDriver Open()
    {
        Load();
        return new CudaDriver();
    }

    public int Init() => cuInit(0);

    public int DriverGetVersion(out int version) => cuDriverGetVersion(out version);

    public int DeviceGetCount(out int count) => cuDeviceGetCount(out count);

    public int DeviceGet(out int device, int ordinal) => cuDeviceGet(out device, ordinal);

    public int DeviceGetName(Span<byte> name, int device)
    {
        fixed (byte* pointer = name)
        {
            return cuDeviceGetName(pointer, name.Length, device);
        }
    }

    public int DeviceGetAttribute(out int value, DeviceAttribute attribute, int device) => cuDeviceGetAttribute(out value, attribute, device);

    public int DeviceTotalMem(out nuint bytes, int device) => cuDeviceTotalMem_v2(out bytes, device);

    public int DevicePrimaryCtxRetain(out nint context, int device) => cuDevicePrimaryCtxRetain(out context, device);

    public int DevicePrimaryCtxRelease(int device) => cuDevicePrimaryCtxRelease_v2(device);

    public int CtxSetCurrent(nint context) => cuCtxSetCurrent(context);

    public int MemGetInfo(out nuint free, out nuint total) => cuMemGetInfo_v2(out free, out total);

    public int MemAlloc(out long address, nuint bytes) => cuMemAlloc_v2(out address, bytes);

    public int MemFree(long address) => cuMemFree_v2(address);

    public int MemHostAlloc(out nint pointer, nuint bytes) => cuMemHostAlloc(out pointer, bytes, 0);

    public int MemFreeHost(nint pointer) => cuMemFreeHost(pointer);

    public int MemcpyHtoDAsync(long destination, nint source, nuint bytes, nint stream) =>
        cuMemcpyHtoDAsync_v2(destination, source, bytes, stream);

    public int MemcpyDtoHAsync(nint destination, long source, nuint bytes, nint stream) =>
        cuMemcpyDtoHAsync_v2(destination, source, bytes, stream);

    public int MemcpyDtoDAsync(long destination, long source, nuint bytes, nint stream) =>
        cuMemcpyDtoDAsync_v2(destination, source, bytes, stream);

    public int MemsetD8Async(long address, byte value, nuint bytes, nint stream) => cuMemsetD8Async(address, value, bytes, stream);

    public int StreamCreate(out nint stream) => cuStreamCreate(out stream, NonBlockingStream);

    public int StreamDestroy(nint stream) => cuStreamDestroy_v2(stream);

    public int StreamSynchronize(nint stream) => cuStreamSynchronize(stream);

    public int StreamBeginCapture(nint stream) => cuStreamBeginCapture_v2(stream, RelaxedCapture);

    public int StreamEndCapture(nint stream, out nint graph) => cuStreamEndCapture(stream, out graph);

    public int EventCreate(out nint handle, bool timing) => cuEventCreate(out handle, timing ? 0 : EventWithoutTiming);

    public int EventDestroy(nint handle) => cuEventDestroy_v2(handle);

    public int EventRecord(nint handle, nint stream) => cuEventRecord(handle, stream);

    public int EventSynchronize(nint handle) => cuEventSynchronize(handle);

    public int EventElapsedTime(out float milliseconds, nint start, nint end) => cuEventElapsedTime(out milliseconds, start, end);

    public int ModuleLoadDataEx(out nint module, ReadOnlySpan<byte> image, Span<byte> infoLog, Span<byte> errorLog)
    {
        fixed (byte* text = image, info = infoLog, error = errorLog)
        {
            var options = stackalloc int[] { InfoLogBuffer, InfoLogBytes, ErrorLogBuffer, ErrorLogBytes };
            var values = stackalloc nint[] { (nint)info, infoLog.Length, (nint)error, errorLog.Length };
            return cuModuleLoadDataEx(out module, text, 4, options, values);
        }
    }

    public int ModuleUnload(nint module) => cuModuleUnload(module);

    public int ModuleGetFunction(out nint function, nint module, string name) => cuModuleGetFunction(out function, module, name);

    public int FuncGetAttribute(out int value, FunctionAttribute attribute, nint function) => cuFuncGetAttribute(out value, attribute, function);

    public int FuncSetAttribute(nint function, FunctionAttribute attribute, int value) => cuFuncSetAttribute(function, attribute, value);

    public int LaunchKernel(
        nint function, GridSize grid, int groupSize, int dynamicSharedBytes, nint stream, ReadOnlySpan<byte> arguments)
    {
        fixed (byte* pointer = arguments)
        {
            var bytes = (nuint)arguments.Length;
            var extra = stackalloc nint[] { ArgumentPointer, (nint)pointer, ArgumentBytes, (nint)(&bytes), 0 };
            return cuLaunchKernel(
                function, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)groupSize, 1, 1, (uint)dynamicSharedBytes, stream, null, extra);
        }
    }

    public int GraphInstantiate(out nint executable, nint graph) => cuGraphInstantiateWithFlags(out executable, graph, 0);

    public int GraphLaunch(nint executable, nint stream) => cuGraphLaunch(executable, stream);

    public int GraphExecDestroy(nint executable) => cuGraphExecDestroy(executable);

    public int GraphDestroy(nint graph) => cuGraphDestroy(graph);

    public string ErrorName(int result) =>
        cuGetErrorName(result, out var text) == 0 && text != 0 ? Marshal.PtrToStringUTF8(text)! : $"CUresult {result}";

    public string ErrorString(int result) =>
        cuGetErrorString(result, out var text) == 0 && text != 0 ? Marshal.PtrToStringUTF8(text)! : "unknown to this driver";
}
