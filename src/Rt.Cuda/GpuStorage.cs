// Device memory that tensors view.
using Rt.Core;

namespace Rt.Cuda;

/// <summary>A block of device memory, given back to its launcher when disposed.</summary>
public sealed class GpuStorage : Storage
{
    private readonly GpuDevice _device;
    private long _address;

    internal GpuStorage(GpuDevice device, long address, long byteLength)
    {
        _device = device;
        _address = address;
        ByteLength = byteLength;
    }

    /// <inheritdoc/>
    public override long ByteLength { get; }

    /// <summary>Address of the first byte.</summary>
    /// <exception cref="ObjectDisposedException">The memory was given back.</exception>
    public long Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(_address == 0, this);
            return _address;
        }
    }

    /// <summary>Whether the memory is this device's.</summary>
    internal bool IsOf(GpuDevice device) => _device == device;

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (_address != 0)
        {
            _device.Release(_address);
            _address = 0;
        }
    }
}
