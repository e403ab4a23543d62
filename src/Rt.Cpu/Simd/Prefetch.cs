// Asks for memory before it is needed, where the hardware does not foresee it: rows far apart, each too short to be followed,
// and streams that are used up faster than it follows.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Rt.Cpu;

/// <summary>Hints; any address is allowed, and without hardware support nothing happens.</summary>
internal static unsafe class Prefetch
{
    private const int LineBytes = 64, PageBytes = 4096;

    /// <summary>Asks for what comes a page after the weights being read, where they are one stream.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Ahead(byte* reading)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch1(reading + PageBytes);
        }
    }

    /// <summary>Asks for four lines into the second-level cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Lines(byte* first, byte* second, byte* third, byte* fourth)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch1(first);
            Sse.Prefetch1(second);
            Sse.Prefetch1(third);
            Sse.Prefetch1(fourth);
        }
    }

    /// <summary>Asks for <paramref name="rows"/> stretches of <paramref name="bytes"/> bytes into the second-level cache.</summary>
    /// <param name="first">Start of the first row's stretch.</param>
    /// <param name="stride">Bytes from one row to the next.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="bytes">Bytes of each row.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Rows(byte* first, long stride, int rows, int bytes)
    {
        if (!Sse.IsSupported)
        {
            return;
        }

        for (var row = 0; row < rows; row++)
        {
            for (var i = 0; i < bytes; i += LineBytes)
            {
                Sse.Prefetch1(first + row * stride + i);
            }
        }
    }
}

/// <summary>Rows of weights, keys or values that are asked for piece by piece while others are computed.</summary>
/// <param name="first">Start of the first row's stretch.</param>
/// <param name="stride">Bytes from one row to the next.</param>
/// <param name="rows">Rows; none where the count is not positive.</param>
/// <param name="bytes">Bytes of each row.</param>
internal readonly unsafe struct UpcomingRows(byte* first, long stride, int rows, int bytes)
{
    /// <summary>Asks for the share of rows that belongs to the work from <paramref name="from"/> to <paramref name="to"/> of <paramref name="all"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Ask(int from, int to, int all)
    {
        var asked = rows * from / all;
        Prefetch.Rows(first + asked * stride, stride, rows * to / all - asked, bytes);
    }
}
