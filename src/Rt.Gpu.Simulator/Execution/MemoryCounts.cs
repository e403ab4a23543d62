// What a worker counts about memory while it runs.
namespace Rt.Gpu.Simulator.Execution;

internal struct MemoryCounts
{
    public long LoadRequests;
    public long LoadSectors;
    public long LoadIdealSectors;
    public long LoadBytes;
    public long StoreRequests;
    public long StoreSectors;
    public long StoreIdealSectors;
    public long StoreBytes;
    public long AtomicRequests;
    public long SharedRequests;
    public long SharedWavefronts;
    public long SharedConflicts;
    public long AsyncBytes;

    public void Add(in MemoryCounts other)
    {
        LoadRequests += other.LoadRequests;
        LoadSectors += other.LoadSectors;
        LoadIdealSectors += other.LoadIdealSectors;
        LoadBytes += other.LoadBytes;
        StoreRequests += other.StoreRequests;
        StoreSectors += other.StoreSectors;
        StoreIdealSectors += other.StoreIdealSectors;
        StoreBytes += other.StoreBytes;
        AtomicRequests += other.AtomicRequests;
        SharedRequests += other.SharedRequests;
        SharedWavefronts += other.SharedWavefronts;
        SharedConflicts += other.SharedConflicts;
        AsyncBytes += other.AsyncBytes;
    }
}
