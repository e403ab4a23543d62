// Copy on the GPU device.
// Its kernel is not there yet.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void Copy(Tensor source, Tensor destination) =>
        throw new NotSupportedException("Copy has no kernel");
}
