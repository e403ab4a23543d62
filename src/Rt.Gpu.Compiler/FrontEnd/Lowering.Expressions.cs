// Expressions.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.FrontEnd;

internal sealed partial class Lowering
{
    private Value LowerValue(IOperation operation) => ValueOf(Lower(operation), operation);

    private static Value ValueOf(Datum datum, IOperation operation) => datum switch
    {
        ScalarDatum scalar => scalar.Value,
        AmbiguousDatum => throw Ambiguous(operation),
        _ => throw new KernelException(Diagnostics.NotSupported, operation.Syntax.GetLocation(), $"'{operation.Syntax}' as a number", "use a field or an element of it"),
    };

    private static KernelException Ambiguous(IOperation operation) => new(Diagnostics.AmbiguousView, operation.Syntax.GetLocation(),
        operation.Syntax.ToString(), "choose the view under a condition that is constant at build time, or use it inside each branch");

    private void LowerDiscarded(IOperation operation)
    {
        switch (operation)
        {
            case IInvocationOperation invocation:
                LowerInvocation(invocation);
                break;
            case IAssignmentOperation or IIncrementOrDecrementOperation:
                Lower(operation);
                break;
            case IConditionalOperation or IAwaitOperation or IThrowOperation:
                if (operation is IConditionalOperation conditional)
                {
                    LowerStatement(conditional);
                    break;
                }

                throw Forbidden(operation, operation is IAwaitOperation ? "await" : "throw");
            default:
                Lower(operation);
                break;
        }
    }

    private Datum Lower(IOperation operation)
    {
        if (_attributes.Portable && PortableSubset.Foreign(operation.Type) is { } foreign)
        {
            ReportForeign(operation, foreign);
        }

        if (operation.ConstantValue is { HasValue: true, Value: var constant } && operation.Type is { } constantType)
        {
            if (constant is string text)
            {
                return new TextDatum(text);
            }

            var scalar = Scalars.Of(constantType);
            if (scalar != Scalar.None && constant is not null)
            {
                return new ScalarDatum(ConstantOf(scalar, constant), scalar);
            }
        }

        switch (operation)
        {
            case IParenthesizedOperation parenthesized:
                return Lower(parenthesized.Operand);
            case ILocalReferenceOperation or IParameterReferenceOperation or IInstanceReferenceOperation or IDeclarationExpressionOperation:
                return ReadPlace(LowerPlace(operation), operation);
            case IFieldReferenceOperation field:
                return LowerField(field);
            case IPropertyReferenceOperation property:
                return LowerProperty(property);
            case IBinaryOperation binary:
                return LowerBinary(binary);
            case IUnaryOperation unary:
                return LowerUnary(unary);
            case IConversionOperation conversion:
                return LowerConversion(conversion);
            case ISimpleAssignmentOperation assignment:
                return LowerAssignment(assignment);
            case ICompoundAssignmentOperation compound:
                return LowerCompound(compound);
            case IIncrementOrDecrementOperation increment:
                return LowerIncrement(increment);
            case IDeconstructionAssignmentOperation deconstruction:
                return LowerDeconstruction(deconstruction);
            case IConditionalOperation conditional:
                return LowerTernary(conditional);
            case IInvocationOperation invocation:
                return LowerInvocation(invocation) ?? throw new AlreadyReportedException();
            case IObjectCreationOperation creation:
                return LowerCreation(creation);
            case IDefaultValueOperation when operation.Type is not null:
                return Zero(Substitute(operation.Type));
            case ITupleOperation tuple:
                return new AggregateDatum(Substitute(tuple.Type!), [.. tuple.Elements.Select(Lower)]);
            case ISwitchExpressionOperation choice:
                return LowerSwitchExpression(choice);
            case IIsPatternOperation pattern:
                return new ScalarDatum(Matches(Lower(pattern.Value), pattern.Pattern), Scalar.Bool);
            case ISizeOfOperation size:
                return new ScalarDatum(_builder.I32(SizeOf(Substitute(size.TypeOperand))), Scalar.Int32);
            case IWithOperation with:
                return LowerWith(with);
            case IInvalidOperation:
                throw new AlreadyReportedException();
            default:
                throw Unsupported(operation);
        }
    }

