// ArgMax on the GPU device.
// Its kernel is not there yet.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void ArgMax(Tensor x, Span<int> indices) =>
        throw new NotSupportedException("ArgMax has no kernel");
}
