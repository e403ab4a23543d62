// Checks of where results go, made before the work that they cost.
using Rt.Core;

namespace Rt.Cli;

/// <summary>Checks paths to write to.</summary>
internal static class OutputPath
{
    /// <summary>Fails where a file cannot be made: its folder is missing, or a folder has its name.</summary>
    /// <exception cref="BadFileException">As said.</exception>
    public static void CheckFile(string path)
    {
        if (Directory.Exists(path))
        {
            throw new BadFileException(path, "expected a file to write, found a folder");
        }

        var folder = Path.GetDirectoryName(Path.GetFullPath(path));
        if (folder is null || !Directory.Exists(folder))
        {
            throw new BadFileException(path, "its folder does not exist");
        }
    }

    /// <summary>Fails where a folder cannot be made: a file has its name.</summary>
    /// <exception cref="BadFileException">As said.</exception>
    public static void CheckFolder(string path)
    {
        if (File.Exists(path))
        {
            throw new BadFileException(path, "expected a folder to write into, found a file");
        }
    }
}
