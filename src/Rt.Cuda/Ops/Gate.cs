// Gate on the GPU device.
// Its kernel is not there yet.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void Gate(Tensor gate, Tensor up, Activation activation, Tensor destination) =>
        throw new NotSupportedException("Gate has no kernel");
}
