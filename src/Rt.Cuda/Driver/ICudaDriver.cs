// The part of the CUDA driver API that is used, as an interface: tests put another driver in its place.
// Source: NVIDIA, CUDA Driver API reference.
namespace Rt.Cuda.Driver;

/// <summary>Functions of the driver by their names without "cu"; each returns a CUresult, 0 for success.</summary>
/// <remarks>Device addresses are longs; contexts, streams, events, modules, functions and graphs are handles.</remarks>
internal unsafe interface ICudaDriver
{
    int Init();

    int DriverGetVersion(out int version);

    int DeviceGetCount(out int count);

    int DeviceGet(out int device, int ordinal);

    int DeviceGetName(Span<byte> name, int device);

    int DeviceGetAttribute(out int value, DeviceAttribute attribute, int device);

    int DeviceTotalMem(out nuint bytes, int device);

    int DevicePrimaryCtxRetain(out nint context, int device);

    int DevicePrimaryCtxRelease(int device);

    int CtxSetCurrent(nint context);

    int MemGetInfo(out nuint free, out nuint total);

    int MemAlloc(out long address, nuint bytes);

    int MemFree(long address);

    int MemHostAlloc(out nint pointer, nuint bytes);

    int MemFreeHost(nint pointer);

    int MemcpyHtoDAsync(long destination, nint source, nuint bytes, nint stream);

    int MemcpyDtoHAsync(nint destination, long source, nuint bytes, nint stream);

    int MemcpyDtoDAsync(long destination, long source, nuint bytes, nint stream);

    int MemsetD8Async(long address, byte value, nuint bytes, nint stream);

    int StreamCreate(out nint stream);

    int StreamDestroy(nint stream);

    int StreamSynchronize(nint stream);

    int StreamBeginCapture(nint stream);

    int StreamEndCapture(nint stream, out nint graph);

    int EventCreate(out nint handle, bool timing);

    int EventDestroy(nint handle);

    int EventRecord(nint handle, nint stream);

    int EventSynchronize(nint handle);

    int EventElapsedTime(out float milliseconds, nint start, nint end);

    /// <param name="module">The module.</param>
    /// <param name="image">PTX with a terminating zero.</param>
    /// <param name="infoLog">Receives what the assembler says, ended by a zero.</param>
    /// <param name="errorLog">Receives its errors, ended by a zero.</param>
    int ModuleLoadDataEx(out nint module, ReadOnlySpan<byte> image, Span<byte> infoLog, Span<byte> errorLog);

    int ModuleUnload(nint module);

    int ModuleGetFunction(out nint function, nint module, string name);

    int FuncGetAttribute(out int value, FunctionAttribute attribute, nint function);

    int FuncSetAttribute(nint function, FunctionAttribute attribute, int value);

    int LaunchKernel(nint function, GridSize grid, int groupSize, int dynamicSharedBytes, nint stream, ReadOnlySpan<byte> arguments);

    int GraphInstantiate(out nint executable, nint graph);

    int GraphLaunch(nint executable, nint stream);

    int GraphExecDestroy(nint executable);

    int GraphDestroy(nint graph);

    /// <summary>The result's name, such as CUDA_ERROR_OUT_OF_MEMORY.</summary>
    string ErrorName(int result);

    /// <summary>The result in words.</summary>
    string ErrorString(int result);
}

/// <summary>CUdevice_attribute.</summary>
internal enum DeviceAttribute
{
    MultiprocessorCount = 16,
    L2CacheBytes = 38,
    ComputeCapabilityMajor = 75,
    ComputeCapabilityMinor = 76,
    MaxSharedBytesPerBlockOptIn = 97,
}

/// <summary>CUfunction_attribute.</summary>
internal enum FunctionAttribute
{
    LocalBytes = 3,
    Registers = 4,
    MaxDynamicSharedBytes = 8,
}
