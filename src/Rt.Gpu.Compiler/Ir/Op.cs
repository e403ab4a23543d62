// Operations that the compiler understands (folds, matches, fuses); all others are plain text.
namespace Rt.Gpu.Compiler.Ir;

internal enum Op : byte
{
    /// <summary>Known by its text only.</summary>
    Text,

    Add,
    Sub,
    Mul,
    DivS,
    DivU,
    RemS,
    RemU,
    And,
    Or,
    Xor,
    Not,
    Neg,
    Shl,
    ShrS,
    ShrU,
    MinS,
    MaxS,
    MinU,
    MaxU,
    AbsS,

    /// <summary>32 x 32 to 64 bits.</summary>
    MulWideS,
    MulWideU,

    /// <summary>a * b + c, the product signed 32 x 32 to 64 bits.</summary>
    MadWideS,
    MadLo,

    FAdd,
    FSub,
    FMul,
    FDiv,
    Fma,
    FNeg,
    FAbs,
    FMin,
    FMax,
    FSqrt,

    /// <summary>Comparisons; the text's condition is one of eq ne lt le gt ge and the unordered neu ltu leu gtu geu.</summary>
    CmpS,
    CmpU,
    CmpF,

    PAnd,
    POr,
    PXor,
    PNot,

    /// <summary>a ? b : c.</summary>
    Select,

    SExt,
    ZExt,
    Trunc,
    SExt8,
    SExt16,

    /// <summary>Number conversion, by its text.</summary>
    Cvt,

    /// <summary>The same bits under another type: no instruction.</summary>
    Bitcast,

    /// <summary>Low 16 bits as a 16-bit register; the high half of a pair; and back.</summary>
    Low16,
    High16,
    ZExt16,

    /// <summary>Two 16-bit halves as one register.</summary>
    Pack16,

    /// <summary>A float rounded to a 16-bit element; two of them in one register.</summary>
    RoundHalf,
    RoundBFloat,

    /// <summary>Address of a shared array.</summary>
    SharedAddress,
    Param,
    Special,
}
