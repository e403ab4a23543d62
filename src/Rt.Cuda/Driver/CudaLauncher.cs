// The launcher over the CUDA driver: context, one stream, memory, kernels loaded when first started, graphs.
// Source: NVIDIA, CUDA Driver API reference.
using Rt.Core;
using Rt.Gpu;

namespace Rt.Cuda.Driver;

/// <summary>Launches kernels on an NVIDIA GPU of compute capability 8.0 or above; needs nothing but the driver.</summary>
public sealed class CudaLauncher : ILauncher
{
    // cuGraphInstantiateWithFlags.
    private const int OldestDriver = 11040;

    private readonly ICudaDriver _driver;
    private readonly CudaErrors _errors;
    private readonly int _device;
    private readonly nint _context;
    private readonly nint _stream;
    private readonly MemoryPool _pool;
    private readonly PinnedRing _ring;
    private readonly KernelModules _modules;
    private nint _timerStart;
    private nint _timerEnd;
    private bool _disposed;

    [ThreadStatic]
    private static nint _currentContext;

    internal CudaLauncher(ICudaDriver driver, int ordinal)
    {
        _driver = driver;
        _errors = new CudaErrors(driver, $"cuda:{ordinal}");
        Info = CudaDeviceInfo.Read(driver, ordinal);
        if (Info.Target is null)
        {
            throw new DeviceException(
                $"cuda:{ordinal}: {Info.Name} has compute capability {Info.Major}.{Info.Minor}, expected 8.0 or above");
        }

        _errors.Check(driver.DriverGetVersion(out var version), "cuDriverGetVersion");
        if (version < OldestDriver)
        {
            throw new DeviceException(
                $"cuda:{ordinal}: the driver supports CUDA {version / 1000}.{version % 1000 / 10}, expected 11.4 or above");
        }

        _errors.Check(driver.DeviceGet(out _device, ordinal), "cuDeviceGet");
        _errors.Check(driver.DevicePrimaryCtxRetain(out _context, _device), "cuDevicePrimaryCtxRetain");
        try
        {
            MakeCurrent();
            _errors.Check(driver.StreamCreate(out _stream), "cuStreamCreate");
            _ring = new PinnedRing(driver, _errors, _stream);
        }
        catch
        {
            _currentContext = 0;
            driver.DevicePrimaryCtxRelease(_device);
            throw;
        }

        _pool = new MemoryPool(AllocateFromDriver, address => _errors.Check(driver.MemFree(address), "cuMemFree"));
        _modules = new KernelModules(driver, _errors);
    }

    /// <summary>Opens a GPU.</summary>
    /// <param name="ordinal">As the driver counts them, after CUDA_VISIBLE_DEVICES.</param>
    /// <exception cref="DeviceException">No driver, no such GPU, too old a GPU or driver, or a failed call.</exception>
    public static CudaLauncher Open(int ordinal = 0) => new(CudaDriver.Open(), ordinal);

    /// <summary>Facts about the GPU.</summary>
    public CudaDeviceInfo Info { get; }

    /// <inheritdoc/>
    public string Name => "cuda";

    /// <inheritdoc/>
    public string Description => $"cuda:{Info.Ordinal}, {Info}";

    /// <inheritdoc/>
    public string Target => Info.Target!;

    /// <inheritdoc/>
    public int Multiprocessors => Info.Multiprocessors;

    /// <inheritdoc/>
    public int MaxSharedBytes => Info.MaxSharedBytes;

    /// <inheritdoc/>
    public long Allocate(long bytes)
    {
        MakeCurrent();
        var address = _pool.Allocate(bytes);
        if (address != 0)
        {
            return address;
        }

        _errors.Check(_driver.MemGetInfo(out var free, out var total), "cuMemGetInfo");
        throw new DeviceException(
            $"{_errors.Device}: out of memory, {bytes:N0} bytes asked, {(long)free:N0} of {(long)total:N0} bytes are free, this process uses {_pool.UsedBytes:N0}");
    }

    /// <inheritdoc/>
    public void Free(long address)
    {
        MakeCurrent();
        _pool.Free(address);
    }

    /// <inheritdoc/>
    public void Upload(ReadOnlySpan<byte> source, long address)
    {
        MakeCurrent();
        _ring.Upload(source, address);
    }

    /// <inheritdoc/>
    public void Download(long address, Span<byte> destination)
    {
        MakeCurrent();
        _ring.Download(address, destination);
    }

    /// <inheritdoc/>
    public void Copy(long source, long destination, long bytes)
    {
        MakeCurrent();
        _errors.Check(_driver.MemcpyDtoDAsync(destination, source, (nuint)bytes, _stream), "cuMemcpyDtoDAsync");
    }

    /// <inheritdoc/>
    public void Clear(long address, long bytes)
    {
        MakeCurrent();
        _errors.Check(_driver.MemsetD8Async(address, 0, (nuint)bytes, _stream), "cuMemsetD8Async");
    }

    /// <inheritdoc/>
    /// <remarks>Nothing is checked.</remarks>
    public void Forget(long address, long bytes)
    {
    }

