// MatMul on the GPU device.
// Its kernel is not there yet.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void MatMul(Tensor x, Linear linear, bool accumulate, Tensor destination) =>
        throw new NotSupportedException("MatMul has no kernel");
}
