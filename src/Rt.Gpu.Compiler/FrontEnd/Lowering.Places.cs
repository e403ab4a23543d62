// Variables, parts of structs and elements of views, as places to read and assign.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.FrontEnd;

internal sealed partial class Lowering
{
    private Place LowerPlace(IOperation operation)
    {
        switch (operation)
        {
            case ILocalReferenceOperation local when _frame.Variables.TryGetValue(local.Local, out var variable):
                return variable;
            case ILocalReferenceOperation { IsDeclaration: true } local:
                return Declare(local.Local, Substitute(local.Local.Type), null);
            case IParameterReferenceOperation parameter when _frame.Variables.TryGetValue(parameter.Parameter, out var variable):
                return variable;
            case IDeclarationExpressionOperation { Expression: ILocalReferenceOperation declared }:
                return Declare(declared.Local, Substitute(declared.Local.Type), null);
            case IDiscardOperation:
                return new DiscardPlace();
            case IInstanceReferenceOperation { Type: { } type } when _frame.Variables.TryGetValue(type.OriginalDefinition, out var self):
                return self;
            case IFieldReferenceOperation { Instance: { } instance } field when !operation.ConstantValue.HasValue:
                return Part(LowerPlace(instance), field.Field, field);
            case IPropertyReferenceOperation { Instance: { } instance } property when IsPlaceProperty(property):
                return PropertyPart(LowerPlace(instance), property);
            case IConversionOperation conversion when conversion.Type is { } to && conversion.Operand.Type is { } from
                && SymbolEqualityComparer.Default.Equals(Substitute(to), Substitute(from)):
                return LowerPlace(conversion.Operand);
            case IInvocationOperation invocation when invocation.TargetMethod.ReturnsByRef || invocation.TargetMethod.ReturnsByRefReadonly:
                LowerInvocation(invocation);
                return _lastPlace ?? throw Unsupported(operation);
            case ILocalReferenceOperation when _errors.Count > 0:
                throw new AlreadyReportedException();
            case ILocalReferenceOperation or IParameterReferenceOperation or IInstanceReferenceOperation:
                throw new KernelException(Diagnostics.NotSupported, operation.Syntax.GetLocation(), $"'{operation.Syntax}', captured from outside",
                    "pass it as an argument to a static method");
            case IDeclarationExpressionOperation or IFieldReferenceOperation { Instance: not null }:
                throw Unsupported(operation);
            default:
                return new ValuePlace(Lower(operation));
        }
    }

    // An indexer of a view or vector, or an automatic property of a struct.
    private bool IsPlaceProperty(IPropertyReferenceOperation property)
    {
        var type = Substitute(property.Instance!.Type!);
        return property.Property.IsIndexer ? IsView(type, out _) || VectorLength(type, out _) > 0 : BackingField(property.Property) is not null;
    }

    private static IFieldSymbol? BackingField(IPropertySymbol property) => property.ContainingType.OriginalDefinition.GetMembers()
        .OfType<IFieldSymbol>()
        .FirstOrDefault(field => SymbolEqualityComparer.Default.Equals(field.AssociatedSymbol, property.OriginalDefinition));

    private Place Part(Place place, IFieldSymbol field, IOperation operation)
    {
        var index = field.ContainingType is { } type ? PartIndex(type, field) : 0;
        return PartAt(place, index, operation);
    }

    private Place PartAt(Place place, int index, IOperation operation) => place switch
    {
        CellPlace { Cell: AggregateCell aggregate } => new CellPlace(aggregate.Parts[index]),
        ValuePlace { Datum: AggregateDatum aggregate } => new ValuePlace(aggregate.Parts[index]),
        MemoryPlace memory when VectorLength(memory.Type, out var element) > 0 =>
            new MemoryPlace(memory.Space, memory.Address, memory.Offset + (index * SizeOf(element)), element, memory.ReadOnlyName, memory.IsConstant),
        _ => throw Unsupported(operation),
    };

    private Place PropertyPart(Place place, IPropertyReferenceOperation property)
    {
        var type = Substitute(property.Instance?.Type ?? property.Property.ContainingType);
        if (!property.Property.IsIndexer)
        {
            if (Scalars.Of(type) == Scalar.BFloat16)
            {
                return place;
            }

            var field = BackingField(property.Property) ?? throw Unsupported(property);
            return Part(place, field, property);
        }

        var index = LowerValue(property.Arguments[0].Value);
        if (!IsView(type, out _))
        {
            var length = VectorLength(type, out _);
            if (!index.IsConst)
            {
                throw new LocalIndexException(property.Syntax.GetLocation());
            }

            CheckRange(index.Int32, length, property);
            return PartAt(place, index.Int32, property);
        }

        var datum = ReadPlace(place, property);
        if (datum is AmbiguousDatum)
        {
            throw Ambiguous(property.Instance!);
        }

        return ElementPlace((ViewDatum)datum, index, property);
    }

    private Place ElementPlace(ViewDatum view, Value index, IOperation operation)
    {
        if (view.Space == Space.Local)
        {
            if (!index.IsConst)
            {
                throw new LocalIndexException(operation.Syntax.GetLocation());
            }

            var element = (index.Type == IrType.I32 ? index.Int32 : index.Int64) + view.Offset;
            CheckRange(element, view.Array!.Elements.Length, operation);
            return new CellPlace(view.Array.Elements[element]);
        }

        var size = SizeOf(view.Element);
        if (size > 16)
        {
            throw new KernelException(Diagnostics.VectorSize, operation.Syntax.GetLocation(), view.Element.ToDisplayString(SymbolDisplayFormat.MinimallyQualifiedFormat), size.ToString());
        }

        var (address, offset) = ElementAddress(view, index, size);
        return new MemoryPlace(view.Space, address, offset, view.Element, view.ReadOnlyName, view.IsConstant);
    }

