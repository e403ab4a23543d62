// AddPositions on the GPU device.
// Its kernel is not there yet.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void AddPositions(RowBatch rows, Tensor table, int offset, Tensor destination) =>
        throw new NotSupportedException("AddPositions has no kernel");
}
