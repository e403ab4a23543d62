// Embed on the GPU device.
// Its kernel is not there yet.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void Embed(RowBatch rows, Tensor table, double scale, Tensor destination) =>
        throw new NotSupportedException("Embed has no kernel");
}
