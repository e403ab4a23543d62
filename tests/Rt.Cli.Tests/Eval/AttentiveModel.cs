// A random model whose answers depend on everything before them: with sharp attention, heavy values and no end of text.
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Rt.Core;
using Rt.Formats;

namespace Rt.Cli.Tests;

/// <summary>The folder of such a model, shared by the tests of a class.</summary>
public sealed class AttentiveModel : IAsyncLifetime
{
    private const float Sharper = 3;
    private const float Heavier = 6;

    private readonly RandomModel _random = new();

    public string Folder => _random.Folder;

    public async Task InitializeAsync()
    {
        await _random.InitializeAsync();
        var path = Path.Combine(Folder, "model.safetensors");
        var writer = new SafetensorsWriter();
        using (var file = SafetensorsFile.Open(path))
        {
            foreach (var (name, entry) in file.Entries)
            {
                var factor = name.Contains("q_proj") || name.Contains("k_proj") ? Sharper : name.Contains("v_proj") ? Heavier : 1;
                var values = MemoryMarshal.Cast<byte, float>(file.Bytes(name, 0, (int)entry.ByteLength)).ToArray();
                writer.Add<float>(name, DType.F32, entry.Shape, Array.ConvertAll(values, value => factor * value));
            }
        }

        writer.Write(path);
        var config = Path.Combine(Folder, "config.json");
        File.WriteAllText(config, Regex.Replace(File.ReadAllText(config), "\"eos_token_id\": \\d+", "\"eos_token_id\": null"));
    }

    public Task DisposeAsync() => _random.DisposeAsync();
}
