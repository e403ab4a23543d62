// Cases of Activate, Gate, Add and SoftCap: every tail, in place and not, and numbers far out.
using Rt.Core;

namespace Rt.Conformance.Ops;

internal static class ElementwiseCases
{
    /// <summary>Where elementary functions are likely to go wrong: zeros, the smallest, around switches between formulas, far out.</summary>
    private static readonly double[] Corners =
    [
        0, -0.0, 1e-30, -1e-30, 1e-4, -1e-4, 0.3, -0.3, 0.6249, 0.6251, -0.6249, -0.6251, 1, -1, 2.5, -2.5, 5, -5, 8.5, -8.5,
        12, -12, 14.8, -14.9, 20, -20, 50, -50, 87, -87, 88.7, -88.7, 89, -89, 103, -103, 110, -110, 1e4, -1e4,
    ];

    public static IEnumerable<ConformanceCase> All()
    {
        foreach (var activation in Enum.GetValues<Activation>())
        {
            yield return new ConformanceCase($"Activate/{activation}/widths", bench =>
            {
                foreach (var width in OpConformance.Widths)
                {
                    var x = bench.StridedRows(3, width, gap: 3, scale: 2);
                    var destination = bench.StridedRows(3, width, gap: 1);
                    bench.Device.Activate(x, activation, destination);
                    bench.Report($"width {width}", "Activate", destination);
                    bench.Device.Activate(x, activation, x);
                    bench.Report($"width {width} in place", "Activate", x);
                }
            });
            yield return new ConformanceCase($"Activate/{activation}/corners", bench =>
            {
                var x = bench.Zeros(1, 1, Corners.Length);
                bench.Fill(x, [.. Corners]);
                bench.Device.Activate(x, activation, x);
                bench.Report("corners", "Activate", x);
            });
            yield return new ConformanceCase($"Gate/{activation}/widths", bench =>
            {
                foreach (var width in OpConformance.Widths)
                {
                    // Gate and up side by side, as fused projections leave them; the result over the gate.
                    var fused = bench.Activations(1, 3, 2 * width, scale: 2);
                    var gate = fused.SliceColumns(0, width);
                    bench.Device.Gate(gate, fused.SliceColumns(width, width), activation, gate);
                    bench.Report($"width {width}", "Gate", fused);
                }
            });
        }

        yield return new ConformanceCase("Add/widths", bench =>
        {
            foreach (var width in OpConformance.Widths)
            {
                var x = bench.StridedRows(3, width, gap: 2);
                var y = bench.StridedRows(3, width, gap: 5);
                bench.Device.Add(x, y, y);
                bench.Report($"width {width}", "Add", y);
            }
        });
        yield return new ConformanceCase("Add/many rows", bench =>
        {
            var x = bench.Activations(1, 130, 257);
            bench.Device.Add(x, x, x);
            bench.Report("sum", "Add", x);
        });
        foreach (var cap in (double[])[1, 30, 50])
        {
            yield return new ConformanceCase($"SoftCap/{cap}", bench =>
            {
                foreach (var width in OpConformance.Widths)
                {
                    var x = bench.StridedRows(2, width, gap: 2, scale: 2 * cap);
                    bench.Device.SoftCap(x, cap);
                    bench.Report($"width {width}", "SoftCap", x);
                }

                var corners = bench.Zeros(1, 1, Corners.Length);
                bench.Fill(corners, Array.ConvertAll(Corners, c => cap * c));
                bench.Device.SoftCap(corners, cap);
                bench.Report("corners", "SoftCap", corners);
            });
        }
    }
}
