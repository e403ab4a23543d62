// PatchRows on the GPU device.
// Its kernel is not there yet.
using Rt.Core;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <inheritdoc/>
    public void PatchRows(Tensor x, ReadOnlySpan<int> rowIndices, Tensor vectors, PatchMode mode, double scale) =>
        throw new NotSupportedException("PatchRows has no kernel");
}
