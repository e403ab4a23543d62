// Reading of a reference case's expected.json and tensor files.
using System.Text.Json;
using Rt.Core;
using Rt.Formats;

namespace Rt.Conformance.Cases;

/// <summary>A tensor file of a case; complaints name file and tensor.</summary>
internal sealed class Expected(string path) : IDisposable
{
    private readonly SafetensorsFile _file = SafetensorsFile.Open(path);

    public IEnumerable<string> Names => _file.Entries.Keys;

    public bool Has(string name) => _file.Entries.ContainsKey(name);

    public long[] Shape(string name) => _file.Entry(name).Shape;

    /// <summary>All numbers of a floating tensor, row-major.</summary>
    public double[] Numbers(string name) => _file.Entry(name).DType.IsWeight()
        ? _file.Tensor(name).ToArray()
        : throw new BadFileException(path, $"tensor {name}: expected a floating dtype, found {_file.Entry(name).DType}");

    /// <summary>A matrix by rows: the last axis is the row.</summary>
    public double[][] Rows(string name) => Numbers(name) is { Length: > 0 } values
        ? [.. values.Chunk((int)Shape(name)[^1])]
        : [];

    /// <summary>Token ids of an I64 tensor.</summary>
    public int[] Ids(string name) => _file.Entry(name).DType == DType.I64
        ? [.. _file.Tensor(name).HostSpan<long>().ToArray().Select(id => checked((int)id))]
        : throw new BadFileException(path, $"tensor {name}: expected I64, found {_file.Entry(name).DType}");

    /// <summary>Rows of an I64 matrix.</summary>
    public int[][] IdRows(string name) => [.. Ids(name).Chunk((int)Shape(name)[^1])];

    public void Dispose() => _file.Dispose();
}

/// <summary>What expected.json says.</summary>
internal static class CaseJson
{
    /// <summary>A copy of the parsed file, free of its document.</summary>
    public static JsonElement Read(string folder, string name = "expected.json", long maxBytes = 64 << 20)
    {
        using var json = JsonFile.Read(Path.Combine(folder, name), maxBytes);
        return json.RootElement.Clone();
    }

    /// <summary>The tolerance of a case for a device: float64 devices must agree to rounding of the stored F32 values, others within
    /// <c>suggested_abs_tolerance</c>, or eight times what the original implementation itself loses in F32, which is how that is made.</summary>
    public static double Tolerance(IDevice device, JsonElement json) => device.ActivationType == DType.F64
        ? Float64Tolerance
        : json.TryGetProperty("suggested_abs_tolerance", out var suggested)
            ? suggested.GetDouble()
            : 8 * Largest(json.GetProperty("float32_vs_float64_max_abs"));

    /// <summary>What storing the expected values in F32 costs, with room for values near 10.</summary>
    private const double Float64Tolerance = 2e-6;

    private static double Largest(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Number => element.GetDouble(),
        JsonValueKind.Object => element.EnumerateObject().Select(property => Largest(property.Value)).DefaultIfEmpty(0).Max(),
        _ => 0,
    };
}
