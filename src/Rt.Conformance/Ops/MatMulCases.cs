// Cases of MatMul: every weight dtype and layout, row counts across all forms, every tail, parts, biases, strides, unaligned weights.
using Rt.Core;

namespace Rt.Conformance.Ops;

internal static class MatMulCases
{
    private static readonly DType[] Types = [DType.F32, DType.F16, DType.BF16];

    private static readonly int[] Rows = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 25, 33, 48, 64, 130];

    private static readonly (int In, int Out)[] Shapes =
    [
        (1, 1), (3, 5), (16, 16), (17, 33), (64, 48), (65, 130), (127, 31), (128, 8), (257, 19), (300, 100), (12, 65), (520, 7), (1100, 3),
    ];

    /// <summary>Rows that are read another way than short ones where there is a single row of x.</summary>
    private static readonly (int In, int Out)[] LongShapes = [(2320, 66), (2611, 71), (4100, 3)];

    public static IEnumerable<ConformanceCase> All()
    {
        var turn = 0;
        foreach (var type in Types)
        {
            foreach (var inputMajor in (bool[])[false, true])
            {
                foreach (var rows in Rows)
                {
                    var start = turn++;
                    yield return new ConformanceCase($"MatMul/{type}/{Layout(inputMajor)}/{rows} rows", bench =>
                    {
                        for (var i = 0; i < 5; i++)
                        {
                            var (width, outputs) = Shapes[(start * 5 + i) % Shapes.Length];
                            Run(bench, type, inputMajor, rows, width, outputs, start + i);
                        }
                    });
                }
            }
        }

        foreach (var type in Types)
        {
            yield return new ConformanceCase($"MatMul/{type}/{Layout(false)}/single row of every shape", bench =>
            {
                foreach (var (width, outputs) in Shapes.Concat(LongShapes))
                {
                    Run(bench, type, false, 1, width, outputs, width + outputs);
                }
            });
        }

        foreach (var inputMajor in (bool[])[false, true])
        {
            yield return new ConformanceCase($"MatMul/F32/{Layout(inputMajor)}/500 rows", bench =>
                Run(bench, DType.F32, inputMajor, 500, 40, 70, 1));
            yield return new ConformanceCase($"MatMul/F16/{Layout(inputMajor)}/subnormal weights", bench =>
            {
                // Half of these weights lie below the smallest normal F16, 2^-14.
                var weight = inputMajor ? bench.Weight(DType.F16, 70, 40, 6e-5) : bench.Weight(DType.F16, 40, 70, 6e-5);
                foreach (var rows in (int[])[1, 5, 40])
                {
                    var x = bench.Activations(1, rows, 70, 100);
                    var destination = bench.Zeros(1, rows, 40);
                    bench.Device.MatMul(x, new Linear(new LinearPart(weight, null, inputMajor)), false, destination);
                    bench.Report($"{rows} rows", "MatMul", destination);
                }
            });
        }

        foreach (var activation in Enum.GetValues<Activation>())
        {
            yield return new ConformanceCase($"MatMulActivate/{activation}", bench =>
            {
                foreach (var (rows, width, outputs) in ((int, int, int)[])[(1, 48, 24), (3, 65, 19), (12, 520, 72), (40, 72, 40)])
                {
                    Feed(bench, activation, rows, width, outputs, rows % 2 == 1);
                }
            });
        }

        yield return new ConformanceCase("MatMul/mixed parts", bench =>
        {
            foreach (var rows in (int[])[1, 3, 20, 50])
            {
                var linear = new Linear(
                    new LinearPart(bench.Weight(DType.BF16, 33, 70, 0.1, 1), bench.Weight(DType.F32, 1, 33, 1), false),
                    new LinearPart(bench.Weight(DType.F32, 70, 17, 0.1, 1), null, true),
                    new LinearPart(bench.Weight(DType.F16, 9, 70, 0.1, 1), bench.Weight(DType.F16, 1, 9, 1), false));
                var x = bench.Activations(1, rows, 70);
                var destination = bench.Zeros(1, rows, 59);
                bench.Device.MatMul(x, linear, false, destination);
                bench.Report($"{rows} rows", "MatMul", destination);
            }
        });
    }

    private static string Layout(bool inputMajor) => inputMajor ? "[in, out]" : "[out, in]";

    /// <summary>One product; the bits of <paramref name="variant"/> choose bias, parts, accumulation, strides and alignment.</summary>
    private static void Run(
        ConformanceBench bench, DType type, bool inputMajor, int rows, int width, int outputs, int variant)
    {
        var bias = (variant & 1) != 0;
        var accumulate = (variant & 2) != 0;
        var offset = (variant & 4) != 0 ? 1 : 0;
        var gap = (variant & 8) != 0 ? 5 : 0;
        var count = 1 + variant % 3;
        var parts = new LinearPart[count];
        for (var p = 0; p < count; p++)
        {
            var scale = 1 / Math.Sqrt(width);
            parts[p] = new LinearPart(
                inputMajor ? bench.Weight(type, width, outputs, scale, offset) : bench.Weight(type, outputs, width, scale, offset),
                bias ? bench.Weight(type, 1, outputs, 1, offset) : null,
                inputMajor);
        }

        var linear = new Linear(parts);
        var x = bench.StridedRows(rows, width, gap);
        var destination = bench.StridedRows(rows, linear.Out, gap);
        bench.Device.MatMul(x, linear, accumulate, destination);
        bench.Report($"in {width}, out {outputs} x {count}, variant {variant % 16}", "MatMul", destination);
    }

    /// <summary>The first half of feed-forwards: plain, gated in two parts, gated in one part of either layout, gated in parts of two dtypes.</summary>
    private static void Feed(ConformanceBench bench, Activation activation, int rows, int width, int outputs, bool biased)
    {
        var x = bench.StridedRows(rows, width, gap: 3);
        Run("plain", false, Part(DType.BF16, outputs, false));
        Run("two parts", true, Part(DType.F16, outputs, false), Part(DType.F16, outputs, false));
        Run("one part", true, Part(DType.BF16, 2 * outputs, false));
        Run("one part [in, out]", true, Part(DType.F32, 2 * outputs, true));
        Run("two dtypes", true, Part(DType.F32, outputs, false), Part(DType.BF16, outputs, false));

        LinearPart Part(DType type, int count, bool inputMajor)
        {
            var scale = 1 / Math.Sqrt(width);
            return new LinearPart(
                inputMajor ? bench.Weight(type, width, count, scale) : bench.Weight(type, count, width, scale),
                biased ? bench.Weight(DType.F32, 1, count, 0.5) : null, inputMajor);
        }

        void Run(string name, bool gated, params LinearPart[] parts)
        {
            var linear = new Linear(parts);
            var inner = bench.Zeros(1, rows, linear.Out);
            bench.Device.MatMulActivate(x, linear, activation, gated, inner);
            bench.Report(
                $"{rows} rows, in {width}, out {outputs}, {name}", "MatMulActivate", inner.SliceColumns(0, gated ? linear.Out / 2 : linear.Out));
        }
    }
}
