// Each instruction family against C# arithmetic on edge values.
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Rt.Gpu.Simulator.Tests;

public sealed class ArithmeticTests
{
    private static readonly int[] Ints =
    [
        0, 1, -1, 2, -2, 3, 7, -7, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 32767, 32768, -32768, 65535, 65536, 0x12345678,
        int.MaxValue, int.MinValue, int.MinValue + 1, 0x55555555, unchecked((int)0xAAAAAAAA), 1000003, -1000003, 10,
    ];

    private static readonly float[] Floats =
    [
        0f, -0f, 1f, -1f, 0.5f, -0.5f, 1.5f, 2.5f, -2.5f, 3.4028235e38f, -3.4028235e38f, float.Epsilon, -float.Epsilon, 1.17549435e-38f,
        1.1754942e-38f, float.PositiveInfinity, float.NegativeInfinity, float.NaN, 1e10f, -1e10f, 3e9f, 65504f, 65519.996f, 65520f, 6.1e-5f,
        5.96e-8f, 2.98e-8f, 1.0009766f, 1.0019531f, 1.0039062f, 123456.79f, 0.1f,
    ];

    private static readonly long[] Longs = [.. Ints.Select((value, n) => n % 3 == 0 ? value : n % 3 == 1 ? (long)value << 31 : long.MinValue + value)];

    private static readonly double[] Doubles = [.. Floats.Select((value, n) => n % 2 == 0 ? value : value * 1.0000001 + 1e-20)];

    /// <summary>Runs one instruction on all pairs of a table: operand b is the table turned by 0 to 31 places.</summary>
    private static void Check<TA, TB, TR>(string instruction, string types, TA[] a, TB[] b, Func<TA, TB, TR> expected)
        where TA : unmanaged where TB : unmanaged where TR : unmanaged
    {
        using var device = new Device();
        string[] kinds = types.Split(' ');
        string body = $"""
            {Ptx.Parameters(3)}
            mov.u32 %r60, %tid.x;
            mov.u32 %r61, %ctaid.x;
            add.u32 %r62, %r60, %r61;
            and.b32 %r62, %r62, 31;
            mad.wide.u32 %rd20, %r60, {Unsafe.SizeOf<TA>()}, %rd10;
            mad.wide.u32 %rd21, %r62, {Unsafe.SizeOf<TB>()}, %rd11;
            shl.b32 %r61, %r61, 5;
            add.u32 %r61, %r61, %r60;
            mad.wide.u32 %rd22, %r61, {Unsafe.SizeOf<TR>()}, %rd12;
            ld.global.{Memory(kinds[1])} {Register(kinds[1])}1, [%rd20];
            ld.global.{Memory(kinds[2])} {Register(kinds[2])}2, [%rd21];
            {instruction.Replace("d,", Register(kinds[0]) + "0,", StringComparison.Ordinal).Replace(" a", " " + Register(kinds[1]) + "1", StringComparison.Ordinal).Replace(" b", " " + Register(kinds[2]) + "2", StringComparison.Ordinal)}
            st.global.{Memory(kinds[0])} [%rd22], {Register(kinds[0])}0;
            ret;
            """;
        long result = device.Room<TR>(32 * 32);
        string text = Ptx.Text(body, parameters: 3, target: "sm_90", version: "7.8");
        Assembler.Check(text);
        device.Run(text, 32, 0, device.Give(a), device.Give(b), result);
        var found = device.Take<TR>(result, 32 * 32);
        for (int turn = 0; turn < 32; turn++)
        {
            for (int l = 0; l < 32; l++)
            {
                var wanted = expected(a[l], b[(l + turn) % 32]);
                Assert.True(Same(wanted, found[(turn * 32) + l]),
                    $"{instruction}: a = {a[l]}, b = {b[(l + turn) % 32]}: expected {wanted}, found {found[(turn * 32) + l]}");
            }
        }
    }

