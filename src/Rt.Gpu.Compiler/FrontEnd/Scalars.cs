// The number types of C# as kernels see them.
using Microsoft.CodeAnalysis;
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.FrontEnd;

internal enum Scalar : byte
{
    None,
    Bool,
    SByte,
    Byte,
    Int16,
    UInt16,
    Int32,
    UInt32,
    Int64,
    UInt64,
    Single,
    Double,
    Half,
    BFloat16,
}

internal static class Scalars
{
    public static Scalar Of(ITypeSymbol type)
    {
        if (type is INamedTypeSymbol { TypeKind: TypeKind.Enum, EnumUnderlyingType: { } underlying })
        {
            return Of(underlying);
        }

        return type.SpecialType switch
        {
            SpecialType.System_Boolean => Scalar.Bool,
            SpecialType.System_SByte => Scalar.SByte,
            SpecialType.System_Byte => Scalar.Byte,
            SpecialType.System_Int16 => Scalar.Int16,
            SpecialType.System_UInt16 => Scalar.UInt16,
            SpecialType.System_Int32 => Scalar.Int32,
            SpecialType.System_UInt32 => Scalar.UInt32,
            SpecialType.System_Int64 => Scalar.Int64,
            SpecialType.System_UInt64 => Scalar.UInt64,
            SpecialType.System_Single => Scalar.Single,
            SpecialType.System_Double => Scalar.Double,
            _ => type.Name switch
            {
                "Half" when InNamespace(type, "System") => Scalar.Half,
                "BFloat16" when InNamespace(type, "Rt.Gpu") => Scalar.BFloat16,
                _ => Scalar.None,
            },
        };
    }

    public static bool InNamespace(ISymbol symbol, string name) => symbol.ContainingNamespace?.ToDisplayString() == name;

    /// <summary>Register type; 16-bit elements are kept as their bits, zero-extended.</summary>
    public static IrType Register(Scalar scalar) => scalar switch
    {
        Scalar.Bool => IrType.Pred,
        Scalar.Int64 or Scalar.UInt64 => IrType.I64,
        Scalar.Single => IrType.F32,
        Scalar.Double => IrType.F64,
        _ => IrType.I32,
    };

    /// <summary>Bytes in memory.</summary>
    public static int Size(Scalar scalar) => scalar switch
    {
        Scalar.Bool or Scalar.SByte or Scalar.Byte => 1,
        Scalar.Int16 or Scalar.UInt16 or Scalar.Half or Scalar.BFloat16 => 2,
        Scalar.Int64 or Scalar.UInt64 or Scalar.Double => 8,
        _ => 4,
    };

    public static bool IsSigned(Scalar scalar) => scalar is Scalar.SByte or Scalar.Int16 or Scalar.Int32 or Scalar.Int64;

    public static bool IsInteger(Scalar scalar) => scalar is >= Scalar.SByte and <= Scalar.UInt64;

    public static bool IsFloat(Scalar scalar) => scalar is Scalar.Single or Scalar.Double;

    /// <summary>Suffix of a load or store.</summary>
    public static string MemoryType(Scalar scalar) => scalar switch
    {
        Scalar.Bool or Scalar.Byte => "u8",
        Scalar.SByte => "s8",
        Scalar.Int16 => "s16",
        Scalar.UInt16 or Scalar.BFloat16 => "u16",
        Scalar.Half => "b16",
        Scalar.Int64 or Scalar.UInt64 => "b64",
        Scalar.Single => "f32",
        Scalar.Double => "f64",
        _ => "b32",
    };
}
