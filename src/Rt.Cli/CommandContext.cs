// What a running command works with: its options, its streams, its device and its model.
using System.CommandLine;
using System.Text.Json.Nodes;
using Rt.Cli.Output;
using Rt.Core;
using Rt.Formats;
using Rt.Model;

namespace Rt.Cli;

/// <summary>One run of a command. Owns what it opened.</summary>
internal sealed class CommandContext(ParseResult parse, SharedOptions shared, Streams streams, CancellationToken cancellation) : IDisposable
{
    private readonly Stack<IDisposable> _owned = [];

    /// <summary>Standard streams.</summary>
    public Streams Streams => streams;

    /// <summary>Data.</summary>
    public TextWriter Out => streams.Out;

    /// <summary>Stops the command.</summary>
    public CancellationToken Cancellation => cancellation;

    /// <summary>Whether the result is wanted as JSON.</summary>
    public bool Json => parse.GetValue(shared.Json);

    /// <summary>Value of an option.</summary>
    public T? Get<T>(Option<T> option) => parse.GetValue(option);

    /// <summary>Value of an argument.</summary>
    public T? Get<T>(Argument<T> argument) => parse.GetValue(argument);

    /// <summary>Whether an option stands on the command line.</summary>
    public bool IsGiven(Option option) => parse.GetResult(option) is { Implicit: false };

    /// <summary>A line for the user that is no data.</summary>
    public void Note(string line)
    {
        if (!parse.GetValue(shared.Quiet))
        {
            streams.Error.WriteLine(line);
        }
    }

    /// <summary>A warning.</summary>
    public void Warn(string line) => streams.Error.WriteLine($"rt: warning: {line.ReplaceLineEndings(" ")}");

    /// <summary>Progress of a piece of work.</summary>
    public ProgressLine Progress(string what, string unit)
    {
        var wanted = !parse.GetValue(shared.Quiet) && !parse.GetValue(shared.NoProgress);
        return new ProgressLine(wanted ? streams.Error : null, streams.ErrorIsTerminal, what, unit);
    }

    /// <summary>Writes the result: the JSON document where asked for, else what <paramref name="text"/> writes.</summary>
    public void Result(Func<JsonObject> json, Action text)
    {
        if (Json)
        {
            JsonReport.Write(streams.Out, json());
        }
        else
        {
            text();
        }
    }

    /// <summary>Disposes a value together with the context.</summary>
    public T Own<T>(T value) where T : IDisposable
    {
        _owned.Push(value);
        return value;
    }

    /// <summary>What the options say about the device.</summary>
    public DeviceSettings DeviceSettings => new(
        Get(shared.Threads), Get(shared.BatchInvariant),
        Get(shared.Activations) is { } type ? Enum.Parse<DType>(type, ignoreCase: true) : null, Get(shared.Tf32));

    /// <summary>Finds the device that the options name.</summary>
    /// <exception cref="DeviceException">There is no such device, or it is absent.</exception>
    public IDeviceSource FindDevice() => Own(Devices.Find(Get(shared.Device)!, DeviceSettings));

    /// <summary>The folder of a model argument; see <see cref="ModelFolder"/>.</summary>
    public async Task<string> ModelFolderAsync(string model)
    {
        using var progress = Progress($"downloading {model}", "B");
        return await ModelFolder.ResolveAsync(model, new Relay(progress), cancellation);
    }

    /// <summary>Finds the device, then loads the model argument on it; its warnings go to the user.</summary>
    public async Task<LanguageModel> LoadModelAsync()
    {
        var source = FindDevice();
        var folder = await ModelFolderAsync(Get(shared.Model)!);
        var device = source.For(LanguageModel.WeightTypeOf(folder));
        var model = Own(LanguageModel.Load(folder, device));
        foreach (var warning in model.Warnings)
        {
            Warn(warning);
        }

        var config = model.Config;
        Note($"{folder}: {config.ModelType}, {config.NumHiddenLayers} layers, hidden size {config.HiddenSize}, {model.WeightType}, on {device.Description}");
        return model;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        while (_owned.TryPop(out var owned))
        {
            owned.Dispose();
        }
    }

    /// <summary>Passes byte progress on at once, in the caller's thread.</summary>
    internal sealed class Relay(ProgressLine progress) : IProgress<ByteProgress>
    {
        public void Report(ByteProgress value) => progress.Report(value.Done, value.Total, value.Name);
    }
}