    private static bool Same<T>(T a, T b) where T : unmanaged => a switch
    {
        float x when float.IsNaN(x) => float.IsNaN((float)(object)b),
        float x => BitConverter.SingleToUInt32Bits(x) == BitConverter.SingleToUInt32Bits((float)(object)b),
        double x when double.IsNaN(x) => double.IsNaN((double)(object)b),
        double x => BitConverter.DoubleToUInt64Bits(x) == BitConverter.DoubleToUInt64Bits((double)(object)b),
        _ => EqualityComparer<T>.Default.Equals(a, b),
    };

    private static string Register(string kind) => kind switch
    {
        "b16" => "%h",
        "b64" => "%rd",
        "f32" => "%f",
        "f64" => "%d",
        _ => "%r",
    };

    private static string Memory(string kind) => kind;

    private static uint U(int value) => (uint)value;

    private static ulong U(long value) => (ulong)value;

    [Fact]
    public void Integers32_EdgeValues_AsInCSharp()
    {
        Check("add.s32 d, a, b;", "b32 b32 b32", Ints, Ints, (a, b) => a + b);
        Check("sub.u32 d, a, b;", "b32 b32 b32", Ints, Ints, (a, b) => a - b);
        Check("mul.lo.s32 d, a, b;", "b32 b32 b32", Ints, Ints, (a, b) => a * b);
        Check("mul.hi.s32 d, a, b;", "b32 b32 b32", Ints, Ints, (a, b) => (int)(((long)a * b) >> 32));
        Check("mul.hi.u32 d, a, b;", "b32 b32 b32", Ints, Ints, (a, b) => (uint)(((ulong)U(a) * U(b)) >> 32));
        Check("mul.wide.s32 d, a, b;", "b64 b32 b32", Ints, Ints, (a, b) => (long)a * b);
        Check("mul.wide.u32 d, a, b;", "b64 b32 b32", Ints, Ints, (a, b) => (ulong)U(a) * U(b));
        Check("mad.lo.s32 d, a, b, 17;", "b32 b32 b32", Ints, Ints, (a, b) => (a * b) + 17);
        Check("mad.wide.s32 d, a, b, -3;", "b64 b32 b32", Ints, Ints, (a, b) => ((long)a * b) - 3);
        Check("min.s32 d, a, b;", "b32 b32 b32", Ints, Ints, Math.Min);
        Check("max.s32 d, a, b;", "b32 b32 b32", Ints, Ints, Math.Max);
        Check("min.u32 d, a, b;", "b32 b32 b32", Ints, Ints, (a, b) => Math.Min(U(a), U(b)));
        Check("max.u32 d, a, b;", "b32 b32 b32", Ints, Ints, (a, b) => Math.Max(U(a), U(b)));
        Check("neg.s32 d, a;", "b32 b32 b32", Ints, Ints, (a, _) => -a);
        Check("abs.s32 d, a;", "b32 b32 b32", Ints, Ints, (a, _) => a == int.MinValue ? a : Math.Abs(a));
    }

    [Fact]
    public void Division_EdgeValues_TruncatesAndWraps()
    {
        int[] divisors = [.. Ints.Select(value => value == 0 ? 5 : value)];
        long[] wide = [.. Longs.Select(value => value == 0 ? 5 : value)];
        Check("div.s32 d, a, b;", "b32 b32 b32", Ints, divisors, (a, b) => b == -1 ? -a : a / b);
        Check("rem.s32 d, a, b;", "b32 b32 b32", Ints, divisors, (a, b) => b == -1 ? 0 : a % b);
        Check("div.u32 d, a, b;", "b32 b32 b32", Ints, divisors, (a, b) => U(a) / U(b));
        Check("rem.u32 d, a, b;", "b32 b32 b32", Ints, divisors, (a, b) => U(a) % U(b));
        Check("div.s64 d, a, b;", "b64 b64 b64", Longs, wide, (a, b) => b == -1 ? -a : a / b);
        Check("rem.s64 d, a, b;", "b64 b64 b64", Longs, wide, (a, b) => b == -1 ? 0 : a % b);
        Check("div.u64 d, a, b;", "b64 b64 b64", Longs, wide, (a, b) => U(a) / U(b));
        Check("rem.u64 d, a, b;", "b64 b64 b64", Longs, wide, (a, b) => U(a) % U(b));
    }

