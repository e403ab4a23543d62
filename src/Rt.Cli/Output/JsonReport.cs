// Parts of JSON results that several commands share.
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Rt.Core;
using Rt.Eval;
using Rt.Model;

namespace Rt.Cli.Output;

/// <summary>Builds and writes JSON results: snake_case names, numbers with a point, and every number with what it is of.</summary>
internal static class JsonReport
{
    /// <summary>A number; what JSON cannot write (NaN, infinities) as its name.</summary>
    public static JsonNode Number(double value) => double.IsFinite(value)
        ? JsonValue.Create(value)
        : JsonValue.Create(double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf");

    /// <summary>A list.</summary>
    public static JsonArray List(IEnumerable<JsonNode?> items) => [.. items];

    /// <summary>A list of whole numbers.</summary>
    public static JsonArray Ids(IEnumerable<int> ids) => [.. ids.Select(id => (JsonNode)JsonValue.Create(id))];

    /// <summary>The device, as every result names it.</summary>
    public static JsonObject Device(IDevice device) => new()
    {
        ["name"] = device.Name,
        ["description"] = device.Description,
        ["activation_dtype"] = device.ActivationType.ToString(),
    };

    /// <summary>The model, as every result names it.</summary>
    public static JsonObject Model(LanguageModel model) => new()
    {
        ["folder"] = model.Folder,
        ["model_type"] = model.Config.ModelType,
        ["dtype"] = model.WeightType.ToString(),
        ["layers"] = model.Config.NumHiddenLayers,
        ["hidden_size"] = model.Config.HiddenSize,
    };

    /// <summary>The start of every result.</summary>
    public static JsonObject Header(string command, LanguageModel model) => new()
    {
        ["command"] = command,
        ["version"] = Versions.Text,
        ["model"] = Model(model),
        ["device"] = Device(model.Device),
    };

    /// <summary>An accuracy with n and standard error.</summary>
    public static JsonObject Accuracy(Accuracy accuracy) => new()
    {
        ["value"] = Number(accuracy.Value),
        ["stderr"] = double.IsNaN(accuracy.StandardError) ? null : Number(accuracy.StandardError),
        ["n"] = accuracy.Count,
        ["correct"] = accuracy.Correct,
    };

    /// <summary>Writes a document and a line break.</summary>
    public static void Write(TextWriter writer, JsonNode node)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            node.WriteTo(json);
        }

        writer.WriteLine(Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length));
    }
}
