// Element types of tensors, under the names that safetensors headers use.
namespace Rt.Core;

/// <summary>Element type of a tensor. The names are those of the safetensors format.</summary>
public enum DType : byte
{
    F32,
    F16,
    BF16,
    F64,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    BOOL,
    F8_E4M3,
    F8_E5M2,
    F8_E8M0,
    F8_E4M3FNUZ,
    F8_E5M2FNUZ,
    F6_E2M3,
    F6_E3M2,
    F4,
    C64,
}

/// <summary>Facts about element types.</summary>
public static class DTypes
{
    /// <summary>Bits per element; sub-byte types are packed.</summary>
    public static int Bits(this DType type) => type switch
    {
        DType.F64 or DType.I64 or DType.U64 or DType.C64 => 64,
        DType.F32 or DType.I32 or DType.U32 => 32,
        DType.F16 or DType.BF16 or DType.I16 or DType.U16 => 16,
        DType.F6_E2M3 or DType.F6_E3M2 => 6,
        DType.F4 => 4,
        _ => 8,
    };

    /// <summary>Bytes per element of a type that fills whole bytes.</summary>
    /// <exception cref="ArgumentException">The type packs several elements into a byte.</exception>
    public static int Bytes(this DType type)
    {
        var bits = type.Bits();
        return bits % 8 == 0 ? bits / 8 : throw new ArgumentException($"{type} elements do not fill whole bytes");
    }

    /// <summary>Whether weights may be stored in this type: F32, F16 or BF16 (and F64 on the reference device).</summary>
    public static bool IsWeight(this DType type) => type is DType.F32 or DType.F16 or DType.BF16 or DType.F64;
}