    /// <inheritdoc/>
    public void Launch(KernelEntry entry, GridSize grid, int dynamicSharedBytes, ReadOnlySpan<byte> arguments)
    {
        MakeCurrent();
        var function = _modules.Function(entry, dynamicSharedBytes, Target, MaxSharedBytes);
        _errors.LastKernel = entry.Name;
        var result = _driver.LaunchKernel(function, grid, entry.GroupSize, dynamicSharedBytes, _stream, arguments);
        if (result != 0)
        {
            _errors.Check(result, "cuLaunchKernel", $"{entry.Name}, {grid.X} x {grid.Y} x {grid.Z} groups, {dynamicSharedBytes} dynamic shared bytes");
        }
    }

    /// <inheritdoc/>
    public void Synchronize()
    {
        MakeCurrent();
        _errors.Check(_driver.StreamSynchronize(_stream), "cuStreamSynchronize");
    }

    /// <inheritdoc/>
    public ILaunchGraph Capture(Action launches)
    {
        MakeCurrent();
        _errors.Check(_driver.StreamBeginCapture(_stream), "cuStreamBeginCapture");
        nint graph;
        try
        {
            launches();
        }
        catch
        {
            // The stream must leave capture mode; what went wrong is already on its way.
            if (_driver.StreamEndCapture(_stream, out graph) == 0 && graph != 0)
            {
                _errors.Check(_driver.GraphDestroy(graph), "cuGraphDestroy");
            }

            throw;
        }

        _errors.Check(_driver.StreamEndCapture(_stream, out graph), "cuStreamEndCapture");
        var result = _driver.GraphInstantiate(out var executable, graph);
        _errors.Check(_driver.GraphDestroy(graph), "cuGraphDestroy");
        _errors.Check(result, "cuGraphInstantiate");
        return new CudaGraph(this, executable);
    }

    /// <inheritdoc/>
    public double Measure(Action launches)
    {
        MakeCurrent();
        if (_timerStart == 0)
        {
            _errors.Check(_driver.EventCreate(out _timerStart, timing: true), "cuEventCreate");
            _errors.Check(_driver.EventCreate(out _timerEnd, timing: true), "cuEventCreate");
        }

        _errors.Check(_driver.EventRecord(_timerStart, _stream), "cuEventRecord");
        launches();
        _errors.Check(_driver.EventRecord(_timerEnd, _stream), "cuEventRecord");
        _errors.Check(_driver.EventSynchronize(_timerEnd), "cuEventSynchronize");
        _errors.Check(_driver.EventElapsedTime(out var milliseconds, _timerStart, _timerEnd), "cuEventElapsedTime");
        return milliseconds;
    }

    /// <summary>Registers per thread and local bytes of a kernel as the driver assembled it.</summary>
    public (int Registers, int LocalBytes) Resources(KernelEntry entry)
    {
        MakeCurrent();
        return _modules.Resources(entry, Target, MaxSharedBytes);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        try
        {
            // After a fault every call fails again: the process's end frees the rest.
            if (!_errors.Failed)
            {
                MakeCurrent();
                Synchronize();
                _modules.Release();
                _ring.Release();
                _pool.Release();
                foreach (var timer in new[] { _timerStart, _timerEnd })
                {
                    if (timer != 0)
                    {
                        _errors.Check(_driver.EventDestroy(timer), "cuEventDestroy");
                    }
                }

                _errors.Check(_driver.StreamDestroy(_stream), "cuStreamDestroy");
            }
        }
        finally
        {
            _currentContext = 0;
            _driver.DevicePrimaryCtxRelease(_device);
        }
    }

    private long AllocateFromDriver(long bytes)
    {
        var result = _driver.MemAlloc(out var address, (nuint)bytes);
        if (result == CudaErrors.OutOfMemory)
        {
            return 0;
        }

        _errors.Check(result, "cuMemAlloc", $"{bytes:N0} bytes");
        return address;
    }

    /// <summary>Driver calls act on the calling thread's context.</summary>
    private void MakeCurrent()
    {
        if (_currentContext != _context)
        {
            _errors.Check(_driver.CtxSetCurrent(_context), "cuCtxSetCurrent");
            _currentContext = _context;
        }
    }

    /// <summary>An instantiated graph.</summary>
    private sealed class CudaGraph(CudaLauncher launcher, nint executable) : ILaunchGraph
    {
        private nint _executable = executable;

        public void Launch()
        {
            ObjectDisposedException.ThrowIf(_executable == 0, this);
            launcher.MakeCurrent();
            launcher._errors.Check(launcher._driver.GraphLaunch(_executable, launcher._stream), "cuGraphLaunch");
        }

        public void Dispose()
        {
            if (_executable != 0 && !launcher._disposed && !launcher._errors.Failed)
            {
                launcher.MakeCurrent();
                launcher._errors.Check(launcher._driver.GraphExecDestroy(_executable), "cuGraphExecDestroy");
            }

            _executable = 0;
        }
    }
}