    private static void CheckRange(long index, long length, IOperation operation)
    {
        if (index < 0 || index >= length)
        {
            throw new KernelException(Diagnostics.NotSupported, operation.Syntax.GetLocation(), $"Index {index} into {length} elements", "stay within them");
        }
    }

    // Address and constant bytes of an element; the constant fits an instruction.
    private (Value Address, long Offset) ElementAddress(ViewDatum view, Value index, int size)
    {
        var (address, offset) = view.Space == Space.Global
            ? _builder.GlobalElement(view.Address!, index, size)
            : _builder.SharedElement(view.Address!, index, size);
        offset += view.Offset;
        return offset == (int)offset ? (address, offset) : (_builder.Add(address, _builder.I64(offset)), 0);
    }

    private Datum ReadPlace(Place place, IOperation operation) => place switch
    {
        CellPlace cell => ReadCell(cell.Cell, operation),
        MemoryPlace memory => Load(memory),
        ValuePlace value => value.Datum,
        _ => throw Unsupported(operation),
    };

    private void WritePlace(Place place, Datum datum, IOperation operation)
    {
        switch (place)
        {
            case CellPlace cell:
                WriteCell(cell.Cell, datum);
                break;
            case MemoryPlace { ReadOnlyName: { } name }:
                throw new KernelException(Diagnostics.ReadOnlyWrite, operation.Syntax.GetLocation(), name);
            case MemoryPlace memory:
                Store(memory, datum);
                break;
            case DiscardPlace:
                break;
            default:
                throw Unsupported(operation);
        }
    }

    private Datum ReadCell(Cell cell, IOperation operation)
    {
        if (cell is AggregateCell aggregate)
        {
            return new AggregateDatum(aggregate.Type, [.. aggregate.Parts.Select(part => ReadCell(part, operation))]);
        }

        var leaf = (Leaf)cell;
        if (leaf.Pinned is { } register)
        {
            var inst = new Inst(Op.Text, register.Type == IrType.I64 || register.Type == IrType.F64 ? "mov.b64 %0, %1" : "mov.b32 %0, %1", [], InstFlags.Reads)
            {
                InPlace = [register],
                Source = Uniformity.Thread,
            };
            return new ScalarDatum(_builder.Effect(inst, [register.Type]).Results[0], leaf.Scalar);
        }

        if (leaf.Current is { } datum)
        {
            return datum;
        }

        // Local memory has no value until it is written; C# sees to it that variables have.
        return leaf.Scalar == Scalar.None || _errors.Count > 0
            ? throw new AlreadyReportedException()
            : new ScalarDatum(_builder.Constant(Scalars.Register(leaf.Scalar), 0), leaf.Scalar);
    }

    private void WriteCell(Cell cell, Datum datum)
    {
        if (cell is AggregateCell aggregate)
        {
            if (datum is not AggregateDatum source)
            {
                throw new AlreadyReportedException();
            }

            for (var i = 0; i < aggregate.Parts.Length; i++)
            {
                WriteCell(aggregate.Parts[i], source.Parts[i]);
            }

            return;
        }

        var leaf = (Leaf)cell;
        if (leaf.Pinned is { } register)
        {
            _builder.Append(new AssignNode([(register, ((ScalarDatum)datum).Value)]));
        }
        else
        {
            _environment.Set(leaf, datum);
        }
    }

    private Datum LowerField(IFieldReferenceOperation field)
    {
        if (field.Field.IsStatic)
        {
            throw new KernelException(Diagnostics.MutableStatic, field.Syntax.GetLocation(), field.Field.Name);
        }

        return ReadPlace(LowerPlace(field), field);
    }

    private Datum LowerProperty(IPropertyReferenceOperation property)
    {
        var symbol = property.Property;
        if (property.Instance is not { } instance)
        {
            if (IntrinsicProperty(symbol) is { } intrinsic)
            {
                return intrinsic;
            }

            var getter = (IPropertySymbol)ResolveMember(symbol, property.ConstrainedToType);
            return Inline(getter.GetMethod!, property, null, []) ?? throw new AlreadyReportedException();
        }

        var type = Substitute(instance.Type!);
        if (IsPlaceProperty(property))
        {
            return ReadPlace(LowerPlace(property), property);
        }

        if (IsView(type, out _))
        {
            if (Lower(instance) is not ViewDatum view)
            {
                throw Ambiguous(instance);
            }

            return symbol.Name switch
            {
                "Length" => new ScalarDatum(view.Length, Scalar.Int64),
                "IntLength" => new ScalarDatum(_builder.Trunc(view.Length), Scalar.Int32),
                _ => throw new KernelException(Diagnostics.NoSource, property.Syntax.GetLocation(), "ArrayView." + symbol.Name, "index the view instead"),
            };
        }

        if (Scalars.Of(type) == Scalar.BFloat16 && symbol.Name == "Bits")
        {
            return new ScalarDatum(LowerValue(instance), Scalar.UInt16);
        }

        return Inline(symbol.GetMethod!, property, LowerPlace(instance), []);
    }
}