    [Fact]
    public void Integers16_EdgeValues_Wrap()
    {
        ushort[] shorts = [.. Ints.Select(value => (ushort)value)];
        Check("add.u16 d, a, b;", "b16 b16 b16", shorts, shorts, (a, b) => (ushort)(a + b));
        Check("sub.s16 d, a, b;", "b16 b16 b16", shorts, shorts, (a, b) => (ushort)(a - b));
        Check("mul.lo.s16 d, a, b;", "b16 b16 b16", shorts, shorts, (a, b) => (ushort)(a * b));
        Check("mul.wide.s16 d, a, b;", "b32 b16 b16", shorts, shorts, (a, b) => (short)a * (short)b);
        Check("min.s16 d, a, b;", "b16 b16 b16", shorts, shorts, (a, b) => (ushort)Math.Min((short)a, (short)b));
        Check("max.u16 d, a, b;", "b16 b16 b16", shorts, shorts, Math.Max);
        Check("not.b16 d, a;", "b16 b16 b16", shorts, shorts, (a, _) => (ushort)~a);
        Check("neg.s16 d, a;", "b16 b16 b16", shorts, shorts, (a, _) => (ushort)-(short)a);
        Check("shl.b16 d, a, 3;", "b16 b16 b16", shorts, shorts, (a, _) => (ushort)(a << 3));
        Check("shl.b16 d, a, 16;", "b16 b16 b16", shorts, shorts, (_, _) => (ushort)0);
        Check("shr.s16 d, a, 20;", "b16 b16 b16", shorts, shorts, (a, _) => (ushort)((short)a >> 15));
        Check("shr.u16 d, a, 5;", "b16 b16 b16", shorts, shorts, (a, _) => (ushort)(a >> 5));
        Check("setp.lt.s16 %p1, a, b; selp.u32 d, 1, 0, %p1;", "b32 b16 b16", shorts, shorts, (a, b) => (short)a < (short)b ? 1 : 0);
        Check("cvt.s32.s16 d, a;", "b32 b16 b16", shorts, shorts, (a, _) => (int)(short)a);
        Check("cvt.s32.s8 d, a;", "b32 b16 b16", shorts, shorts, (a, _) => (int)(sbyte)a);
    }

    [Fact]
    public void Integers64_EdgeValues_AsInCSharp()
    {
        Check("add.s64 d, a, b;", "b64 b64 b64", Longs, Longs, (a, b) => a + b);
        Check("sub.s64 d, a, b;", "b64 b64 b64", Longs, Longs, (a, b) => a - b);
        Check("mul.lo.s64 d, a, b;", "b64 b64 b64", Longs, Longs, (a, b) => a * b);
        Check("mul.hi.s64 d, a, b;", "b64 b64 b64", Longs, Longs, (a, b) => (long)(((Int128)a * b) >> 64));
        Check("mul.hi.u64 d, a, b;", "b64 b64 b64", Longs, Longs, (a, b) => (ulong)(((UInt128)U(a) * U(b)) >> 64));
        Check("mad.lo.s64 d, a, b, a;", "b64 b64 b64", Longs, Longs, (a, b) => (a * b) + a);
        Check("min.s64 d, a, b;", "b64 b64 b64", Longs, Longs, Math.Min);
        Check("max.u64 d, a, b;", "b64 b64 b64", Longs, Longs, (a, b) => Math.Max(U(a), U(b)));
        Check("and.b64 d, a, b;", "b64 b64 b64", Longs, Longs, (a, b) => a & b);
        Check("not.b64 d, a;", "b64 b64 b64", Longs, Longs, (a, _) => ~a);
        Check("neg.s64 d, a;", "b64 b64 b64", Longs, Longs, (a, _) => -a);
    }

