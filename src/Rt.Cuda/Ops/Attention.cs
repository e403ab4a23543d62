// Attention on the GPU device.
// Its kernel is not there yet.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void Attention(Tensor query, RowBatch rows, int layer, in AttentionOptions options, Tensor destination) =>
        throw new NotSupportedException("Attention has no kernel");
}
