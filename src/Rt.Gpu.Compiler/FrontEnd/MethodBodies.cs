// Operation trees of the methods of one compilation, made once.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Rt.Gpu.Compiler.FrontEnd;

internal sealed class MethodBodies(Compilation compilation)
{
    private readonly Dictionary<ISymbol, IOperation?> _bodies = new(SymbolEqualityComparer.Default);
    private readonly Dictionary<SyntaxTree, SemanticModel> _models = [];
    private readonly Dictionary<ISymbol, bool> _simpleReturns = new(SymbolEqualityComparer.Default);

    public Compilation Compilation { get; } = compilation;

    /// <summary>The block of a method, accessor, operator, constructor or local function; null without source.</summary>
    public IOperation? Of(IMethodSymbol method)
    {
        lock (_bodies)
        {
            if (!_bodies.TryGetValue(method, out var body))
            {
                _bodies[method] = body = Find(method);
            }

            return body;
        }
    }

    private IOperation? Find(IMethodSymbol method)
    {
        if (method.DeclaringSyntaxReferences is not [var reference, ..])
        {
            return null;
        }

        var syntax = reference.GetSyntax();
        if (!Compilation.ContainsSyntaxTree(syntax.SyntaxTree))
        {
            return null;
        }

        if (!_models.TryGetValue(syntax.SyntaxTree, out var model))
        {
            _models[syntax.SyntaxTree] = model = Compilation.GetSemanticModel(syntax.SyntaxTree);
        }

        return model.GetOperation(syntax) switch
        {
            IMethodBodyOperation body => body.BlockBody ?? body.ExpressionBody,
            IConstructorBodyOperation constructor => constructor.BlockBody ?? constructor.ExpressionBody,
            ILocalFunctionOperation local => local.Body,
            var other => other,
        };
    }

    /// <summary>Whether the only return is the last statement, so that nothing must be jumped over.</summary>
    public bool ReturnsOnlyAtEnd(IMethodSymbol method, IOperation body)
    {
        lock (_simpleReturns)
        {
            if (!_simpleReturns.TryGetValue(method, out var simple))
            {
                _simpleReturns[method] = simple = ReturnsOnlyAtEnd(body);
            }

            return simple;
        }
    }

    private static bool ReturnsOnlyAtEnd(IOperation body)
    {
        var returns = 0;
        foreach (var operation in body.Descendants())
        {
            if (operation is IReturnOperation { Kind: OperationKind.Return, IsImplicit: false } or IReturnOperation { ReturnedValue: not null })
            {
                returns++;
            }
        }

        return returns == 0 || (returns == 1 && body is IBlockOperation { Operations: [.., IReturnOperation] });
    }
}
