// GatherRows on the GPU device.
// Its kernel is not there yet.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void GatherRows(Tensor x, ReadOnlySpan<int> rowIndices, Tensor destination) =>
        throw new NotSupportedException("GatherRows has no kernel");
}
