// The folder of a run: its manifest, and a file per finished unit, so that a run resumes and shards merge.
using Rt.Core;
using Rt.Formats;

namespace Rt.Eval;

/// <summary>Reads and writes a run's folder.</summary>
public sealed class RunFolder
{
    private const string ManifestFile = "run.json";
    private const string UnitsFolder = "units";
    private const string VectorEnding = ".vectors.safetensors";
    private const string VectorTensor = "task_vectors";

    private RunFolder(string path, RunManifest manifest)
    {
        Path = path;
        Manifest = manifest;
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>What the run is.</summary>
    public RunManifest Manifest { get; }

    /// <summary>Opens the folder of a run, making it where it is not there.</summary>
    /// <exception cref="UsageException">It holds another run.</exception>
    /// <exception cref="BadFileException">It cannot be written, or what it holds is malformed.</exception>
    public static RunFolder Create(string path, RunManifest manifest)
    {
        var file = System.IO.Path.Combine(path, ManifestFile);
        if (File.Exists(file) && ReadManifest(file) is var known && known.Fingerprint != manifest.Fingerprint)
        {
            throw new UsageException($"{path} holds another run ({Difference(known, manifest)}): name another folder");
        }

        try
        {
            Directory.CreateDirectory(System.IO.Path.Combine(path, UnitsFolder));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadFileException(path, $"cannot be made a folder of a run: {e.Message}", e);
        }

        EvalJson.Write(file, manifest);
        return new RunFolder(path, manifest);
    }

    /// <summary>Opens the folder of a run that is there.</summary>
    /// <exception cref="BadFileException">It is none.</exception>
    public static RunFolder Open(string path)
    {
        var file = System.IO.Path.Combine(path, ManifestFile);
        return File.Exists(file)
            ? new RunFolder(path, ReadManifest(file))
            : throw new BadFileException(path, $"expected a folder that rt eval -o made, found no {ManifestFile} in it");
    }

    /// <summary>Whether a unit is finished.</summary>
    public bool Has(string unit) => File.Exists(UnitFile(unit));

    /// <summary>Keeps a finished unit; the record is written last, so that a unit is there in full or not at all.</summary>
    public void Write(UnitRecord record)
    {
        if (record.Vectors.Length > 0)
        {
            var (layers, hidden) = (record.Vectors[0].Length, record.Vectors[0][0].Length);
            var writer = new SafetensorsWriter();
            writer.SetMetadata("unit", record.Id);
            writer.SetMetadata("fingerprint", record.Fingerprint);
            writer.Add<float>(
                VectorTensor, DType.F32, [record.Vectors.Length, layers, hidden], record.Vectors.SelectMany(set => set.SelectMany(layer => layer)).ToArray());
            writer.Write(VectorFile(record.Id));
        }

        EvalJson.Write(UnitFile(record.Id), record);
    }

    /// <summary>Reads a finished unit.</summary>
    /// <exception cref="BadFileException">Missing, malformed, or of another run.</exception>
    public UnitRecord Read(string unit)
    {
        var record = EvalJson.Read<UnitRecord>(UnitFile(unit));
        if (record.Id != unit || record.Fingerprint != Manifest.Fingerprint)
        {
            throw new BadFileException(UnitFile(unit), $"expected unit {unit} of this run, found unit {record.Id} of another");
        }

        CheckShape(record);
        CheckLayers(record);
        return record.TopTokens.Count == 0 ? record : record with { Vectors = ReadVectors(record) };
    }

    private float[][][] ReadVectors(UnitRecord record)
    {
        using var file = SafetensorsFile.Open(VectorFile(record.Id));
        var entry = file.Entry(VectorTensor);
        if (entry.DType != DType.F32 || entry.Shape.Length != 3 || entry.Shape[0] != record.Sets.Count || entry.Shape[1] != record.TopTokens.Count)
        {
            throw new BadFileException(
                file.Path, $"tensor '{VectorTensor}': expected F32 [{record.Sets.Count}, {record.TopTokens.Count}, hidden], found {entry.DType} [{string.Join(", ", entry.Shape)}]");
        }

        var hidden = (int)entry.Shape[2];
        var vectors = new float[record.Sets.Count][][];
        for (var set = 0; set < vectors.Length; set++)
        {
            vectors[set] = new float[record.TopTokens.Count][];
            for (var layer = 0; layer < vectors[set].Length; layer++)
            {
                var start = 4L * hidden * (set * vectors[set].Length + layer);
                vectors[set][layer] = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(file.Bytes(VectorTensor, start, 4 * hidden)).ToArray();
            }
        }

        return vectors;
    }

    private void CheckShape(UnitRecord record)
    {
        foreach (var measurement in record.Measurements)
        {
            var points = measurement.At.Count;
            var sound = measurement.Correct.Count == points && measurement.Predictions.Count == points && measurement.Tokens.Count == points
                && (measurement.Milliseconds.Count == points || measurement.Milliseconds.Count == 0)
                && (measurement.CorrectOther.Count == points || measurement.CorrectOther.Count == 0)
                && measurement.Correct.All(bits => bits.Length == record.TestCount || bits.Length == record.TestCount + record.DevCount)
                && measurement.CorrectOther.All(bits => bits.Length >= record.TestCount)
                && measurement.Predictions.Zip(measurement.Correct).All(pair => pair.First.Count == pair.Second.Length);
            if (!sound || points == 0)
            {
                throw new BadFileException(UnitFile(record.Id), $"measurement '{measurement.Method}': expected {record.TestCount} answers at each of its points, found others");
            }
        }
    }

    /// <summary>Norms and top tokens of every layer, where there are any.</summary>
    private void CheckLayers(UnitRecord record)
    {
        var layers = Manifest.Model.Layers;
        var sound = record.Sets.Count > 0 && record.KeyGradientNorms.Count == record.ValueGradientNorms.Count
            && record.KeyGradientNorms.Concat(record.ValueGradientNorms).All(step => step.Length == layers)
            && (record.TopTokens.Count == 0 || record.TopTokens.Count == layers);
        if (!sound)
        {
            throw new BadFileException(UnitFile(record.Id), $"expected sets, and norms and tokens of {layers} layers, found others");
        }
    }

    private static RunManifest ReadManifest(string file)
    {
        var manifest = EvalJson.Read<RunManifest>(file);
        return manifest.Format == RunManifest.CurrentFormat
            ? manifest
            : throw new BadFileException(file, $"field 'format': expected {RunManifest.CurrentFormat}, found '{manifest.Format}'");
    }

    private static string Difference(RunManifest known, RunManifest wanted)
    {
        if (known.Model.Identity != wanted.Model.Identity)
        {
            return $"of model {known.Model.Name}";
        }

        return EvalJson.Text(known.Settings) != EvalJson.Text(wanted.Settings) ? "with other settings" : "of other tasks, draws or on another device";
    }

    private string UnitFile(string unit) => System.IO.Path.Combine(Path, UnitsFolder, $"{unit}.json");

    private string VectorFile(string unit) => System.IO.Path.Combine(Path, UnitsFolder, unit + VectorEnding);
}
