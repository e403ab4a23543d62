// Transposition of F32 blocks, four by four in 128-bit registers.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Rt.Cpu;

internal static unsafe class Transposition
{
    /// <summary>The columns of the four rows a, b, c, d.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float>, Vector128<float>, Vector128<float>, Vector128<float>) FourByFour(
        Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
    {
        if (Sse.IsSupported)
        {
            var abLow = Sse.UnpackLow(a, b);
            var abHigh = Sse.UnpackHigh(a, b);
            var cdLow = Sse.UnpackLow(c, d);
            var cdHigh = Sse.UnpackHigh(c, d);
            return (Sse.MoveLowToHigh(abLow, cdLow), Sse.MoveHighToLow(cdLow, abLow),
                Sse.MoveLowToHigh(abHigh, cdHigh), Sse.MoveHighToLow(cdHigh, abHigh));
        }

        if (AdvSimd.Arm64.IsSupported)
        {
            var abLow = AdvSimd.Arm64.ZipLow(a, b).AsDouble();
            var abHigh = AdvSimd.Arm64.ZipHigh(a, b).AsDouble();
            var cdLow = AdvSimd.Arm64.ZipLow(c, d).AsDouble();
            var cdHigh = AdvSimd.Arm64.ZipHigh(c, d).AsDouble();
            return (AdvSimd.Arm64.ZipLow(abLow, cdLow).AsSingle(), AdvSimd.Arm64.ZipHigh(abLow, cdLow).AsSingle(),
                AdvSimd.Arm64.ZipLow(abHigh, cdHigh).AsSingle(), AdvSimd.Arm64.ZipHigh(abHigh, cdHigh).AsSingle());
        }

        return (Vector128.Create(a[0], b[0], c[0], d[0]), Vector128.Create(a[1], b[1], c[1], d[1]),
            Vector128.Create(a[2], b[2], c[2], d[2]), Vector128.Create(a[3], b[3], c[3], d[3]));
    }

    /// <summary>panel[k * lanes + row] = sources[row][k] * scale; rows from <paramref name="rows"/> to lanes are zero.</summary>
    public static void Pack(float** sources, int rows, int depth, float* panel, nint lanes, float scale)
    {
        var factor = Vector128.Create(scale);
        var row = 0;
        for (; row + 4 <= rows; row += 4)
        {
            float* a = sources[row], b = sources[row + 1], c = sources[row + 2], d = sources[row + 3];
            var k = 0;
            for (; k + 4 <= depth; k += 4)
            {
                var (c0, c1, c2, c3) = FourByFour(
                    Vector128.Load(a + k), Vector128.Load(b + k), Vector128.Load(c + k), Vector128.Load(d + k));
                var target = panel + k * lanes + row;
                (c0 * factor).Store(target);
                (c1 * factor).Store(target + lanes);
                (c2 * factor).Store(target + 2 * lanes);
                (c3 * factor).Store(target + 3 * lanes);
            }

            for (; k < depth; k++)
            {
                for (var i = 0; i < 4; i++)
                {
                    panel[k * lanes + row + i] = sources[row + i][k] * scale;
                }
            }
        }

        for (; row < rows; row++)
        {
            for (var k = 0; k < depth; k++)
            {
                panel[k * lanes + row] = sources[row][k] * scale;
            }
        }

        if (row < lanes)
        {
            for (var k = 0; k < depth; k++)
            {
                new Span<float>(panel + k * lanes + row, (int)lanes - row).Clear();
            }
        }
    }
}