    [Fact]
    public void Shifts_AmountsPastTheWidth_Clamp()
    {
        Check("shl.b32 d, a, b;", "b32 b32 b32", Ints, Ints, (a, b) => U(b) > 31 ? 0 : a << b);
        Check("shr.u32 d, a, b;", "b32 b32 b32", Ints, Ints, (a, b) => U(b) > 31 ? 0 : U(a) >> b);
        Check("shr.s32 d, a, b;", "b32 b32 b32", Ints, Ints, (a, b) => a >> (int)Math.Min(U(b), 31));
        Check("shl.b64 d, a, b;", "b64 b64 b32", Longs, Ints, (a, b) => U(b) > 63 ? 0 : a << b);
        Check("shr.u64 d, a, b;", "b64 b64 b32", Longs, Ints, (a, b) => U(b) > 63 ? 0 : U(a) >> b);
        Check("shr.s64 d, a, b;", "b64 b64 b32", Longs, Ints, (a, b) => a >> (int)Math.Min(U(b), 63));
        Check("shf.l.wrap.b32 d, a, b, a;", "b32 b32 b32", Ints, Ints, (a, b) => (uint)(((((ulong)U(b) << 32) | U(a)) << (a & 31)) >> 32));
        Check("shf.l.clamp.b32 d, a, b, a;", "b32 b32 b32", Ints, Ints,
            (a, b) => U(a) >= 32 ? U(a) : (uint)(((((ulong)U(b) << 32) | U(a)) << a) >> 32));
        Check("shf.r.wrap.b32 d, a, b, a;", "b32 b32 b32", Ints, Ints, (a, b) => (uint)((((ulong)U(b) << 32) | U(a)) >> (a & 31)));
        Check("shf.r.clamp.b32 d, a, b, a;", "b32 b32 b32", Ints, Ints, (a, b) => U(a) >= 32 ? U(b) : (uint)((((ulong)U(b) << 32) | U(a)) >> a));
    }

    [Fact]
    public void Bits_EdgeValues_AsDefined()
    {
        Check("popc.b32 d, a;", "b32 b32 b32", Ints, Ints, (a, _) => BitOperations.PopCount(U(a)));
        Check("popc.b64 d, a;", "b32 b64 b32", Longs, Ints, (a, _) => BitOperations.PopCount(U(a)));
        Check("clz.b32 d, a;", "b32 b32 b32", Ints, Ints, (a, _) => BitOperations.LeadingZeroCount(U(a)));
        Check("clz.b64 d, a;", "b32 b64 b32", Longs, Ints, (a, _) => BitOperations.LeadingZeroCount(U(a)));
        Check("brev.b32 d, a;", "b32 b32 b32", Ints, Ints, (a, _) => Convert.ToUInt32(new string([.. Convert.ToString(a, 2).PadLeft(32, '0').Reverse()]), 2));
        Check("lop3.b32 d, a, b, 12345, 0x96;", "b32 b32 b32", Ints, Ints, (a, b) => a ^ b ^ 12345);
        Check("lop3.b32 d, a, b, 12345, 0xE8;", "b32 b32 b32", Ints, Ints, (a, b) => (a & b) | (a & 12345) | (b & 12345));
        Check("prmt.b32 d, a, b, 0x7531;", "b32 b32 b32", Ints, Ints,
            (a, b) => ((U(a) >> 8) & 0xFF) | ((U(a) >> 24) << 8) | (((U(b) >> 8) & 0xFF) << 16) | ((U(b) >> 24) << 24));
        Check("prmt.b32 d, a, b, 0xFB80;", "b32 b32 b32", Ints, Ints,
            (a, b) => (U(a) & 0xFF) | ((a & 0x80) != 0 ? 0xFF00u : 0) | (a < 0 ? 0xFF0000u : 0) | (b < 0 ? 0xFF000000u : 0));
        Check("bfe.u32 d, a, 4, 8;", "b32 b32 b32", Ints, Ints, (a, _) => (U(a) >> 4) & 0xFF);
        Check("bfe.s32 d, a, 4, 8;", "b32 b32 b32", Ints, Ints, (a, _) => (a << 20) >> 24);
        Check("bfe.s32 d, a, 28, 8;", "b32 b32 b32", Ints, Ints, (a, _) => a >> 28);
        Check("bfe.u32 d, a, 28, 8;", "b32 b32 b32", Ints, Ints, (a, _) => U(a) >> 28);
        Check("bfe.s32 d, a, 4, 0;", "b32 b32 b32", Ints, Ints, (_, _) => 0);
        Check("bfe.u64 d, a, 20, 30;", "b64 b64 b32", Longs, Ints, (a, _) => (U(a) >> 20) & 0x3FFFFFFF);
        Check("bfi.b32 d, a, b, 8, 16;", "b32 b32 b32", Ints, Ints, (a, b) => (U(b) & 0xFF0000FF) | ((U(a) & 0xFFFF) << 8));
        Check("bfi.b32 d, a, b, 24, 16;", "b32 b32 b32", Ints, Ints, (a, b) => (U(b) & 0x00FFFFFF) | (U(a) << 24));
        Check("bfi.b64 d, a, b, 40, 8;", "b64 b64 b64", Longs, Longs, (a, b) => (U(b) & ~(0xFFUL << 40)) | ((U(a) & 0xFF) << 40));
    }

