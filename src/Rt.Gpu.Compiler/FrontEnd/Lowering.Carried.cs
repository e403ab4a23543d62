// Registers of the variables that a loop carries from trip to trip.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.FrontEnd;

internal sealed partial class Lowering
{
    private Datum NewCarried(Leaf leaf, AssignNode initial, Block block)
    {
        if (leaf.Current is ViewDatum view)
        {
            var address = view.Address is null ? null : Carried(view.Address.Type, view.Address);
            return view.With(address, view.Offset, Carried(IrType.I64, view.Length));
        }

        var value = (leaf.Current as ScalarDatum)?.Value;
        return new ScalarDatum(Carried(Scalars.Register(leaf.Scalar), value), leaf.Scalar);

        Value Carried(IrType type, Value? start)
        {
            var register = _builder.NewRegister(type);
            if (start is not null)
            {
                initial.Moves.Add((register, start));
            }

            return _builder.ReadRegister(register, block);
        }
    }

    // The registers' next content at the end of a trip or where the loop is left.
    private void AddMoves(Edge edge, Datum carried, Datum? next)
    {
        switch (carried, next)
        {
            case (_, null):
                break;
            case (ScalarDatum to, ScalarDatum from):
                edge.Assign.Moves.Add((to.Value.Register!, from.Value));
                break;
            case (ViewDatum to, ViewDatum from) when to.SameMemory(from):
                edge.Assign.Moves.Add((to.Length.Register!, from.Length));
                if (to.Address is { } address)
                {
                    edge.Assign.Moves.Add((address.Register!, AddressIn(edge.Assign, from.With(from.Address, from.Offset - to.Offset, from.Length))));
                }

                break;
            default:
                throw new KernelException(Diagnostics.AmbiguousView, CurrentLocation, "a view that this loop assigns",
                    "give it memory of one kind in all trips, and for local memory one constant start");
        }
    }

    private Datum Reread(Datum carried, Block block) => carried switch
    {
        ViewDatum view => view.With(
            view.Address is null ? null : _builder.ReadRegister(view.Address.Register!, block), view.Offset,
            _builder.ReadRegister(view.Length.Register!, block)),
        ScalarDatum scalar => new ScalarDatum(_builder.ReadRegister(scalar.Value.Register!, block), scalar.Type),
        _ => carried,
    };

    // A condition that is a register's content now, although the register is assigned before the jump.
    private Value Detached(Value condition)
    {
        var source = condition.Def is { Op: Op.PNot } inst ? inst.Operands[0] : condition;
        return source.Register is null ? condition : _builder.Effect("mov.pred %0, %1", InstFlags.Reads, [IrType.Pred], condition).Results[0];
    }

    // Variables that some operation below may assign, seen from this method.
    private static HashSet<ISymbol> AssignedSymbols(IEnumerable<IOperation> roots)
    {
        var symbols = new HashSet<ISymbol>(SymbolEqualityComparer.Default);
        foreach (var operation in roots.SelectMany(root => root.DescendantsAndSelf()))
        {
            switch (operation)
            {
                case IAssignmentOperation assignment:
                    AddRoots(assignment.Target, symbols);
                    break;
                case IIncrementOrDecrementOperation increment:
                    AddRoots(increment.Target, symbols);
                    break;
                case IArgumentOperation { Parameter.RefKind: not RefKind.None } argument:
                    AddRoots(argument.Value, symbols);
                    break;
                case IVariableDeclaratorOperation { Symbol.IsRef: true } declarator when declarator.GetVariableInitializer() is { } initializer:
                    AddRoots(initializer.Value, symbols);
                    break;
                case IInvocationOperation { Instance: { Type.IsValueType: true } instance }:
                    AddRoots(instance, symbols);
                    break;
            }
        }

        return symbols;
    }

    private static void AddRoots(IOperation target, HashSet<ISymbol> symbols)
    {
        switch (target)
        {
            case ILocalReferenceOperation local:
                symbols.Add(local.Local);
                break;
            case IParameterReferenceOperation parameter:
                symbols.Add(parameter.Parameter);
                break;
            case IFieldReferenceOperation { Instance: { } instance }:
                AddRoots(instance, symbols);
                break;
            case IPropertyReferenceOperation { Instance: { } instance }:
                AddRoots(instance, symbols);
                break;
            case IInstanceReferenceOperation { Type: { } type }:
                symbols.Add(type.OriginalDefinition);
                break;
            case ITupleOperation tuple:
                foreach (var element in tuple.Elements)
                {
                    AddRoots(element, symbols);
                }

                break;
            case IDeclarationExpressionOperation declaration:
                AddRoots(declaration.Expression, symbols);
                break;
            case IConversionOperation conversion:
                AddRoots(conversion.Operand, symbols);
                break;
        }
    }
}