    private static KernelException Unsupported(IOperation operation)
    {
        var location = operation.Syntax.GetLocation();
        return operation switch
        {
            IArrayCreationOperation or IArrayElementReferenceOperation or ICollectionExpressionOperation =>
                new KernelException(Diagnostics.ManagedObject, location, $"'{operation.Syntax}' (an array)"),
            IInterpolatedStringOperation or ILiteralOperation { Type.SpecialType: SpecialType.System_String } =>
                new KernelException(Diagnostics.ManagedObject, location, "A string"),
            IAnonymousFunctionOperation or IDelegateCreationOperation or IMethodReferenceOperation =>
                new KernelException(Diagnostics.IndirectCall, location, $"'{operation.Syntax}'"),
            IThrowOperation => Forbidden(operation, "throw"),
            IAwaitOperation => Forbidden(operation, "await"),
            IAnonymousObjectCreationOperation or IDynamicObjectCreationOperation =>
                new KernelException(Diagnostics.ManagedObject, location, $"'{operation.Syntax}'"),
            _ => new KernelException(Diagnostics.NotSupported, location, $"'{operation.Syntax}' ({operation.Kind})", "write it with plain arithmetic, calls and branches"),
        };
    }

    private Value ConstantOf(Scalar scalar, object constant) => scalar switch
    {
        Scalar.Bool => _builder.Bool((bool)constant),
        Scalar.Single => _builder.F32(System.Convert.ToSingle(constant)),
        Scalar.Double => _builder.F64(System.Convert.ToDouble(constant)),
        Scalar.UInt64 => _builder.I64(unchecked((long)System.Convert.ToUInt64(constant))),
        Scalar.Int64 => _builder.I64(System.Convert.ToInt64(constant)),
        _ => _builder.I32(unchecked((int)System.Convert.ToInt64(constant is char letter ? (int)letter : constant))),
    };

    private Datum Zero(ITypeSymbol type)
    {
        var scalar = Scalars.Of(type);
        return scalar != Scalar.None ? new ScalarDatum(_builder.Constant(Scalars.Register(scalar), 0), scalar)
            : IsView(type, out _) ? throw new KernelException(Diagnostics.NotSupported, CurrentLocation, "An empty view", "start from a parameter or from allocated memory")
            : new AggregateDatum(type, [.. PartTypes(type).Select(Zero)]);
    }

    private Datum LowerAssignment(ISimpleAssignmentOperation assignment)
    {
        if (assignment.IsRef)
        {
            var target = assignment.Target switch
            {
                ILocalReferenceOperation local => (ISymbol)local.Local,
                IParameterReferenceOperation parameter => parameter.Parameter,
                _ => throw Unsupported(assignment),
            };
            _frame.Variables[target] = LowerPlace(assignment.Value);
            return new AmbiguousDatum();
        }

        var place = LowerPlace(assignment.Target);
        var value = Lower(assignment.Value);
        WritePlace(place, value, assignment.Target);
        return value;
    }

