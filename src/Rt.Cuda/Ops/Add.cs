// Add on the GPU device.
// Its kernel is not there yet.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void Add(Tensor x, Tensor y, Tensor destination) =>
        throw new NotSupportedException("Add has no kernel");
}
