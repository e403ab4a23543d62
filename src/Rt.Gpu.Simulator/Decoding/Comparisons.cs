// What runs a setp: by comparison and type.
// Source: PTX ISA, "setp".
using Rt.Gpu.Simulator.Execution;
using unsafe Handler = delegate*<Rt.Gpu.Simulator.Execution.Worker, Rt.Gpu.Simulator.Execution.Instruction*, uint, void>;

namespace Rt.Gpu.Simulator.Decoding;

internal static unsafe class Comparisons
{
    /// <summary>The handler of setp.<paramref name="comparison"/>.<paramref name="type"/>, or null.</summary>
    public static Handler Find(string comparison, string type) => type switch
    {
        "s32" => Integer<int>(comparison),
        "u32" => Unsigned<uint>(comparison),
        "b32" => Bits<uint>(comparison),
        "s64" => Integer<long>(comparison),
        "u64" => Unsigned<ulong>(comparison),
        "b64" => Bits<ulong>(comparison),
        "u16" => Unsigned<uint>(comparison),
        "b16" => Bits<uint>(comparison),
        "s16" => Short(comparison),
        "f32" => Float<float>(comparison),
        "f64" => Float<double>(comparison),
        _ => null,
    };

    private static Handler Bits<T>(string comparison) where T : unmanaged => comparison switch
    {
        "eq" => &Lanes.Compare<Equal<T>, T>,
        "ne" => &Lanes.Compare<NotEqual<T>, T>,
        _ => null,
    };

    private static Handler Integer<T>(string comparison) where T : unmanaged => comparison switch
    {
        "lt" => &Lanes.Compare<Less<T>, T>,
        "le" => &Lanes.Compare<LessOrEqual<T>, T>,
        "gt" => &Lanes.Compare<More<T>, T>,
        "ge" => &Lanes.Compare<MoreOrEqual<T>, T>,
        _ => Bits<T>(comparison),
    };

    private static Handler Unsigned<T>(string comparison) where T : unmanaged => comparison switch
    {
        "lo" => Integer<T>("lt"),
        "ls" => Integer<T>("le"),
        "hi" => Integer<T>("gt"),
        "hs" => Integer<T>("ge"),
        _ => Integer<T>(comparison),
    };

    private static Handler Short(string comparison) => comparison switch
    {
        "eq" => &Lanes.Compare<Equal<int>, int>,
        "ne" => &Lanes.Compare<NotEqual<int>, int>,
        "lt" => &Lanes.Compare<CompareSigned16<Less<int>>, int>,
        "le" => &Lanes.Compare<CompareSigned16<LessOrEqual<int>>, int>,
        "gt" => &Lanes.Compare<CompareSigned16<More<int>>, int>,
        "ge" => &Lanes.Compare<CompareSigned16<MoreOrEqual<int>>, int>,
        _ => null,
    };

    private static Handler Float<T>(string comparison) where T : unmanaged => comparison switch
    {
        "equ" => &Lanes.Compare<Unless<NotEqual<T>, T>, T>,
        "neu" => &Lanes.Compare<Unless<Equal<T>, T>, T>,
        "ltu" => &Lanes.Compare<Unless<MoreOrEqual<T>, T>, T>,
        "leu" => &Lanes.Compare<Unless<More<T>, T>, T>,
        "gtu" => &Lanes.Compare<Unless<LessOrEqual<T>, T>, T>,
        "geu" => &Lanes.Compare<Unless<Less<T>, T>, T>,
        "num" => &Lanes.Compare<Ordered<T>, T>,
        "nan" => &Lanes.Compare<Unless<Ordered<T>, T>, T>,
        _ => Integer<T>(comparison),
    };
}