    [Fact]
    public void Floats_EdgeValues_CorrectlyRounded()
    {
        Check("add.rn.f32 d, a, b;", "f32 f32 f32", Floats, Floats, (a, b) => a + b);
        Check("sub.rn.f32 d, a, b;", "f32 f32 f32", Floats, Floats, (a, b) => a - b);
        Check("mul.rn.f32 d, a, b;", "f32 f32 f32", Floats, Floats, (a, b) => a * b);
        Check("div.rn.f32 d, a, b;", "f32 f32 f32", Floats, Floats, (a, b) => a / b);
        Check("fma.rn.f32 d, a, b, b;", "f32 f32 f32", Floats, Floats, (a, b) => MathF.FusedMultiplyAdd(a, b, b));
        Check("sqrt.rn.f32 d, a;", "f32 f32 f32", Floats, Floats, (a, _) => MathF.Sqrt(a));
        Check("rcp.rn.f32 d, a;", "f32 f32 f32", Floats, Floats, (a, _) => 1 / a);
        Check("neg.f32 d, a;", "f32 f32 f32", Floats, Floats, (a, _) => -a);
        Check("abs.f32 d, a;", "f32 f32 f32", Floats, Floats, (a, _) => MathF.Abs(a));
        Check("min.f32 d, a, b;", "f32 f32 f32", Floats, Floats, float.MinNumber);
        Check("max.f32 d, a, b;", "f32 f32 f32", Floats, Floats, float.MaxNumber);
        Check("min.NaN.f32 d, a, b;", "f32 f32 f32", Floats, Floats, MathF.Min);
        Check("max.NaN.f32 d, a, b;", "f32 f32 f32", Floats, Floats, MathF.Max);
        Check("add.rn.f64 d, a, b;", "f64 f64 f64", Doubles, Doubles, (a, b) => a + b);
        Check("mul.rn.f64 d, a, b;", "f64 f64 f64", Doubles, Doubles, (a, b) => a * b);
        Check("div.rn.f64 d, a, b;", "f64 f64 f64", Doubles, Doubles, (a, b) => a / b);
        Check("fma.rn.f64 d, a, b, a;", "f64 f64 f64", Doubles, Doubles, (a, b) => Math.FusedMultiplyAdd(a, b, a));
        Check("sqrt.rn.f64 d, a;", "f64 f64 f64", Doubles, Doubles, (a, _) => Math.Sqrt(a));
        Check("rcp.rn.f64 d, a;", "f64 f64 f64", Doubles, Doubles, (a, _) => 1 / a);
        Check("min.f64 d, a, b;", "f64 f64 f64", Doubles, Doubles, double.MinNumber);
    }

    [Theory]
    [InlineData("eq", false)]
    [InlineData("ne", false)]
    [InlineData("lt", false)]
    [InlineData("le", false)]
    [InlineData("gt", false)]
    [InlineData("ge", false)]
    [InlineData("equ", true)]
    [InlineData("neu", true)]
    [InlineData("ltu", true)]
    [InlineData("leu", true)]
    [InlineData("gtu", true)]
    [InlineData("geu", true)]
    [InlineData("num", false)]
    [InlineData("nan", true)]
    public void Setp_Floats_NaNAsTheNameSays(string comparison, bool nan)
    {
        bool Wanted(float a, float b) => float.IsNaN(a) || float.IsNaN(b) ? nan : comparison[..2] switch
        {
            "eq" => a == b,
            "ne" => a != b,
            "lt" => a < b,
            "le" => a <= b,
            "gt" => a > b,
            "ge" => a >= b,
            _ => comparison == "num",
        };
        Check($"setp.{comparison}.f32 %p1, a, b; selp.u32 d, 1, 0, %p1;", "b32 f32 f32", Floats, Floats, (a, b) => Wanted(a, b) ? 1 : 0);
    }

