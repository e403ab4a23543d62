// Normalize on the GPU device.
// Its kernel is not there yet.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void Normalize(Tensor x, Norm norm, Tensor destination) =>
        throw new NotSupportedException("Normalize has no kernel");
}
