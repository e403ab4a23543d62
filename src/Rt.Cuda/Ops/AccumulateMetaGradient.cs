// AccumulateMetaGradient on the GPU device.
// Its kernel is not there yet.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void AccumulateMetaGradient(
        KvLayer current, KvLayer kept, KvLayer velocity, in MetaGradientStep step, Tensor? squaredNorms, KvLayer? copy = null) =>
        throw new NotSupportedException("AccumulateMetaGradient has no kernel");
}
