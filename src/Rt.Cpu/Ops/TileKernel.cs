// The register tile of every product of matrices: C[8][v] += A[8][k] * B[k][v], v one to three registers wide.
// A is read by broadcast, B by vectors, C stays in registers over the whole k range.
using System.Runtime.CompilerServices;

namespace Rt.Cpu;

/// <summary>How the broadcast side A of a tile lies in memory; constants where they can be, so that offsets become immediate.</summary>
internal interface ITileSide
{
    /// <summary>Elements from one row of A to the next; what was given, where the side itself does not say.</summary>
    static abstract nint RowStride(nint given);

    /// <summary>Elements from one k to the next.</summary>
    static abstract int Step { get; }
}

/// <summary>Rows of <see cref="Tile.Depth"/> elements, one after the other.</summary>
internal readonly struct RowMajorSide : ITileSide
{
    public static nint RowStride(nint given) => Tile.SideStride;

    public static int Step => 1;
}

/// <summary>Rows where they lie, at any distance from each other.</summary>
internal readonly struct StridedSide : ITileSide
{
    public static nint RowStride(nint given) => given;

    public static int Step => 1;
}

/// <summary>A transposed side: consecutive rows of A in consecutive elements, <see cref="Tile.MaxLanes"/> per k.</summary>
internal readonly struct TransposedSide : ITileSide
{
    public static nint RowStride(nint given) => 1;

    public static int Step => Tile.MaxLanes;
}

/// <summary>Sizes shared by all users of the tile.</summary>
internal static class Tile
{
    /// <summary>Rows of a tile.</summary>
    public const int Rows = 8;

    /// <summary>Most k that one packed side holds; sums over more continue from C.</summary>
    public const int Depth = 256;

    /// <summary>Elements between rows of a packed side: 64 bytes more than the depth, so that rows do not share cache sets.</summary>
    public const int SideStride = Depth + 16;

    /// <summary>Elements of a packed side of eight rows.</summary>
    public const int SideSize = Rows * SideStride;

    /// <summary>Registers of B across a tile.</summary>
    public const int MaxVectors = 3;

    /// <summary>Lanes of the widest tile of the widest register.</summary>
    public const int MaxLanes = 48;
}

