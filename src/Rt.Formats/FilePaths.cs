// Names of files that come out of untrusted files, and where paths lead once symbolic links are followed.
using Rt.Core;

namespace Rt.Formats;

/// <summary>Checks on file names and resolved paths.</summary>
internal static class FilePaths
{
    private const int MaxLinks = 40;

    /// <summary>Fails unless <paramref name="path"/>, links followed, is a file with something in it.</summary>
    /// <remarks>Asked before a file is opened: opening a pipe waits for a writer and reading a device may not end; both have length zero.</remarks>
    /// <exception cref="BadFileException">Missing, a folder, empty, or no regular file.</exception>
    public static void CheckRegular(string path)
    {
        var info = new FileInfo(path);
        var target = info.LinkTarget is null ? info : info.ResolveLinkTarget(returnFinalTarget: true);
        if (target is not FileInfo { Exists: true } file)
        {
            throw new BadFileException(path, Directory.Exists(path) ? "expected a file, found a folder" : "no such file");
        }

        if (file.Length == 0)
        {
            throw new BadFileException(path, "the file is empty");
        }
    }

    /// <summary>Whether <paramref name="name"/> is the plain name of a file in a folder: no separator of any system, no drive, no dots alone.</summary>
    public static bool IsPlainName(string name) =>
        name.Length is > 0 and <= 255 && name is not ("." or "..") && !name.Any(c => c is '/' or '\\' or ':' || char.IsControl(c))
        && name == Path.GetFileName(name);

    /// <summary>The path with every symbolic link in it followed, folders included.</summary>
    /// <exception cref="BadFileException">The links go in a circle.</exception>
    public static string Real(string path)
    {
        var full = Path.GetFullPath(path);
        var root = Path.GetPathRoot(full)!;
        var pending = new Stack<string>(full[root.Length..].Split(Path.DirectorySeparatorChar).Reverse());
        var real = root;
        var links = 0;
        while (pending.TryPop(out var part))
        {
            if (part.Length == 0 || part == ".")
            {
                continue;
            }

            if (part == "..")
            {
                real = Path.GetDirectoryName(real) ?? root;
                continue;
            }

            var next = Path.Combine(real, part);
            if (LinkTarget(next) is not { } target)
            {
                real = next;
                continue;
            }

            if (++links > MaxLinks)
            {
                throw new BadFileException(path, $"more than {MaxLinks} symbolic links to follow");
            }

            if (Path.IsPathRooted(target))
            {
                real = Path.GetPathRoot(target)!;
                target = target[real.Length..];
            }

            foreach (var step in target.Split(Path.DirectorySeparatorChar).Reverse())
            {
                pending.Push(step);
            }
        }

        return real;
    }

    /// <summary>Whether a resolved path lies inside a resolved folder.</summary>
    public static bool IsInside(string path, string folder) =>
        path.StartsWith(Path.EndsInDirectorySeparator(folder) ? folder : folder + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    /// <summary>Where a model folder's own files may lie: the folder itself, and the blobs of the hub cache it is a snapshot in.</summary>
    public static string[] Homes(string folder)
    {
        var real = Real(folder);
        var snapshots = Path.GetDirectoryName(real);
        return Path.GetFileName(snapshots) == "snapshots"
            ? [real, Path.Combine(Path.GetDirectoryName(snapshots)!, "blobs")]
            : [real];
    }

    /// <summary>The path of a file that an index in <paramref name="folder"/> names.</summary>
    /// <param name="index">The index file, for messages.</param>
    /// <param name="homes">As <see cref="Homes"/> gives them.</param>
    /// <exception cref="BadFileException">The name is no plain name, the file is missing, or a link leads out of the folder.</exception>
    public static string Shard(string index, string folder, string[] homes, string name)
    {
        if (!IsPlainName(name))
        {
            throw new BadFileException(index, $"field 'weight_map': expected the name of a file in this folder, found {MessageText.Quote(name)}");
        }

        var path = Path.Combine(folder, name);
        var real = Real(path);
        if (!homes.Any(home => IsInside(real, home)))
        {
            throw new BadFileException(index, $"shard {MessageText.Quote(name)} is a link that leads out of the folder");
        }

        return File.Exists(real) ? path : throw new BadFileException(index, $"shard {MessageText.Quote(name)} is missing");
    }

    private static string? LinkTarget(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new BadFileException(path, $"cannot be read: {e.Message}", e);
        }
    }
}
