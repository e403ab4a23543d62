// Device memory kept for reuse: allocation from the driver waits for the device, from here it does not.
// Size classes: eight per doubling, so that at most an eighth of a block is wasted.
namespace Rt.Cuda.Driver;

/// <summary>Blocks by size class. A block given back may be handed out at once, because work on the one stream is done in order.</summary>
/// <param name="allocate">Asks the driver; 0 where it has no memory left.</param>
/// <param name="free">Gives a block back to the driver.</param>
internal sealed class MemoryPool(Func<long, long> allocate, Action<long> free)
{
    private const long Alignment = 256;
    private const long LargeBlock = 64L << 20;
    private const long LargeStep = 2L << 20;

    private readonly Dictionary<long, long> _sizes = [];
    private readonly Dictionary<long, Stack<long>> _cached = [];

    /// <summary>Bytes in use.</summary>
    public long UsedBytes { get; private set; }

    /// <summary>Bytes held for reuse.</summary>
    public long CachedBytes { get; private set; }

    /// <summary>Bytes of the block that an allocation gets.</summary>
    public static long SizeClass(long bytes)
    {
        bytes = Math.Max(bytes, Alignment);
        var step = bytes >= LargeBlock ? LargeStep : Math.Max(Alignment, (long)(System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)bytes) / 16));
        return (bytes + step - 1) / step * step;
    }

    /// <summary>A block of at least that many bytes, or 0 where the device has none even after the kept blocks were given back.</summary>
    public long Allocate(long bytes)
    {
        var size = SizeClass(bytes);
        if (_cached.TryGetValue(size, out var blocks) && blocks.TryPop(out var address))
        {
            CachedBytes -= size;
        }
        else
        {
            address = allocate(size);
            if (address == 0 && CachedBytes > 0)
            {
                Trim();
                address = allocate(size);
            }

            if (address == 0)
            {
                return 0;
            }

            _sizes.Add(address, size);
        }

        UsedBytes += size;
        return address;
    }

    /// <summary>Keeps a block for reuse.</summary>
    public void Free(long address)
    {
        var size = _sizes[address];
        if (!_cached.TryGetValue(size, out var blocks))
        {
            _cached.Add(size, blocks = new Stack<long>());
        }

        blocks.Push(address);
        UsedBytes -= size;
        CachedBytes += size;
    }

    /// <summary>Gives the kept blocks back to the driver.</summary>
    public void Trim()
    {
        foreach (var (_, blocks) in _cached)
        {
            while (blocks.TryPop(out var address))
            {
                _sizes.Remove(address);
                free(address);
            }
        }

        CachedBytes = 0;
    }

    /// <summary>Gives everything back to the driver, blocks in use too.</summary>
    public void Release()
    {
        foreach (var address in _sizes.Keys)
        {
            free(address);
        }

        _sizes.Clear();
        _cached.Clear();
        UsedBytes = CachedBytes = 0;
    }
}
