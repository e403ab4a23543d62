// SoftCap on the GPU device.
// Its kernel is not there yet.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void SoftCap(Tensor x, double cap) =>
        throw new NotSupportedException("SoftCap has no kernel");
}
