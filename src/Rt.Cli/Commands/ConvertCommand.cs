// rt convert: pytorch_model.bin to model.safetensors, executing nothing that the file contains.
using System.Text.Json.Nodes;
using Rt.Cli.Output;
using Rt.Formats;

namespace Rt.Cli.Commands;

/// <summary>Converts torch checkpoints.</summary>
internal sealed class ConvertCommand : CliCommand
{
    public ConvertCommand(SharedOptions shared)
        : base("convert", "Convert pytorch_model.bin to model.safetensors beside it, executing nothing", shared) => Arguments.Add(shared.Model);

    public override IReadOnlyList<string> Examples => ["rt convert ./opt-125m", "rt convert facebook/opt-350m"];

    protected override async Task<int> RunAsync(CommandContext context)
    {
        var folder = await context.ModelFolderAsync(context.Get(Shared.Model)!);
        TorchConversion result;
        using (var progress = context.Progress("converting", "B"))
        {
            result = TorchConversion.Convert(folder, context.Cancellation, new CommandContext.Relay(progress));
        }

        context.Result(
            () => new JsonObject
            {
                ["command"] = "convert",
                ["version"] = Versions.Text,
                ["path"] = result.Path,
                ["tensors"] = result.Tensors,
                ["bytes"] = result.ByteLength,
                ["tied"] = JsonReport.List(result.Tied.Select(name => (JsonNode)JsonValue.Create(name))),
            },
            () => context.Out.WriteLine(result.Path));
        context.Note($"{result.Tensors} tensors, {Text.Bytes(result.ByteLength)}"
            + (result.Tied.Count > 0 ? $"; left out, as tied to the embedding: {string.Join(", ", result.Tied)}" : ""));
        return 0;
    }
}
