// What a kernel marked Portable may use: the part of the vocabulary that ILGPU has under the same names.
// Source: ILGPU 1.5, its classes Warp, Group, Atomic, Interop, SharedMemory and ILGPU.Algorithms.XMath.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Rt.Gpu.Compiler.FrontEnd;

/// <summary>Names what ILGPU does not have.</summary>
/// <remarks><see cref="System.Half"/> stands for ILGPU's type of that name, and the attributes of a kernel are declarations, not code.</remarks>
internal static class PortableSubset
{
    /// <summary>The foreign type within this type, or null.</summary>
    public static string? Foreign(ITypeSymbol? type)
    {
        if (type is not INamedTypeSymbol named)
        {
            return null;
        }

        if (named.Name is "BFloat16" or "Vec2" or "Vec4" or "Vec8" && Scalars.InNamespace(named, "Rt.Gpu"))
        {
            return named.Name;
        }

        return named.TypeArguments.Select(Foreign).FirstOrDefault(name => name is not null);
    }

    /// <summary>The foreign member or type that a call uses, or null.</summary>
    public static string? Foreign(IInvocationOperation call)
    {
        var method = call.TargetMethod;
        if (method.ContainingType is { } type && Scalars.InNamespace(type, "Rt.Gpu"))
        {
            var foreign = type.Name switch
            {
                "Approximate" or "Element" or "Mma" or "LdMatrix" or "AsyncCopy" or "Ptx" or "Unroll" => true,
                "XMath" => method.Name is "Erf" or "Fma",
                "Warp" => method.Name is "All" or "Any" or "Ballot",
                _ => false,
            };
            if (foreign)
            {
                return $"{type.Name}.{method.Name}";
            }
        }

        return method.TypeArguments.Select(Foreign).FirstOrDefault(name => name is not null);
    }
}
