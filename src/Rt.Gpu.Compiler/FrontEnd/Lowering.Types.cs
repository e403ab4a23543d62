// Types as the current call sees them.
using Microsoft.CodeAnalysis;

namespace Rt.Gpu.Compiler.FrontEnd;

internal sealed partial class Lowering
{
    // The type with the type arguments of the current call put in.
    private ITypeSymbol Substitute(ITypeSymbol type)
    {
        switch (type)
        {
            case ITypeParameterSymbol parameter:
                for (var frame = _frame; frame is not null; frame = IsNested(frame) ? frame.Caller : null)
                {
                    if (frame.TypeArguments.TryGetValue(parameter, out var argument))
                    {
                        return argument;
                    }
                }

                return type;
            case INamedTypeSymbol { IsTupleType: true } tuple:
                return _bodies.Compilation.CreateTupleTypeSymbol([.. tuple.TupleElements.Select(element => Substitute(element.Type))]);
            case INamedTypeSymbol { IsGenericType: true } named:
                return named.OriginalDefinition.Construct([.. named.TypeArguments.Select(Substitute)]);
            default:
                return type;
        }
    }

    // A static local function sees the type parameters of the method around it.
    private static bool IsNested(Frame frame) => frame.Method.MethodKind == MethodKind.LocalFunction;

    private static bool IsView(ITypeSymbol type, out ITypeSymbol element)
    {
        if (type is INamedTypeSymbol { Name: "ArrayView", TypeArguments: [var argument] } && Scalars.InNamespace(type, "Rt.Gpu"))
        {
            element = argument;
            return true;
        }

        element = type;
        return false;
    }

    /// <summary>Elements of Vec2, Vec4 or Vec8, or 0.</summary>
    private static int VectorLength(ITypeSymbol type, out ITypeSymbol element)
    {
        element = type;
        if (type is not INamedTypeSymbol { TypeArguments: [var argument] } || !Scalars.InNamespace(type, "Rt.Gpu"))
        {
            return 0;
        }

        element = argument;
        return type.Name switch { "Vec2" => 2, "Vec4" => 4, "Vec8" => 8, _ => 0 };
    }

    // Types of the parts of a struct, tuple or vector.
    private ITypeSymbol[] PartTypes(ITypeSymbol type)
    {
        var length = VectorLength(type, out var element);
        if (length > 0)
        {
            return [.. Enumerable.Repeat(element, length)];
        }

        if (type is INamedTypeSymbol { IsTupleType: true } tuple)
        {
            return [.. tuple.TupleElements.Select(item => item.Type)];
        }

        if (type is INamedTypeSymbol { TypeKind: TypeKind.Struct } named && type.SpecialType == SpecialType.None)
        {
            return [.. Fields(named).Select(field => field.Type)];
        }

        throw new KernelException(Diagnostics.ManagedObject, CurrentLocation, $"A value of type '{type.ToDisplayString()}'");
    }

    private static IEnumerable<IFieldSymbol> Fields(ITypeSymbol type) => type.GetMembers().OfType<IFieldSymbol>().Where(field => !field.IsStatic);

    // Position of a field among the parts.
    private int PartIndex(ITypeSymbol type, IFieldSymbol field)
    {
        if (type is INamedTypeSymbol { IsTupleType: true })
        {
            var name = (field.CorrespondingTupleField ?? field).Name;
            return int.Parse(name.Substring("Item".Length)) - 1;
        }

        var index = 0;
        foreach (var candidate in Fields(type))
        {
            if (candidate.Name == field.Name)
            {
                return index;
            }

            index++;
        }

        throw new KernelException(Diagnostics.NotSupported, CurrentLocation, $"Field '{field.Name}'", "use a field of a struct of this project");
    }

    private int SizeOf(ITypeSymbol type)
    {
        var scalar = Scalars.Of(type);
        if (scalar != Scalar.None)
        {
            return Scalars.Size(scalar);
        }

        var length = VectorLength(type, out var element);
        if (length > 0)
        {
            return length * SizeOf(element);
        }

        throw new KernelException(Diagnostics.NotSupported, CurrentLocation, $"'{type.ToDisplayString()}' as an element in memory",
            "use numbers, BFloat16, Half or Vec2, Vec4, Vec8 of them, and one view per field");
    }
}
