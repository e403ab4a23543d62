// The model of commands that are given none: the one place that says which it is and where its files go.
using Rt.Cli.Demo;

namespace Rt.Cli;

/// <summary>The embedded model.</summary>
internal static class DefaultModel
{
    /// <summary>How results name it.</summary>
    public const string Name = "embedded";

    /// <summary>One sentence about it, for those who read its results.</summary>
    public const string Note = "the embedded model has random weights: its accuracies are chance, the table shows the mechanics";

    private const string Folder = "rt";

    /// <summary>Writes the model's files where they are not there, and returns their folder: below XDG_CACHE_HOME or the user's own cache.</summary>
    /// <param name="cancellation">Leaves no half-written file.</param>
    public static string Write(CancellationToken cancellation)
    {
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } given
            ? given
            : Path.Combine(home.Length > 0 ? home : Path.GetTempPath(), ".cache");
        var folder = Path.Combine(cache, Folder, Name);
        DemoModel.Write(folder, cancellation);
        return folder;
    }
}
