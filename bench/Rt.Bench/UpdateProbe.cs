// The meta-gradient update of all layers of a model: five streams of F32.
using Rt.Core;
using Rt.Cpu;

namespace Rt.Bench;

internal static class UpdateProbe
{
    public static void Run(CpuDevice device)
    {
        foreach (var (layers, kvHeads, length, headDim) in ((int, int, int, int)[])[(12, 12, 448, 64), (22, 4, 512, 64)])
        {
            using var current = new KvCache(device, layers, 1, kvHeads, length, headDim, shareLayers: true);
            using var kept = new KvCache(device, layers, 1, kvHeads, length, headDim);
            using var velocity = new KvCache(device, layers, 1, kvHeads, length, headDim);
            var norms = device.Allocate(DType.F64, 1, 1, 2);
            foreach (var precision in (DType[])[DType.F32, DType.BF16, DType.F16])
            {
                var step = new MetaGradientStep(0.01, 0.9, precision);
                foreach (var wanted in (Tensor?[])[null, norms])
                {
                    var time = Probe.Time(() =>
                    {
                        for (var layer = 0; layer < layers; layer++)
                        {
                            device.AccumulateMetaGradient(current[layer], kept[layer], velocity[layer], step, wanted);
                        }
                    });
                    Probe.Report(
                        $"update: {layers} x {kvHeads} x {length} x {headDim} in {precision}{(wanted is null ? "" : ", norms")}",
                        time, 2.0 * 5 * sizeof(float) * layers * kvHeads * length * headDim, "GB/s");
                }
            }

            norms.Storage.Dispose();
        }
    }
}
