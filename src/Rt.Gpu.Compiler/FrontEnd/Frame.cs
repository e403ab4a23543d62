// One inlined call: its variables, its type arguments, and where its return goes.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Rt.Gpu.Compiler.FrontEnd;

internal sealed class Frame(Frame? caller, int path, IMethodSymbol method)
{
    public Frame? Caller { get; } = caller;

    /// <summary>Number of the chain of calls that leads here.</summary>
    public int Path { get; } = path;

    /// <summary>The definition that is inlined.</summary>
    public IMethodSymbol Method { get; } = method;

    public Dictionary<ITypeParameterSymbol, ITypeSymbol> TypeArguments { get; } = new(SymbolEqualityComparer.Default);

    /// <summary>Locals and parameters; a struct's own <c>this</c> under its type definition.</summary>
    public Dictionary<ISymbol, Place> Variables { get; } = new(SymbolEqualityComparer.Default);

    public Stack<(IOperation Loop, Region Exit, Region Next)> Loops { get; } = new();

    /// <summary>What a return leaves; null where the only return is the end.</summary>
    public Region? ReturnRegion { get; set; }

    public Cell? Result { get; set; }

    /// <summary>Place that a method returning by reference names.</summary>
    public Place? ResultPlace { get; set; }
}
