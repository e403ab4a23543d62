// Activate on the GPU device.
// Its kernel is not there yet.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void Activate(Tensor x, Activation activation, Tensor destination) =>
        throw new NotSupportedException("Activate has no kernel");
}
