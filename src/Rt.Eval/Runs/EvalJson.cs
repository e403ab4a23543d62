// JSON forms of records: snake_case, the same bytes for the same values.
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Rt.Core;
using Rt.Formats;

namespace Rt.Eval;

/// <summary>Reads and writes records.</summary>
internal static class EvalJson
{
    private const long MaxBytes = 1L << 30;

    private static readonly EvalJsonContext Context = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        RespectNullableAnnotations = true,
        AllowDuplicateProperties = false,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter<DrawKind>(), new JsonStringEnumConverter<Model.PositionsMode>(), new JsonStringEnumConverter<Model.StepChoice>() },
    });

    /// <summary>A value as text.</summary>
    public static string Text<T>(T value) => JsonSerializer.Serialize(value, Info<T>());

    /// <summary>Writes a value as a file, by a temporary one beside it.</summary>
    /// <exception cref="BadFileException">The file cannot be written.</exception>
    public static void Write<T>(string path, T value) => AtomicFile.Write(path, stream => JsonSerializer.Serialize(stream, value, Info<T>()));

    /// <summary>Reads a file.</summary>
    /// <exception cref="BadFileException">Missing, or not such a file.</exception>
    public static T Read<T>(string path)
    {
        var bytes = JsonFile.ReadBytes(path, MaxBytes);
        try
        {
            return JsonSerializer.Deserialize(bytes, Info<T>()) ?? throw new BadFileException(path, "expected an object, found null");
        }
        catch (JsonException e)
        {
            throw new BadFileException(path, $"not what is expected here: {e.Message}", e);
        }
    }

    private static JsonTypeInfo<T> Info<T>() => (JsonTypeInfo<T>)Context.GetTypeInfo(typeof(T))!;
}

[JsonSerializable(typeof(EvalSettings))]
[JsonSerializable(typeof(DrawFile))]
[JsonSerializable(typeof(DrawnSets))]
[JsonSerializable(typeof(UnitRecord))]
[JsonSerializable(typeof(RunManifest))]
[JsonSerializable(typeof(RunModel))]
internal sealed partial class EvalJsonContext : JsonSerializerContext;