    [Fact]
    public void Setp_Integers_SignedAndUnsigned()
    {
        Check("setp.lt.s32 %p1, a, b; selp.u32 d, 1, 0, %p1;", "b32 b32 b32", Ints, Ints, (a, b) => a < b ? 1 : 0);
        Check("setp.lt.u32 %p1, a, b; selp.u32 d, 1, 0, %p1;", "b32 b32 b32", Ints, Ints, (a, b) => U(a) < U(b) ? 1 : 0);
        Check("setp.hs.u32 %p1, a, b; selp.u32 d, 1, 0, %p1;", "b32 b32 b32", Ints, Ints, (a, b) => U(a) >= U(b) ? 1 : 0);
        Check("setp.ge.s64 %p1, a, b; selp.u32 d, 1, 0, %p1;", "b32 b64 b64", Longs, Longs, (a, b) => a >= b ? 1 : 0);
        Check("setp.gt.u64 %p1, a, b; selp.u32 d, 1, 0, %p1;", "b32 b64 b64", Longs, Longs, (a, b) => U(a) > U(b) ? 1 : 0);
        Check("setp.gt.s32 %p2, a, 0; setp.lt.and.s32 %p1|%p3, a, b, !%p2; selp.u32 d, 1, 0, %p1;", "b32 b32 b32", Ints, Ints, (a, b) => a < b && a <= 0 ? 1 : 0);
        Check("setp.gt.s32 %p2, a, 0; setp.lt.or.s32 %p3|%p1, a, b, %p2; selp.u32 d, 1, 0, %p1;", "b32 b32 b32", Ints, Ints, (a, b) => a >= b || a > 0 ? 1 : 0);
    }

    [Fact]
    public void Cvt_FloatToInteger_SaturatesAndRounds()
    {
        Check("cvt.rzi.s32.f32 d, a;", "b32 f32 f32", Floats, Floats, (a, _) => (int)a);
        Check("cvt.rzi.u32.f32 d, a;", "b32 f32 f32", Floats, Floats, (a, _) => (uint)a);
        Check("cvt.rni.s32.f32 d, a;", "b32 f32 f32", Floats, Floats, (a, _) => (int)MathF.Round(a, MidpointRounding.ToEven));
        Check("cvt.rmi.s32.f32 d, a;", "b32 f32 f32", Floats, Floats, (a, _) => (int)MathF.Floor(a));
        Check("cvt.rpi.s32.f32 d, a;", "b32 f32 f32", Floats, Floats, (a, _) => (int)MathF.Ceiling(a));
        Check("cvt.rzi.s64.f32 d, a;", "b64 f32 f32", Floats, Floats, (a, _) => float.IsNaN(a) ? long.MinValue : (long)a);
        Check("cvt.rzi.u64.f64 d, a;", "b64 f64 f32", Doubles, Floats, (a, _) => double.IsNaN(a) ? 1UL << 63 : (ulong)a);
        Check("cvt.rzi.s32.f64 d, a;", "b32 f64 f32", Doubles, Floats, (a, _) => double.IsNaN(a) ? int.MinValue : (int)a);
        Check("cvt.rni.f32.f32 d, a;", "f32 f32 f32", Floats, Floats, (a, _) => MathF.Round(a, MidpointRounding.ToEven));
        Check("cvt.rzi.f32.f32 d, a;", "f32 f32 f32", Floats, Floats, (a, _) => MathF.Truncate(a));
        Check("cvt.sat.f32.f32 d, a;", "f32 f32 f32", Floats, Floats, (a, _) => float.IsNaN(a) || a <= 0 ? 0f : Math.Min(a, 1));
    }

