// The head: log-probabilities of chosen tokens, and the norms and activations around matmuls.
using Rt.Core;
using Rt.Cpu;

namespace Rt.Bench;

internal static class HeadProbe
{
    public static void Run(CpuDevice device)
    {
        const int Hidden = 768;
        const int Vocabulary = 50257;
        var weight = Probe.Random(DType.F32, 1, Vocabulary, Hidden);
        var head = new Linear(new LinearPart(weight, null, false));
        foreach (var rows in (int[])[1, 16, 64, 256])
        {
            var x = Probe.Random(DType.F32, 1, rows, Hidden);
            var targets = new TokenTarget[rows];
            for (var i = 0; i < rows; i++)
            {
                targets[i] = new TokenTarget(i, i * 97);
            }

            var values = new double[rows];
            var time = Probe.Time(() => device.LogProbabilities(x, head, 0, targets, values));
            Probe.Report($"head: log-probabilities of {rows} rows", time, 2.0 * rows * Hidden * Vocabulary, "GFLOP/s");
            x.Storage.Dispose();
        }

        weight.Storage.Dispose();
        var y = Probe.Random(DType.F32, 1, 512, 3072);
        var norm = new Norm(NormKind.Layer, Probe.Random(DType.F32, 1, 1, 3072), Probe.Random(DType.F32, 1, 1, 3072), 1e-5);
        foreach (var activation in Enum.GetValues<Activation>())
        {
            Probe.Report($"head: {activation} of 512 x 3072", Probe.Time(() => device.Activate(y, activation, y)), (double)y.Count, "Gelement/s");
        }

        Probe.Report("head: layer norm of 512 x 3072", Probe.Time(() => device.Normalize(y, norm, y)), (double)y.Count, "Gelement/s");
        y.Storage.Dispose();
    }
}
