// The model of commands that are given none: the trained decoder of weights/, which the command carries within itself.
using System.Reflection;
using Rt.Core;
using Rt.Formats;

namespace Rt.Cli;

/// <summary>The embedded model.</summary>
internal static class DefaultModel
{
    /// <summary>How results name it.</summary>
    public const string Name = "embedded";

    /// <summary>One sentence about it, for those who read its results.</summary>
    public const string Note = "the embedded model is a small decoder trained for this repository; test queries of its own tasks (--task embedded) are inputs "
        + "that its training held out (weights/README.md)";

    private const string Folder = "rt";
    private const string Resources = "model/";

    /// <summary>Its files, in the layout of Hugging Face. The weights come first: a folder with them is one of this model's.</summary>
    public static IReadOnlyList<string> Files { get; } = ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"];

    /// <summary>Writes the model's files where they are not there, and returns their folder: below XDG_CACHE_HOME or the user's own cache.</summary>
    /// <param name="cancellation">Noticed between files.</param>
    /// <exception cref="BadFileException">A file cannot be written.</exception>
    public static string Write(CancellationToken cancellation)
    {
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } given
            ? given
            : Path.Combine(home.Length > 0 ? home : Path.GetTempPath(), ".cache");
        var folder = Path.Combine(cache, Folder, Name);
        Write(folder, cancellation);
        return folder;
    }

    /// <summary>Writes the model's files into a folder, each at once or not at all; those that are there as they should be stay untouched.</summary>
    /// <param name="folder">Made where absent.</param>
    /// <param name="cancellation">Noticed between files.</param>
    /// <exception cref="BadFileException">A file cannot be written.</exception>
    public static void Write(string folder, CancellationToken cancellation)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadFileException(folder, $"cannot be created: {e.Message}", e);
        }

        foreach (var file in Files)
        {
            cancellation.ThrowIfCancellationRequested();
            if (!IsIn(folder, file))
            {
                using var resource = Open(file);
                AtomicFile.Write(Path.Combine(folder, file), resource.CopyTo);
            }
        }
    }

    /// <summary>Whether a folder holds one of the files, byte for byte.</summary>
    public static bool IsIn(string folder, string file)
    {
        var path = Path.Combine(folder, file);
        using var expected = Open(file);
        if (!File.Exists(path) || new FileInfo(path).Length != expected.Length)
        {
            return false;
        }

        var bytes = new byte[expected.Length];
        expected.ReadExactly(bytes);
        return JsonFile.ReadBytes(path, bytes.Length).AsSpan().SequenceEqual(bytes);
    }

    private static Stream Open(string file) => Assembly.GetExecutingAssembly().GetManifestResourceStream(Resources + file)
        ?? throw new InvalidOperationException($"resource {file} is not in the assembly");
}
