// Zeroed pages straight from the operating system (Linux, 64 bit). Sources: mmap(2), madvise(2).
using System.Runtime.InteropServices;

namespace Rt.Core;

/// <summary>Blocks of fresh pages.</summary>
internal static unsafe partial class FreshPages
{
    /// <summary>Blocks below this size are left to the C library.</summary>
    public const long SmallestBlock = 1 << 20;

    private const int ReadWrite = 1 | 2;
    private const int PrivateAnonymous = 2 | 0x20;
    private const int HugePages = 14;

    /// <summary>Whether pages can be asked for here.</summary>
    public static bool IsSupported => OperatingSystem.IsLinux() && sizeof(nint) == 8;

    /// <summary>Zeroed pages.</summary>
    /// <exception cref="OutOfMemoryException">The system refused them.</exception>
    public static byte* Allocate(long bytes)
    {
        var pointer = Map(null, (nuint)bytes, ReadWrite, PrivateAnonymous, -1, 0);
        if (pointer == (void*)-1)
        {
            throw new OutOfMemoryException();
        }

        // Only advice: without it the pages are small, and no worse than that.
        Advise(pointer, (nuint)bytes, HugePages);
        return (byte*)pointer;
    }

    /// <summary>Gives pages back.</summary>
    public static void Free(byte* pointer, long bytes) => Unmap(pointer, (nuint)bytes);

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial void* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(void* address, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