    [Fact]
    public void Cvt_Integers_ExtendTruncateSaturate()
    {
        Check("cvt.s64.s32 d, a;", "b64 b32 b32", Ints, Ints, (a, _) => (long)a);
        Check("cvt.u64.u32 d, a;", "b64 b32 b32", Ints, Ints, (a, _) => (ulong)U(a));
        Check("cvt.u32.u64 d, a;", "b32 b64 b32", Longs, Ints, (a, _) => (uint)U(a));
        Check("cvt.s8.s32 d, a;", "b32 b32 b32", Ints, Ints, (a, _) => (int)(sbyte)a);
        Check("cvt.u8.u32 d, a;", "b32 b32 b32", Ints, Ints, (a, _) => (int)(byte)a);
        Check("cvt.sat.s8.s32 d, a;", "b32 b32 b32", Ints, Ints, (a, _) => Math.Clamp(a, -128, 127));
        Check("cvt.sat.u8.s32 d, a;", "b32 b32 b32", Ints, Ints, (a, _) => Math.Clamp(a, 0, 255));
        Check("cvt.sat.s32.s64 d, a;", "b32 b64 b32", Longs, Ints, (a, _) => (int)Math.Clamp(a, int.MinValue, int.MaxValue));
        Check("cvt.u16.u32 d, a;", "b16 b32 b32", Ints, Ints, (a, _) => (ushort)a);
        Check("cvt.rn.f32.s32 d, a;", "f32 b32 b32", Ints, Ints, (a, _) => (float)a);
        Check("cvt.rn.f32.u32 d, a;", "f32 b32 b32", Ints, Ints, (a, _) => (float)U(a));
        Check("cvt.rn.f32.s64 d, a;", "f32 b64 b32", Longs, Ints, (a, _) => (float)a);
        Check("cvt.rn.f32.u64 d, a;", "f32 b64 b32", Longs, Ints, (a, _) => (float)U(a));
        Check("cvt.rn.f64.s64 d, a;", "f64 b64 b32", Longs, Ints, (a, _) => (double)a);
        Check("cvt.rn.f64.u64 d, a;", "f64 b64 b32", Longs, Ints, (a, _) => (double)U(a));
        Check("cvt.rz.f32.s32 d, a;", "f32 b32 b32", Ints, Ints, (a, _) => TowardsZero(a));
        Check("cvt.rn.f16.s32 d, a;", "b16 b32 b32", Ints, Ints, (a, _) => BitConverter.HalfToUInt16Bits((Half)a));
    }

    private static float TowardsZero(int value)
    {
        float nearest = value;
        return Math.Abs((double)nearest) > Math.Abs((double)value) ? (value > 0 ? MathF.BitDecrement(nearest) : MathF.BitIncrement(nearest)) : nearest;
    }

    private static ushort Brain(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)0x7FFF : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    private static ushort Half16(float value) => float.IsNaN(value) ? (ushort)0x7FFF : BitConverter.HalfToUInt16Bits((Half)value);

    [Fact]
    public void Cvt_HalvesAndBfloats_TiesToEven()
    {
        Check("cvt.rn.f16.f32 d, a;", "b16 f32 f32", Floats, Floats, (a, _) => Half16(a));
        Check("cvt.rn.bf16.f32 d, a;", "b16 f32 f32", Floats, Floats, (a, _) => Brain(a));
        Check("cvt.rn.bf16x2.f32 d, a, b;", "b32 f32 f32", Floats, Floats, (a, b) => ((uint)Brain(a) << 16) | Brain(b));
        Check("cvt.rn.f16x2.f32 d, a, b;", "b32 f32 f32", Floats, Floats, (a, b) => ((uint)Half16(a) << 16) | Half16(b));
        ushort[] halves = [.. Enumerable.Range(0, 32).Select(n => (ushort)(n * 2113))];
        Check("cvt.f32.f16 d, a;", "f32 b16 b16", halves, halves, (a, _) => (float)BitConverter.UInt16BitsToHalf(a));
        Check("cvt.f32.bf16 d, a;", "f32 b16 b16", halves, halves, (a, _) => BitConverter.UInt32BitsToSingle((uint)a << 16));
        float[] ties = [.. Enumerable.Range(0, 32).Select(n => BitConverter.UInt32BitsToSingle(0x3F800000u + ((uint)n << 12) + (n % 3 == 0 ? 1u : 0)))];
        Check("cvt.rna.tf32.f32 d, a;", "b32 f32 f32", ties, ties, (a, _) => (BitConverter.SingleToUInt32Bits(a) + 0x1000) & 0xFFFFE000);
        Check("cvt.rn.f16.f32 d, a;", "b16 f32 f32", ties, ties, (a, _) => Half16(a));
        Check("cvt.f64.f32 d, a;", "f64 f32 f32", Floats, Floats, (a, _) => (double)a);
        Check("cvt.rn.f32.f64 d, a;", "f32 f64 f32", Doubles, Floats, (a, _) => (float)a);
    }