internal static unsafe partial class Tile<TW, TV, TSide>
    where TW : ISimd<TV>
    where TV : unmanaged
    where TSide : ITileSide
{
    /// <summary>C[8][vectors] = A B, or += where <paramref name="accumulate"/>; each element sums over k in ascending order.</summary>
    /// <param name="a">Eight rows laid out as the side says.</param>
    /// <param name="aStride">Elements from one row of A to the next, for a side that leaves it open.</param>
    /// <param name="b">[k, vectors] registers.</param>
    /// <param name="bStride">Elements from one k to the next in B.</param>
    /// <param name="k">Terms.</param>
    /// <param name="c">[8, vectors] registers.</param>
    /// <param name="cStride">Elements from one row to the next in C.</param>
    /// <param name="vectors">1, 2 or 3.</param>
    /// <param name="accumulate">Whether C is read first.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Run(float* a, nint aStride, float* b, nint bStride, int k, float* c, nint cStride, int vectors, bool accumulate)
    {
        if (TW.ManyRegisters)
        {
            switch (vectors)
            {
                case 3: Eight3(a, aStride, b, bStride, k, c, cStride, accumulate); break;
                case 2: Eight2(a, aStride, b, bStride, k, c, cStride, accumulate); break;
                default: Eight1(a, aStride, b, bStride, k, c, cStride, accumulate); break;
            }

            return;
        }

        for (var half = 0; half < 2; half++)
        {
            switch (vectors)
            {
                case 3: Four3(a, aStride, b, bStride, k, c, cStride, accumulate); break;
                case 2: Four2(a, aStride, b, bStride, k, c, cStride, accumulate); break;
                default: Four1(a, aStride, b, bStride, k, c, cStride, accumulate); break;
            }

            a += 4 * TSide.RowStride(aStride);
            c += 4 * cStride;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Eight3(float* a, nint aStride, float* b, nint bStride, int k, float* c, nint cStride, bool accumulate)
    {
        var r = TSide.RowStride(aStride);
        TV c00 = TW.Zero, c01 = TW.Zero, c02 = TW.Zero;
        TV c10 = TW.Zero, c11 = TW.Zero, c12 = TW.Zero;
        TV c20 = TW.Zero, c21 = TW.Zero, c22 = TW.Zero;
        TV c30 = TW.Zero, c31 = TW.Zero, c32 = TW.Zero;
        TV c40 = TW.Zero, c41 = TW.Zero, c42 = TW.Zero;
        TV c50 = TW.Zero, c51 = TW.Zero, c52 = TW.Zero;
        TV c60 = TW.Zero, c61 = TW.Zero, c62 = TW.Zero;
        TV c70 = TW.Zero, c71 = TW.Zero, c72 = TW.Zero;
        if (accumulate)
        {
            c00 = TW.Load(c);
            c01 = TW.Load(c + TW.Count);
            c02 = TW.Load(c + 2 * TW.Count);
            c10 = TW.Load(c + cStride);
            c11 = TW.Load(c + cStride + TW.Count);
            c12 = TW.Load(c + cStride + 2 * TW.Count);
            c20 = TW.Load(c + 2 * cStride);
            c21 = TW.Load(c + 2 * cStride + TW.Count);
            c22 = TW.Load(c + 2 * cStride + 2 * TW.Count);
            c30 = TW.Load(c + 3 * cStride);
            c31 = TW.Load(c + 3 * cStride + TW.Count);
            c32 = TW.Load(c + 3 * cStride + 2 * TW.Count);
            c40 = TW.Load(c + 4 * cStride);
            c41 = TW.Load(c + 4 * cStride + TW.Count);
            c42 = TW.Load(c + 4 * cStride + 2 * TW.Count);
            c50 = TW.Load(c + 5 * cStride);
            c51 = TW.Load(c + 5 * cStride + TW.Count);
            c52 = TW.Load(c + 5 * cStride + 2 * TW.Count);
            c60 = TW.Load(c + 6 * cStride);
            c61 = TW.Load(c + 6 * cStride + TW.Count);
            c62 = TW.Load(c + 6 * cStride + 2 * TW.Count);
            c70 = TW.Load(c + 7 * cStride);
            c71 = TW.Load(c + 7 * cStride + TW.Count);
            c72 = TW.Load(c + 7 * cStride + 2 * TW.Count);
        }

        for (var i = 0; i < k; i++)
        {
            var b0 = TW.Load(b);
            var b1 = TW.Load(b + TW.Count);
            var b2 = TW.Load(b + 2 * TW.Count);
            var s = TW.Create(*a);
            c00 = TW.MultiplyAdd(s, b0, c00);
            c01 = TW.MultiplyAdd(s, b1, c01);
            c02 = TW.MultiplyAdd(s, b2, c02);
            s = TW.Create(a[r]);
            c10 = TW.MultiplyAdd(s, b0, c10);
            c11 = TW.MultiplyAdd(s, b1, c11);
            c12 = TW.MultiplyAdd(s, b2, c12);
            s = TW.Create(a[2 * r]);
            c20 = TW.MultiplyAdd(s, b0, c20);
            c21 = TW.MultiplyAdd(s, b1, c21);
            c22 = TW.MultiplyAdd(s, b2, c22);
            s = TW.Create(a[3 * r]);
            c30 = TW.MultiplyAdd(s, b0, c30);
            c31 = TW.MultiplyAdd(s, b1, c31);
            c32 = TW.MultiplyAdd(s, b2, c32);
            s = TW.Create(a[4 * r]);
            c40 = TW.MultiplyAdd(s, b0, c40);
            c41 = TW.MultiplyAdd(s, b1, c41);
            c42 = TW.MultiplyAdd(s, b2, c42);
            s = TW.Create(a[5 * r]);
            c50 = TW.MultiplyAdd(s, b0, c50);
            c51 = TW.MultiplyAdd(s, b1, c51);
            c52 = TW.MultiplyAdd(s, b2, c52);
            s = TW.Create(a[6 * r]);
            c60 = TW.MultiplyAdd(s, b0, c60);
            c61 = TW.MultiplyAdd(s, b1, c61);
            c62 = TW.MultiplyAdd(s, b2, c62);
            s = TW.Create(a[7 * r]);
            c70 = TW.MultiplyAdd(s, b0, c70);
            c71 = TW.MultiplyAdd(s, b1, c71);
            c72 = TW.MultiplyAdd(s, b2, c72);
            a += TSide.Step;
            b += bStride;
        }

        TW.Store(c00, c);
        TW.Store(c01, c + TW.Count);
        TW.Store(c02, c + 2 * TW.Count);
        TW.Store(c10, c + cStride);
        TW.Store(c11, c + cStride + TW.Count);
        TW.Store(c12, c + cStride + 2 * TW.Count);
        TW.Store(c20, c + 2 * cStride);
        TW.Store(c21, c + 2 * cStride + TW.Count);
        TW.Store(c22, c + 2 * cStride + 2 * TW.Count);
        TW.Store(c30, c + 3 * cStride);
        TW.Store(c31, c + 3 * cStride + TW.Count);
        TW.Store(c32, c + 3 * cStride + 2 * TW.Count);
        TW.Store(c40, c + 4 * cStride);
        TW.Store(c41, c + 4 * cStride + TW.Count);
        TW.Store(c42, c + 4 * cStride + 2 * TW.Count);
        TW.Store(c50, c + 5 * cStride);
        TW.Store(c51, c + 5 * cStride + TW.Count);
        TW.Store(c52, c + 5 * cStride + 2 * TW.Count);
        TW.Store(c60, c + 6 * cStride);
        TW.Store(c61, c + 6 * cStride + TW.Count);
        TW.Store(c62, c + 6 * cStride + 2 * TW.Count);
        TW.Store(c70, c + 7 * cStride);
        TW.Store(c71, c + 7 * cStride + TW.Count);
        TW.Store(c72, c + 7 * cStride + 2 * TW.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Eight2(float* a, nint aStride, float* b, nint bStride, int k, float* c, nint cStride, bool accumulate)
    {
        var r = TSide.RowStride(aStride);
        TV c00 = TW.Zero, c01 = TW.Zero;
        TV c10 = TW.Zero, c11 = TW.Zero;
        TV c20 = TW.Zero, c21 = TW.Zero;
        TV c30 = TW.Zero, c31 = TW.Zero;
        TV c40 = TW.Zero, c41 = TW.Zero;
        TV c50 = TW.Zero, c51 = TW.Zero;
        TV c60 = TW.Zero, c61 = TW.Zero;
        TV c70 = TW.Zero, c71 = TW.Zero;
        if (accumulate)
        {
            c00 = TW.Load(c);
            c01 = TW.Load(c + TW.Count);
            c10 = TW.Load(c + cStride);
            c11 = TW.Load(c + cStride + TW.Count);
            c20 = TW.Load(c + 2 * cStride);
            c21 = TW.Load(c + 2 * cStride + TW.Count);
            c30 = TW.Load(c + 3 * cStride);
            c31 = TW.Load(c + 3 * cStride + TW.Count);
            c40 = TW.Load(c + 4 * cStride);
            c41 = TW.Load(c + 4 * cStride + TW.Count);
            c50 = TW.Load(c + 5 * cStride);
            c51 = TW.Load(c + 5 * cStride + TW.Count);
            c60 = TW.Load(c + 6 * cStride);
            c61 = TW.Load(c + 6 * cStride + TW.Count);
            c70 = TW.Load(c + 7 * cStride);
            c71 = TW.Load(c + 7 * cStride + TW.Count);
        }

        for (var i = 0; i < k; i++)
        {
            var b0 = TW.Load(b);
            var b1 = TW.Load(b + TW.Count);
            var s = TW.Create(*a);
            c00 = TW.MultiplyAdd(s, b0, c00);
            c01 = TW.MultiplyAdd(s, b1, c01);
            s = TW.Create(a[r]);
            c10 = TW.MultiplyAdd(s, b0, c10);
            c11 = TW.MultiplyAdd(s, b1, c11);
            s = TW.Create(a[2 * r]);
            c20 = TW.MultiplyAdd(s, b0, c20);
            c21 = TW.MultiplyAdd(s, b1, c21);
            s = TW.Create(a[3 * r]);
            c30 = TW.MultiplyAdd(s, b0, c30);
            c31 = TW.MultiplyAdd(s, b1, c31);
            s = TW.Create(a[4 * r]);
            c40 = TW.MultiplyAdd(s, b0, c40);
            c41 = TW.MultiplyAdd(s, b1, c41);
            s = TW.Create(a[5 * r]);
            c50 = TW.MultiplyAdd(s, b0, c50);
            c51 = TW.MultiplyAdd(s, b1, c51);
            s = TW.Create(a[6 * r]);
            c60 = TW.MultiplyAdd(s, b0, c60);
            c61 = TW.MultiplyAdd(s, b1, c61);
            s = TW.Create(a[7 * r]);
            c70 = TW.MultiplyAdd(s, b0, c70);
            c71 = TW.MultiplyAdd(s, b1, c71);
            a += TSide.Step;
            b += bStride;
        }

        TW.Store(c00, c);
        TW.Store(c01, c + TW.Count);
        TW.Store(c10, c + cStride);
        TW.Store(c11, c + cStride + TW.Count);
        TW.Store(c20, c + 2 * cStride);
        TW.Store(c21, c + 2 * cStride + TW.Count);
        TW.Store(c30, c + 3 * cStride);
        TW.Store(c31, c + 3 * cStride + TW.Count);
        TW.Store(c40, c + 4 * cStride);
        TW.Store(c41, c + 4 * cStride + TW.Count);
        TW.Store(c50, c + 5 * cStride);
        TW.Store(c51, c + 5 * cStride + TW.Count);
        TW.Store(c60, c + 6 * cStride);
        TW.Store(c61, c + 6 * cStride + TW.Count);
        TW.Store(c70, c + 7 * cStride);
        TW.Store(c71, c + 7 * cStride + TW.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Eight1(float* a, nint aStride, float* b, nint bStride, int k, float* c, nint cStride, bool accumulate)
    {
        var r = TSide.RowStride(aStride);
        TV c00 = TW.Zero;
        TV c10 = TW.Zero;
        TV c20 = TW.Zero;
        TV c30 = TW.Zero;
        TV c40 = TW.Zero;
        TV c50 = TW.Zero;
        TV c60 = TW.Zero;
        TV c70 = TW.Zero;
        if (accumulate)
        {
            c00 = TW.Load(c);
            c10 = TW.Load(c + cStride);
            c20 = TW.Load(c + 2 * cStride);
            c30 = TW.Load(c + 3 * cStride);
            c40 = TW.Load(c + 4 * cStride);
            c50 = TW.Load(c + 5 * cStride);
            c60 = TW.Load(c + 6 * cStride);
            c70 = TW.Load(c + 7 * cStride);
        }

        for (var i = 0; i < k; i++)
        {
            var b0 = TW.Load(b);
            var s = TW.Create(*a);
            c00 = TW.MultiplyAdd(s, b0, c00);
            s = TW.Create(a[r]);
            c10 = TW.MultiplyAdd(s, b0, c10);
            s = TW.Create(a[2 * r]);
            c20 = TW.MultiplyAdd(s, b0, c20);
            s = TW.Create(a[3 * r]);
            c30 = TW.MultiplyAdd(s, b0, c30);
            s = TW.Create(a[4 * r]);
            c40 = TW.MultiplyAdd(s, b0, c40);
            s = TW.Create(a[5 * r]);
            c50 = TW.MultiplyAdd(s, b0, c50);
            s = TW.Create(a[6 * r]);
            c60 = TW.MultiplyAdd(s, b0, c60);
            s = TW.Create(a[7 * r]);
            c70 = TW.MultiplyAdd(s, b0, c70);
            a += TSide.Step;
            b += bStride;
        }

        TW.Store(c00, c);
        TW.Store(c10, c + cStride);
        TW.Store(c20, c + 2 * cStride);
        TW.Store(c30, c + 3 * cStride);
        TW.Store(c40, c + 4 * cStride);
        TW.Store(c50, c + 5 * cStride);
        TW.Store(c60, c + 6 * cStride);
        TW.Store(c70, c + 7 * cStride);
    }
}
