// Runs `rt` in this process and holds what it wrote.
using System.Text.Json.Nodes;
using Rt.Core;
using Rt.Formats;

namespace Rt.Cli.Tests;

/// <summary>One finished command line.</summary>
internal sealed record CliRun(int Code, string Out, string Error)
{
    /// <summary>The document on standard output.</summary>
    public JsonNode Json => JsonNode.Parse(Out)!;

    public static Task<CliRun> Async(params string[] args) => Async(args, null, default);

    public static async Task<CliRun> Async(string[] args, string? input = null, CancellationToken cancellation = default)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await Cli.RunAsync(args, output, error, cancellation, new StringReader(input ?? ""));
        return new CliRun(code, output.ToString(), error.ToString());
    }

    /// <summary>Runs a command line that must succeed, and parses its JSON.</summary>
    public static async Task<JsonNode> JsonAsync(params string[] args)
    {
        var run = await Async([.. args, "--json"]);
        Assert.True(run.Code == 0, $"exit code {run.Code}: {run.Error}");
        return run.Json;
    }

    /// <summary>Asserts a failure told in one line.</summary>
    public void AssertFails(int code, params string[] parts)
    {
        Assert.True(Code == code, $"expected exit code {code}, found {Code}: {Error}");
        var line = Assert.Single(Error.Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries), line => !line.Contains(" layers, hidden size "));
        Assert.StartsWith("rt: ", line);
        Assert.All(parts, part => Assert.Contains(part, line));
    }
}

/// <summary>A folder for the files of one test, removed when the test ends.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("rt-cli-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public string Write(string name, string text)
    {
        File.WriteAllText(this[name], text);
        return this[name];
    }

    /// <summary>A copy of a folder.</summary>
    public string Copy(string folder, string name)
    {
        Directory.CreateDirectory(this[name]);
        foreach (var file in Directory.GetFiles(folder))
        {
            File.Copy(file, System.IO.Path.Combine(this[name], System.IO.Path.GetFileName(file)));
        }

        return this[name];
    }

    /// <summary>Overwrites one element of an F32 tensor.</summary>
    public static void Poke(string path, string tensor, long index, float value)
    {
        long offset;
        using (var file = SafetensorsFile.Open(path))
        {
            Assert.Equal(DType.F32, file.Entry(tensor).DType);
            offset = file.Entry(tensor).Offset;
        }

        using var stream = File.OpenWrite(path);
        stream.Position = offset + 4 * index;
        stream.Write(BitConverter.GetBytes(value));
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