    [Fact]
    public void Fma_PairsOfHalves_RoundOnce()
    {
        uint[] pairs = [.. Enumerable.Range(0, 32).Select(n => (uint)((n * 0x35A1) & 0x7BFF) | ((uint)((n * 0x91B7) & 0xFBFF) << 16))];
        uint Each(uint a, uint b, Func<ushort, ushort, ushort> one) => one((ushort)a, (ushort)b) | ((uint)one((ushort)(a >> 16), (ushort)(b >> 16)) << 16);
        Check("fma.rn.f16x2 d, a, b, a;", "b32 b32 b32", pairs, pairs, (a, b) => Each(a, b, (x, y) =>
        {
            double p = (double)BitConverter.UInt16BitsToHalf(x), q = (double)BitConverter.UInt16BitsToHalf(y);
            return BitConverter.HalfToUInt16Bits((Half)((p * q) + p));
        }));
    }

    [Theory]
    [InlineData("ex2.approx.f32", 22)]
    [InlineData("rcp.approx.f32", 23)]
    [InlineData("rsqrt.approx.f32", 22.9)]
    [InlineData("sqrt.approx.f32", 23)]
    [InlineData("lg2.approx.f32", 22)]
    [InlineData("tanh.approx.f32", 11)]
    public void ApproximateFunctions_OrdinaryValues_ErrWithinTheBoundAndNotExactly(string opcode, double bits)
    {
        float[] values = [.. Enumerable.Range(0, 32).Select(n => 0.017f + (n * 0.37f))];
        bool inexact = false;
        Check($"{opcode} d, a;", "f32 f32 f32", values, values, (a, _) => Exact(opcode, a), (wanted, found) =>
        {
            double bound = Math.Pow(2, -bits) * (opcode[0] == 'l' && wanted is > -1 and < 1 ? 1 : Math.Abs(wanted));
            inexact |= found != (float)wanted;
            return Math.Abs(found - wanted) <= bound;
        });
        Assert.True(inexact);
    }

    private static double Exact(string opcode, double a) => opcode[..3] switch
    {
        "ex2" => Math.Pow(2, a),
        "rcp" => 1 / a,
        "rsq" => 1 / Math.Sqrt(a),
        "sqr" => Math.Sqrt(a),
        "lg2" => Math.Log2(a),
        _ => Math.Tanh(a),
    };

    private static void Check(string instruction, string types, float[] a, float[] b, Func<float, float, double> exact, Func<double, float, bool> within)
    {
        float[] found = new float[32];
        using var device = new Device();
        _ = types;
        long result = device.Room<float>(32);
        string text = Ptx.Text($"""
            {Ptx.Parameters(2)}{Ptx.Elements(2, 4)}
            ld.global.f32 %f1, [%rd20];
            {instruction.Replace("d,", "%f2,", StringComparison.Ordinal).Replace(" a", " %f1", StringComparison.Ordinal)}
            st.global.f32 [%rd21], %f2;
            """, parameters: 2);
        Assembler.Check(text);
        device.Run(text, 1, 0, device.Give(a), result);
        found = device.Take<float>(result, 32);
        for (int l = 0; l < 32; l++)
        {
            Assert.True(within(exact(a[l], b[l]), found[l]), $"{instruction} of {a[l]}: {found[l]}, exact {exact(a[l], b[l])}");
        }
    }
}
