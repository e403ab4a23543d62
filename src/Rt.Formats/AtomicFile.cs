// Writes a file under a temporary name beside its destination and renames it when it is complete.
namespace Rt.Formats;

/// <summary>Replaces files in one step, so that a reader sees the old file or the whole new one and a mapped file is never cut.</summary>
public static class AtomicFile
{
    /// <summary>Creates or replaces <paramref name="path"/> with what <paramref name="write"/> writes.</summary>
    /// <remarks>The bytes are on the disk before the rename. When writing fails or is cancelled, the temporary file is removed and
    /// whatever was at <paramref name="path"/> stays.</remarks>
    /// <exception cref="Rt.Core.BadFileException">The file cannot be written.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        var full = Path.GetFullPath(path);
        var temporary = Path.Combine(Path.GetDirectoryName(full)!, $".{Path.GetFileName(full)}.{Guid.NewGuid():N}.tmp");
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, full, overwrite: true);
        }
        catch (Exception e)
        {
            Remove(temporary);
            if (e is IOException or UnauthorizedAccessException)
            {
                throw new Rt.Core.BadFileException(path, $"cannot be written: {e.Message}", e);
            }

            throw;
        }
    }

    private static void Remove(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The first error is the one to report; what is left is a hidden file that no reader opens.
        }
    }
}
