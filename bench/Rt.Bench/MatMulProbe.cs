// MatMul from one row to many, in both layouts and all weight dtypes: GFLOP/s, and GB/s of weights where that is the limit.
using Rt.Core;
using Rt.Cpu;

namespace Rt.Bench;

internal static class MatMulProbe
{
    public static void Run(CpuDevice device)
    {
        foreach (var (width, outputs) in ((int, int)[])[(2048, 2048), (768, 3072)])
        {
            foreach (var type in (DType[])[DType.F32, DType.BF16, DType.F16])
            {
                foreach (var inputMajor in (bool[])[false, true])
                {
                    var weight = inputMajor ? Probe.Random(type, 1, width, outputs) : Probe.Random(type, 1, outputs, width);
                    var linear = new Linear(new LinearPart(weight, null, inputMajor));
                    foreach (var rows in (int[])[2, 4, 8, 16, 24, 32, 40, 64, 128, 512])
                    {
                        var x = Probe.Random(DType.F32, 1, rows, width);
                        var y = device.Allocate(DType.F32, 1, rows, outputs);
                        var time = Probe.Time(() => device.MatMul(x, linear, false, y), 0.3);
                        Probe.Report(
                            $"matmul: {type} {(inputMajor ? "[in, out]" : "[out, in]")} {width}->{outputs}, {rows} rows",
                            time, 2.0 * rows * width * outputs, "GFLOP/s");
                        x.Storage.Dispose();
                        y.Storage.Dispose();
                    }

                    weight.Storage.Dispose();
                }
            }
        }
    }
}

/// <summary>One row by weights larger than the caches: the rate of decoding.</summary>
internal static class MatVecProbe
{
    public static void Run(CpuDevice device)
    {
        const int Matrices = 24;
        foreach (var (width, outputs) in ((int, int)[])[(2048, 5632), (768, 3072)])
        {
            foreach (var type in (DType[])[DType.F32, DType.BF16, DType.F16])
            {
                foreach (var inputMajor in (bool[])[false, true])
                {
                    // Several matrices one after the other, as layers are, so that none is in the cache when it is read.
                    var linears = new Linear[Matrices];
                    var shared = Probe.Random(type, Matrices, inputMajor ? width : outputs, inputMajor ? outputs : width);
                    for (var i = 0; i < Matrices; i++)
                    {
                        linears[i] = new Linear(new LinearPart(shared.Slice(i, 1), null, inputMajor));
                    }

                    foreach (var rows in (int[])[1, 2, 4])
                    {
                        var x = Probe.Random(DType.F32, 1, rows, width);
                        var y = device.Allocate(DType.F32, 1, rows, outputs);
                        var time = Probe.Time(() =>
                        {
                            foreach (var linear in linears)
                            {
                                device.MatMul(x, linear, false, y);
                            }
                        });
                        Probe.Report(
                            $"matvec: {type} {(inputMajor ? "[in, out]" : "[out, in]")} {width}->{outputs} x {Matrices}, {rows} rows",
                            time, (double)Matrices * width * outputs * type.Bytes(), "GB/s");
                        x.Storage.Dispose();
                        y.Storage.Dispose();
                    }

                    shared.Storage.Dispose();
                }
            }
        }
    }
}
