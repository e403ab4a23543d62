// A file mapped read-only into memory, and views of it that start at any byte.
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Rt.Core;

namespace Rt.Formats;

/// <summary>A whole file mapped read-only. Nothing is read before it is touched, and nothing is copied.</summary>
/// <remarks>Touching a page that another process has cut off ends the process, so readers call
/// <see cref="CheckLength"/> before they hand out memory.</remarks>
public sealed unsafe class MappedFile : HostStorage
{
    private readonly SafeFileHandle _handle;
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private byte* _pointer;

    private MappedFile(string path, SafeFileHandle handle, long length)
    {
        Path = path;
        ByteLength = length;
        _handle = handle;
        _map = MemoryMappedFile.CreateFromFile(handle, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        try
        {
            _view = _map.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _pointer);
            _pointer += _view.PointerOffset;
        }
        catch
        {
            _view?.Dispose();
            _map.Dispose();
            throw;
        }
    }

    ~MappedFile() => Dispose(false);

    /// <summary>The path the file was opened by.</summary>
    public string Path { get; }

    /// <summary>Length of the file when it was mapped.</summary>
    public override long ByteLength { get; }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The mapping is gone.</exception>
    public override byte* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(_pointer == null, this);
            return _pointer;
        }
    }

    /// <summary>Maps <paramref name="path"/>.</summary>
    /// <exception cref="BadFileException">The file is missing, unreadable, empty or no regular file.</exception>
    public static MappedFile Open(string path)
    {
        SafeFileHandle? handle = null;
        try
        {
            FilePaths.CheckRegular(path);
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            var length = RandomAccess.GetLength(handle);
            return length == 0
                ? throw new BadFileException(path, "the file is empty")
                : new MappedFile(path, handle, length);
        }
        catch (Exception e)
        {
            handle?.Dispose();
            if (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
            {
                throw new BadFileException(path, $"cannot be read: {e.Message}", e);
            }

            throw;
        }
    }

    /// <summary>Fails when the file no longer has the length it was mapped with; costs one system call.</summary>
    /// <exception cref="BadFileException">The file was cut or grew since.</exception>
    public void CheckLength()
    {
        ObjectDisposedException.ThrowIf(_pointer == null, this);
        var length = RandomAccess.GetLength(_handle);
        if (length != ByteLength)
        {
            throw new BadFileException(Path, $"changed while in use: {ByteLength} bytes when opened, {length} now");
        }
    }

    /// <summary>Bytes [start, start + count) of the file.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range reaches past the file.</exception>
    public ReadOnlySpan<byte> Bytes(long start, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, ByteLength - count);
        return new ReadOnlySpan<byte>(Pointer + start, count);
    }

    /// <summary>Writes bytes [start, start + count) to <paramref name="destination"/>, a piece at a time.</summary>
    public void CopyTo(Stream destination, long start, long count)
    {
        const int Piece = 1 << 22;
        for (var done = 0L; done < count; done += Piece)
        {
            destination.Write(Bytes(start + done, (int)Math.Min(Piece, count - done)));
        }
    }

    /// <summary>Asks the kernel to read the file ahead; a hint that is ignored where it is not understood.</summary>
    public void Prefetch()
    {
        if (OperatingSystem.IsLinux())
        {
            const int WillNeed = 3;
            _ = Madvise(Pointer, (nuint)ByteLength, WillNeed);
        }
    }

    /// <summary>The storage whose address is <paramref name="shift"/> bytes further; it lives as long as this one.</summary>
    internal HostStorage Shifted(int shift) => shift == 0 ? this : new ShiftedView(this, shift);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (_pointer == null)
        {
            return;
        }

        _pointer = null;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        if (disposing)
        {
            _view.Dispose();
            _map.Dispose();
            _handle.Dispose();
        }
    }

    [DllImport("libc", EntryPoint = "madvise")]
    private static extern int Madvise(void* address, nuint length, int advice);

    private sealed class ShiftedView(MappedFile file, int shift) : HostStorage
    {
        public override long ByteLength => file.ByteLength - shift;

        public override byte* Pointer => file.Pointer + shift;

        // The memory belongs to the file, which is kept alive by this reference.
        protected override void Dispose(bool disposing)
        {
        }
    }
}
