// rt inspect: what is in a model folder, a safetensors file, a kept-KV or task-vector file or a tokenizer folder, and is it sound.
using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Rt.Cli.Inspection;
using Rt.Cli.Output;
using Rt.Core;
using Rt.Cpu.Reference;
using Rt.Formats;
using Rt.Formats.Tokenizers;
using Rt.Model;

namespace Rt.Cli.Commands;

/// <summary>Inspection of files and folders.</summary>
internal sealed class InspectCommand : CliCommand
{
    private readonly Argument<string> _path = new("PATH")
    {
        Description = "A model folder or org/name[@revision], a safetensors file (weights, kept KV, task vector), or a tokenizer folder",
    };

    private readonly Option<bool> _noScan = new("--no-scan") { Description = "Do not read all numbers to look for NaN and infinities" };

    public InspectCommand(SharedOptions shared)
        : base("inspect", "Show what is in a model, weight, KV, vector or tokenizer file, and whether it is sound", shared)
    {
        Arguments.Add(_path);
        Options.Add(_noScan);
    }

    public override IReadOnlyList<string> Examples =>
        ["rt inspect ./demo", "rt inspect task.kv.safetensors", "rt inspect meta-llama/Llama-3.2-1B --no-scan --json"];

    protected override async Task<int> RunAsync(CommandContext context)
    {
        var path = context.Get(_path)!;
        if (File.Exists(path))
        {
            InspectFile(context, path);
            return 0;
        }

        var folder = await context.ModelFolderAsync(path);
        if (File.Exists(Path.Combine(folder, "config.json")))
        {
            InspectModel(context, folder);
        }
        else if (Tokenizer.Exists(folder))
        {
            var tokenizer = ModelInspection.Tokenizer(Tokenizer.Load(folder));
            context.Result(
                () => new JsonObject { ["command"] = "inspect", ["version"] = Versions.Text, ["path"] = folder, ["kind"] = "tokenizer", ["tokenizer"] = Json(tokenizer) },
                () => WriteFacts(context, "tokenizer", tokenizer));
        }
        else
        {
            throw new BadFileException(folder, "expected config.json or a tokenizer, found neither");
        }

        return 0;
    }

    private void InspectModel(CommandContext context, string folder)
    {
        using var device = new ReferenceDevice();
        using var model = LanguageModel.Load(folder, device);
        using var checkpoint = Checkpoint.Open(folder);
        var tensors = new TensorInspection(context, checkpoint.Files, !context.Get(_noScan));
        var config = ModelInspection.Config(model.Config);
        var sizes = ModelInspection.Sizes(model, checkpoint.Names.Sum(name => checkpoint.Entry(name).Count));
        var tokenizer = model.Tokenizer is null ? null : ModelInspection.Tokenizer(model.Tokenizer);
        foreach (var warning in model.Warnings)
        {
            context.Warn(warning);
        }

        context.Result(
            () => new JsonObject
            {
                ["command"] = "inspect",
                ["version"] = Versions.Text,
                ["path"] = folder,
                ["kind"] = "model",
                ["identity"] = new JsonObject { ["model"] = model.Identity.Model, ["tokenizer"] = model.Identity.Tokenizer },
                ["config"] = Json(config),
                ["sizes"] = Json(sizes),
                ["tokenizer"] = tokenizer is null ? null : Json(tokenizer),
                ["tensors"] = tensors.Json(),
                ["unsound_tensors"] = context.Get(_noScan) ? null : tensors.Unsound,
                ["warnings"] = JsonReport.List(model.Warnings.Select(warning => (JsonNode)JsonValue.Create(warning))),
            },
            () =>
            {
                WriteFacts(context, "config", config);
                WriteFacts(context, "sizes", sizes);
                WriteFacts(context, "tokenizer", tokenizer ?? [("tokenizer", "none: give token ids instead of text")]);
                tensors.WriteText(context.Streams);
            });
    }

    private void InspectFile(CommandContext context, string path)
    {
        using var file = SafetensorsFile.Open(path);
        var tensors = new TensorInspection(context, [file], !context.Get(_noScan));
        var norms = StateInspection.Norms(file);
        (string, object)[] metadata = [.. file.Metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => (pair.Key, (object)pair.Value))];
        context.Result(
            () => new JsonObject
            {
                ["command"] = "inspect",
                ["version"] = Versions.Text,
                ["path"] = path,
                ["kind"] = StateInspection.Kind(file),
                ["metadata"] = Json(metadata),
                ["tensors"] = tensors.Json(),
                ["unsound_tensors"] = context.Get(_noScan) ? null : tensors.Unsound,
                ["norms"] = StateInspection.Json(norms),
            },
            () =>
            {
                WriteFacts(context, StateInspection.Kind(file).Replace('_', ' '), metadata);
                if (norms.Count > 0)
                {
                    StateInspection.WriteText(context.Streams, norms);
                }

                tensors.WriteText(context.Streams);
            });
    }

    private static void WriteFacts(CommandContext context, string title, IReadOnlyList<(string Name, object Value)> facts)
    {
        context.Out.WriteLine($"{title}:");
        var width = facts.Select(fact => fact.Name.Length).DefaultIfEmpty(0).Max();
        foreach (var (name, value) in facts)
        {
            context.Out.WriteLine($"  {name.PadRight(width)}  {Convert.ToString(value, CultureInfo.InvariantCulture)}");
        }
    }

    private static JsonObject Json(IReadOnlyList<(string Name, object Value)> facts)
    {
        var json = new JsonObject();
        foreach (var (name, value) in facts)
        {
            json[name] = value switch
            {
                int number => number,
                long number => number,
                double number => JsonReport.Number(number),
                bool flag => flag,
                _ => (string)value,
            };
        }

        return json;
    }
}
