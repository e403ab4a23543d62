// Numbers as people read them, the same in every culture.
using System.Globalization;

namespace Rt.Cli.Output;

/// <summary>Formats numbers.</summary>
internal static class Text
{
    /// <summary>Bytes with a unit; GB = 1e9 bytes.</summary>
    public static string Bytes(long bytes) => bytes switch
    {
        >= 1_000_000_000 => $"{Format(bytes / 1e9, "0.00")} GB",
        >= 1_000_000 => $"{Format(bytes / 1e6, "0.0")} MB",
        >= 1_000 => $"{Format(bytes / 1e3, "0.0")} kB",
        _ => $"{Format(bytes, "0")} B",
    };

    /// <summary>Seconds as a duration.</summary>
    public static string Duration(double seconds) => seconds switch
    {
        double.NaN or > 360_000 => "long",
        >= 3600 => $"{Format(Math.Floor(seconds / 3600), "0")} h {Format(Math.Floor(seconds % 3600 / 60), "0")} min",
        >= 60 => $"{Format(Math.Floor(seconds / 60), "0")} min {Format(Math.Floor(seconds % 60), "0")} s",
        >= 1 => $"{Format(seconds, "0.0")} s",
        _ => $"{Format(seconds * 1000, "0.0")} ms",
    };

    /// <summary>Four significant digits.</summary>
    public static string Number(double value) => value == 0 ? "0" : value.ToString("G4", CultureInfo.InvariantCulture);

    /// <summary>A fixed number of decimals.</summary>
    public static string Fixed(double value, int decimals) => value.ToString($"F{decimals}", CultureInfo.InvariantCulture);

    /// <summary>A value with its standard error.</summary>
    public static string Accuracy(Eval.Accuracy accuracy) => double.IsNaN(accuracy.StandardError)
        ? Fixed(accuracy.Value, 4)
        : $"{Fixed(accuracy.Value, 4)} ± {Fixed(accuracy.StandardError, 4)}";

    private static string Format(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
