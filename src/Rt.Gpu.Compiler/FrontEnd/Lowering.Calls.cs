// Calls: intrinsics by name, everything else inlined.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.FrontEnd;

internal sealed partial class Lowering
{
    private Place? _lastPlace;

    // Null for a call without a value.
    private Datum? LowerInvocation(IInvocationOperation invocation)
    {
        var target = invocation.TargetMethod;
        if (_attributes.Portable && PortableSubset.Foreign(invocation) is { } foreign)
        {
            ReportForeign(invocation, foreign);
        }

        if (target.MethodKind == MethodKind.DelegateInvoke)
        {
            throw new KernelException(Diagnostics.IndirectCall, invocation.Syntax.GetLocation(), $"'{invocation.Syntax}'");
        }

        if (Intrinsic(invocation, out var result))
        {
            return result;
        }

        if (invocation.IsVirtual && invocation.Instance is { Type.IsReferenceType: true })
        {
            throw new KernelException(Diagnostics.IndirectCall, invocation.Syntax.GetLocation(), $"'{target.Name}' (virtual)");
        }

        var method = Resolve(target, invocation.ConstrainedToType);
        var self = invocation.Instance is { } instance ? LowerPlace(instance) : null;
        if (self is not null && invocation.Instance!.Type is ITypeParameterSymbol parameter
            && Substitute(parameter).FindImplementationForInterfaceMember(target) is IMethodSymbol implementation)
        {
            method = implementation;
        }

        return InlineArguments(method, invocation, self, invocation.Arguments);
    }

    // A type is reported where it is first met, a member wherever it is used.
    private void ReportForeign(IOperation operation, string name)
    {
        var isMember = name.Contains('.');
        if (isMember || !_errors.Any(error => error.Rule == Diagnostics.NotPortable && error.Arguments[1] == name))
        {
            _errors.Add(new KernelException(Diagnostics.NotPortable, operation.Syntax.GetLocation(), _attributes.Method.Name, name));
        }
    }

    // The implementation of a static abstract member for the current type arguments.
    private IMethodSymbol Resolve(IMethodSymbol method, ITypeSymbol? constrainedTo) => (IMethodSymbol)ResolveMember(method, constrainedTo);

    private ISymbol ResolveMember(ISymbol member, ITypeSymbol? constrainedTo)
    {
        if (constrainedTo is null)
        {
            return member;
        }

        var type = Substitute(constrainedTo);
        if (member is IMethodSymbol { IsGenericMethod: true } generic)
        {
            var definition = SubstituteContainer(generic.OriginalDefinition);
            var found = type.FindImplementationForInterfaceMember(definition) as IMethodSymbol;
            return found?.Construct([.. generic.TypeArguments.Select(Substitute)]) ?? member;
        }

        return type.FindImplementationForInterfaceMember(SubstituteContainer(member)) ?? member;
    }

    // A member of a generic interface, seen with the current type arguments.
    private T SubstituteContainer<T>(T member)
        where T : class, ISymbol
    {
        if (member.ContainingType is not { IsGenericType: true } container)
        {
            return member;
        }

        var constructed = (INamedTypeSymbol)Substitute(container);
        return constructed.GetMembers(member.Name).OfType<T>()
            .First(candidate => SymbolEqualityComparer.Default.Equals(candidate.OriginalDefinition, member.OriginalDefinition));
    }

    private Datum? InlineArguments(IMethodSymbol method, IInvocationOperation call, Place? self, IEnumerable<IArgumentOperation> arguments)
    {
        var places = new Place[method.Parameters.Length];
        foreach (var argument in arguments)
        {
            var parameter = argument.Parameter!;
            places[parameter.Ordinal] = parameter.RefKind switch
            {
                RefKind.Ref or RefKind.Out or RefKind.In or RefKind.RefReadOnlyParameter => LowerPlace(argument.Value),
                _ => new ValuePlace(Lower(argument.Value)),
            };
        }

        return InlinePlaces(method, call, self, places);
    }

    private Datum Inline(IMethodSymbol method, IOperation call, Place? self, Datum[] arguments) =>
        InlinePlaces(method, call, self, [.. arguments.Select(argument => new ValuePlace(argument))]) ?? throw new AlreadyReportedException();

    private void InlineConstructor(IMethodSymbol constructor, IObjectCreationOperation creation, CellPlace self)
    {
        var places = new Place[constructor.Parameters.Length];
        foreach (var argument in creation.Arguments)
        {
            places[argument.Parameter!.Ordinal] = new ValuePlace(Lower(argument.Value));
        }

        if (PrimaryFields(constructor) is { } fields)
        {
            for (var i = 0; i < places.Length; i++)
            {
                if (fields[i] is { } field)
                {
                    WritePlace(Part(self, field, creation), ReadPlace(places[i], creation), creation);
                }
            }

            return;
        }

        InlinePlaces(constructor, creation, self, places);
    }