    private Datum LowerCompound(ICompoundAssignmentOperation compound)
    {
        RefuseChecked(compound.IsChecked, compound);
        var place = LowerPlace(compound.Target);
        var left = ReadPlace(place, compound.Target);
        var right = Lower(compound.Value);
        Datum result;
        if (left is ScalarDatum { Type: not (Scalar.Half or Scalar.BFloat16) } a && right is ScalarDatum b)
        {
            var isShift = compound.OperatorKind is BinaryOperatorKind.LeftShift or BinaryOperatorKind.RightShift or BinaryOperatorKind.UnsignedRightShift;
            var type = isShift ? Promoted(a.Type) : a.Type == Scalar.Bool ? Scalar.Bool : Wider(Promoted(a.Type), Promoted(b.Type));
            var value = Arithmetic(
                compound.OperatorKind, Convert(a.Value, a.Type, type), isShift ? b.Value : Convert(b.Value, b.Type, type), type, compound);
            result = new ScalarDatum(Convert(value, type, a.Type), a.Type);
        }
        else if (compound.OperatorMethod is { } method)
        {
            result = Inline(Resolve(method, compound.ConstrainedToType), compound, null, [left, right]);
        }
        else
        {
            throw Unsupported(compound);
        }

        WritePlace(place, result, compound.Target);
        return result;
    }

    private Datum LowerIncrement(IIncrementOrDecrementOperation increment)
    {
        RefuseChecked(increment.IsChecked, increment);
        var place = LowerPlace(increment.Target);
        if (ReadPlace(place, increment.Target) is not ScalarDatum old)
        {
            throw Unsupported(increment);
        }

        var type = Promoted(old.Type);
        var one = Convert(_builder.I32(1), Scalar.Int32, type);
        var kind = increment.Kind == OperationKind.Increment ? BinaryOperatorKind.Add : BinaryOperatorKind.Subtract;
        var value = Arithmetic(kind, Convert(old.Value, old.Type, type), one, type, increment);
        var next = new ScalarDatum(Convert(value, type, old.Type), old.Type);
        WritePlace(place, next, increment.Target);
        return increment.IsPostfix ? old : next;
    }

    private Datum LowerDeconstruction(IDeconstructionAssignmentOperation deconstruction)
    {
        var value = Lower(deconstruction.Value);
        Deconstruct(deconstruction.Target, value);
        return value;
    }

    private void Deconstruct(IOperation target, Datum value)
    {
        if (target is IDeclarationExpressionOperation { Expression: ITupleOperation inner })
        {
            target = inner;
        }

        if (target is ITupleOperation tuple)
        {
            if (value is not AggregateDatum { Type.IsTupleType: true } parts)
            {
                throw Unsupported(target);
            }

            for (var i = 0; i < tuple.Elements.Length; i++)
            {
                Deconstruct(tuple.Elements[i], parts.Parts[i]);
            }

            return;
        }

        var place = LowerPlace(target);
        if (value is ScalarDatum scalar && target.Type is { } type && Scalars.Of(Substitute(type)) is var to and not Scalar.None && to != scalar.Type)
        {
            value = new ScalarDatum(Convert(scalar.Value, scalar.Type, to), to);
        }

        WritePlace(place, value, target);
    }

    private Datum LowerTernary(IConditionalOperation conditional)
    {
        var condition = LowerValue(conditional.Condition);
        return Choose(condition, Substitute(conditional.Type!), conditional, () => Lower(conditional.WhenTrue), () => Lower(conditional.WhenFalse!));
    }

    // The value of one of two expressions, of which only one is evaluated.
    private Datum Choose(Value condition, ITypeSymbol type, IOperation operation, Func<Datum> whenTrue, Func<Datum> whenFalse)
    {
        if (condition.IsConst)
        {
            return condition.Bits != 0 ? whenTrue() : whenFalse();
        }

        var cell = NewCell(type, PathOf(_frame.Path, operation));
        LowerIf(condition, () => WriteCell(cell, whenTrue()), () => WriteCell(cell, whenFalse()));
        return ReadCell(cell, operation);
    }

    private Datum LowerSwitchExpression(ISwitchExpressionOperation choice)
    {
        var subject = Lower(choice.Value);
        var type = Substitute(choice.Type!);
        Datum Arm(int index)
        {
            var arm = choice.Arms[index];
            if (arm.Guard is not null)
            {
                throw new KernelException(Diagnostics.NotSupported, arm.Syntax.GetLocation(), "A guarded case", "use if statements");
            }

            return index == choice.Arms.Length - 1
                ? Lower(arm.Value)
                : Choose(Matches(subject, arm.Pattern), type, arm, () => Lower(arm.Value), () => Arm(index + 1));
        }

        return Arm(0);
    }