    // A record struct's positional parameters and the fields they set.
    private static IFieldSymbol?[]? PrimaryFields(IMethodSymbol constructor)
    {
        if (!constructor.ContainingType.IsRecord || constructor.Parameters.Length == 0)
        {
            return null;
        }

        var properties = constructor.Parameters
            .Select(parameter => constructor.ContainingType.GetMembers(parameter.Name).OfType<IPropertySymbol>().FirstOrDefault())
            .ToArray();
        return properties.Any(property => property is null) ? null : [.. properties.Select(property => BackingField(property!))];
    }

    private Datum? InlinePlaces(IMethodSymbol method, IOperation call, Place? self, Place[] arguments)
    {
        var definition = (method.ReducedFrom ?? method).OriginalDefinition;
        definition = definition.PartialImplementationPart ?? definition;
        var body = _bodies.Of(definition) ?? throw NoSource(method, call);
        for (var caller = _frame; caller is not null; caller = caller.Caller)
        {
            if (SymbolEqualityComparer.Default.Equals(caller.Method, definition))
            {
                throw new KernelException(Diagnostics.Recursion, call.Syntax.GetLocation(), method.Name);
            }
        }

        var frame = new Frame(_frame, PathOf(_frame.Path, call), definition);
        AddTypeArguments(frame, method, definition);
        var line = _builder.Line;
        var position = _position;
        var outer = _frame;
        _frame = frame;
        for (var i = 0; i < arguments.Length; i++)
        {
            var parameter = definition.Parameters[i];
            if (parameter.RefKind == RefKind.None && arguments[i] is ValuePlace value)
            {
                Declare(parameter, Substitute(parameter.Type), value.Datum);
            }
            else
            {
                frame.Variables[parameter] = arguments[i];
            }
        }

        if (self is not null)
        {
            frame.Variables[definition.ContainingType.OriginalDefinition] = self;
        }

        if (!method.ReturnsVoid && !method.ReturnsByRef && !method.ReturnsByRefReadonly && method.MethodKind != MethodKind.Constructor)
        {
            frame.Result = NewCell(Substitute(definition.ReturnType), PathOf(frame.Path, "result"));
        }

        if (_bodies.ReturnsOnlyAtEnd(definition, body))
        {
            LowerBodyOf(definition);
        }
        else
        {
            LowerScope(exit =>
            {
                frame.ReturnRegion = exit;
                LowerBodyOf(definition);
            });
        }

        _frame = outer;
        _builder.Line = line;
        _position = position;
        _lastPlace = frame.ResultPlace;
        if (method.ReturnsByRef || method.ReturnsByRefReadonly)
        {
            return _lastPlace is null ? null : ReadPlace(_lastPlace, call);
        }

        return frame.Result is null || !_environment.IsLive ? null : ReadCell(frame.Result, call);
    }

    private void AddTypeArguments(Frame frame, IMethodSymbol method, IMethodSymbol definition)
    {
        for (var i = 0; i < definition.TypeParameters.Length; i++)
        {
            frame.TypeArguments[definition.TypeParameters[i]] = Substitute(method.TypeArguments[i]);
        }

        for (INamedTypeSymbol? type = method.ContainingType; type is not null; type = type.ContainingType)
        {
            for (var i = 0; i < type.TypeParameters.Length; i++)
            {
                frame.TypeArguments[type.OriginalDefinition.TypeParameters[i]] = Substitute(type.TypeArguments[i]);
            }
        }
    }

    private void LowerBodyOf(IMethodSymbol definition)
    {
        switch (_bodies.Of(definition))
        {
            case IBlockOperation block:
                LowerAll(block.Operations);
                break;
            case null:
                throw new AlreadyReportedException();
            case var other:
                LowerStatement(other);
                break;
        }
    }

    private static KernelException NoSource(IMethodSymbol method, IOperation call)
    {
        var name = $"{method.ContainingType?.ToDisplayString(SymbolDisplayFormat.MinimallyQualifiedFormat)}.{method.Name}";
        var cure = method.ContainingType?.Name switch
        {
            "Math" or "MathF" => "use XMath or Approximate of Rt.Gpu",
            "Console" or "Debug" => "kernels cannot print; write to a view",
            "Half" => "convert to float with Element.ToFloat, compute, and convert back",
            "Array" or "Span" or "Buffer" => "use an ArrayView",
            "Interlocked" => "use Atomic",
            _ => "write a static method in this project, or use XMath, Interop, Element, Warp, Group, Atomic or Ptx of Rt.Gpu",
        };
        return new KernelException(Diagnostics.NoSource, call.Syntax.GetLocation(), name, cure);
    }
}