    private Value Matches(Datum subject, IPatternOperation pattern)
    {
        switch (pattern)
        {
            case IConstantPatternOperation constant:
                return EqualTo(subject, Lower(constant.Value));
            case IDiscardPatternOperation:
                return _builder.Bool(true);
            case INegatedPatternOperation negated:
                return _builder.Not1(Matches(subject, negated.Pattern));
            case IBinaryPatternOperation binary:
                var left = Matches(subject, binary.LeftPattern);
                var right = Matches(subject, binary.RightPattern);
                return binary.OperatorKind == BinaryOperatorKind.Or ? _builder.Or1(left, right) : _builder.And1(left, right);
            case IRelationalPatternOperation relational when subject is ScalarDatum scalar && Lower(relational.Value) is ScalarDatum limit:
                return Arithmetic(relational.OperatorKind, scalar.Value, Convert(limit.Value, limit.Type, scalar.Type), scalar.Type, relational);
            default:
                throw Unsupported(pattern);
        }
    }

    private Value EqualTo(Datum subject, Datum constant)
    {
        if (subject is not ScalarDatum a || constant is not ScalarDatum b)
        {
            throw new KernelException(Diagnostics.NotSupported, CurrentLocation, "A pattern on this value", "compare its parts");
        }

        var value = Convert(b.Value, b.Type, a.Type);
        return a.Type == Scalar.Bool ? _builder.Not1(_builder.Xor1(a.Value, value)) : _builder.Compare("eq", a.Value, value, true);
    }

    private Datum LowerCreation(IObjectCreationOperation creation)
    {
        var type = Substitute(creation.Type!);
        if (type.IsReferenceType)
        {
            throw new KernelException(Diagnostics.ManagedObject, creation.Syntax.GetLocation(), $"'{creation.Syntax}'");
        }

        if (IsView(type, out _))
        {
            throw new KernelException(Diagnostics.NotSupported, creation.Syntax.GetLocation(), "A view of an address", "use SubView or Cast of a parameter");
        }

        var cell = NewCell(type, PathOf(_frame.Path, creation));
        var place = new CellPlace(cell);
        WriteCell(cell, Zero(type));
        if (creation.Constructor is { IsImplicitlyDeclared: false } constructor)
        {
            InlineConstructor(constructor, creation, place);
        }

        if (creation.Initializer is { } initializer)
        {
            Initialize(initializer, place);
        }

        return ReadCell(cell, creation);
    }

    private Datum LowerWith(IWithOperation with)
    {
        var type = Substitute(with.Type!);
        var cell = NewCell(type, PathOf(_frame.Path, with));
        WriteCell(cell, Lower(with.Operand));
        Initialize(with.Initializer, new CellPlace(cell));
        return ReadCell(cell, with);
    }

    private void Initialize(IObjectOrCollectionInitializerOperation initializer, CellPlace place)
    {
        foreach (var item in initializer.Initializers)
        {
            if (item is not ISimpleAssignmentOperation assignment)
            {
                throw Unsupported(item);
            }

            var value = Lower(assignment.Value);
            var member = assignment.Target switch
            {
                IFieldReferenceOperation field => Part(place, field.Field, field),
                IPropertyReferenceOperation property => PropertyPart(place, property),
                _ => throw Unsupported(assignment),
            };
            WritePlace(member, value, assignment.Target);
        }
    }

    private static void RefuseChecked(bool isChecked, IOperation operation)
    {
        if (isChecked)
        {
            throw new KernelException(Diagnostics.NotSupported, operation.Syntax.GetLocation(), "checked arithmetic", "kernels wrap around; test the range yourself");
        }
    }
}
