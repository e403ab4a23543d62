// Operators, with exact C# meaning.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.FrontEnd;

internal sealed partial class Lowering
{
    private Datum LowerBinary(IBinaryOperation binary)
    {
        RefuseChecked(binary.IsChecked, binary);
        if (binary.OperatorKind is BinaryOperatorKind.ConditionalAnd or BinaryOperatorKind.ConditionalOr)
        {
            var first = LowerValue(binary.LeftOperand);
            var isAnd = binary.OperatorKind == BinaryOperatorKind.ConditionalAnd;
            var known = new ScalarDatum(_builder.Bool(!isAnd), Scalar.Bool);
            return isAnd
                ? Choose(first, binary.Type!, binary, () => Lower(binary.RightOperand), () => known)
                : Choose(first, binary.Type!, binary, () => known, () => Lower(binary.RightOperand));
        }

        if (TypeComparison(binary) is { } same)
        {
            return new ScalarDatum(_builder.Bool(same), Scalar.Bool);
        }

        var left = Lower(binary.LeftOperand);
        var right = Lower(binary.RightOperand);
        if (left is ScalarDatum { Type: not (Scalar.Half or Scalar.BFloat16) } a && right is ScalarDatum { Type: not (Scalar.Half or Scalar.BFloat16) } b)
        {
            var result = Arithmetic(binary.OperatorKind, a.Value, b.Value, a.Type, binary);
            var type = result.Type == IrType.Pred ? Scalar.Bool : a.Type;
            return new ScalarDatum(result, type);
        }

        if (left is TextDatum || right is TextDatum)
        {
            throw new KernelException(Diagnostics.ManagedObject, binary.Syntax.GetLocation(), "A string");
        }

        if (left is AggregateDatum { Type.IsTupleType: true } or ScalarDatum { Type: Scalar.Half or Scalar.BFloat16 } || binary.OperatorMethod is null)
        {
            throw new KernelException(Diagnostics.NotSupported, binary.Syntax.GetLocation(), $"'{binary.Syntax}' on this type",
                "convert to float with Element.ToFloat or a cast, or work on the parts");
        }

        return Inline(Resolve(binary.OperatorMethod, binary.ConstrainedToType), binary, null, [left, right]);
    }

    // typeof(T) == typeof(X), a constant.
    private bool? TypeComparison(IBinaryOperation binary)
    {
        if (binary.OperatorKind is not (BinaryOperatorKind.Equals or BinaryOperatorKind.NotEquals)
            || Unwrapped(binary.LeftOperand) is not ITypeOfOperation left || Unwrapped(binary.RightOperand) is not ITypeOfOperation right)
        {
            return null;
        }

        var same = SymbolEqualityComparer.Default.Equals(Substitute(left.TypeOperand), Substitute(right.TypeOperand));
        return same == (binary.OperatorKind == BinaryOperatorKind.Equals);
    }

    private static IOperation Unwrapped(IOperation operation) => operation is IConversionOperation conversion ? Unwrapped(conversion.Operand) : operation;

    private Datum LowerUnary(IUnaryOperation unary)
    {
        RefuseChecked(unary.IsChecked, unary);
        var operand = Lower(unary.Operand);
        if (operand is not ScalarDatum { Type: not (Scalar.Half or Scalar.BFloat16) } scalar)
        {
            return unary.OperatorMethod is { } method && operand is AggregateDatum
                ? Inline(Resolve(method, unary.ConstrainedToType), unary, null, [operand])
                : throw Unsupported(unary);
        }

        var value = scalar.Value;
        var result = unary.OperatorKind switch
        {
            UnaryOperatorKind.Plus => value,
            UnaryOperatorKind.Minus when Scalars.IsFloat(scalar.Type) => _builder.FNeg(value),
            UnaryOperatorKind.Minus => _builder.Neg(value),
            UnaryOperatorKind.BitwiseNegation => _builder.Not(value),
            UnaryOperatorKind.Not => _builder.Not1(value),
            _ => throw Unsupported(unary),
        };
        return new ScalarDatum(result, scalar.Type);
    }

    // Both operands have the type given, but for the amount of a shift.
    private Value Arithmetic(BinaryOperatorKind kind, Value a, Value b, Scalar type, IOperation operation)
    {
        var signed = Scalars.IsSigned(type);
        if (type == Scalar.Bool)
        {
            return kind switch
            {
                BinaryOperatorKind.And => _builder.And1(a, b),
                BinaryOperatorKind.Or => _builder.Or1(a, b),
                BinaryOperatorKind.ExclusiveOr or BinaryOperatorKind.NotEquals => _builder.Xor1(a, b),
                BinaryOperatorKind.Equals => _builder.Not1(_builder.Xor1(a, b)),
                _ => throw Unsupported(operation),
            };
        }

        switch (kind)
        {
            case BinaryOperatorKind.Equals:
                return _builder.Compare("eq", a, b, signed);
            case BinaryOperatorKind.NotEquals:
                return _builder.Compare("ne", a, b, signed);
            case BinaryOperatorKind.LessThan:
                return _builder.Compare("lt", a, b, signed);
            case BinaryOperatorKind.LessThanOrEqual:
                return _builder.Compare("le", a, b, signed);
            case BinaryOperatorKind.GreaterThan:
                return _builder.Compare("gt", a, b, signed);
            case BinaryOperatorKind.GreaterThanOrEqual:
                return _builder.Compare("ge", a, b, signed);
        }

        if (Scalars.IsFloat(type))
        {
            return kind switch
            {
                BinaryOperatorKind.Add => _builder.FloatBinary(Op.FAdd, a, b),
                BinaryOperatorKind.Subtract => _builder.FloatBinary(Op.FSub, a, b),
                BinaryOperatorKind.Multiply => _builder.FloatBinary(Op.FMul, a, b),
                BinaryOperatorKind.Divide => _builder.FloatBinary(Op.FDiv, a, b),
                BinaryOperatorKind.Remainder => throw new KernelException(Diagnostics.NotSupported, operation.Syntax.GetLocation(),
                    "% of floating-point numbers", "write x - y * trunc(x / y) with the rounding you mean"),
                _ => throw Unsupported(operation),
            };
        }

        return kind switch
        {
            BinaryOperatorKind.Add => _builder.Add(a, b),
            BinaryOperatorKind.Subtract => _builder.Sub(a, b),
            BinaryOperatorKind.Multiply => _builder.Mul(a, b),
            BinaryOperatorKind.Divide => _builder.Div(a, b, signed),
            BinaryOperatorKind.Remainder => _builder.Rem(a, b, signed),
            BinaryOperatorKind.And => _builder.And(a, b),
            BinaryOperatorKind.Or => _builder.Or(a, b),
            BinaryOperatorKind.ExclusiveOr => _builder.Xor(a, b),
            BinaryOperatorKind.LeftShift => _builder.Shl(a, Amount(a, b)),
            BinaryOperatorKind.RightShift => _builder.Shr(a, Amount(a, b), signed),
            BinaryOperatorKind.UnsignedRightShift => _builder.Shr(a, Amount(a, b), signed: false),
            _ => throw Unsupported(operation),
        };
    }

    // C# masks shift amounts to the width of the operand; PTX clamps them.
    private Value Amount(Value a, Value amount) => _builder.And(amount, _builder.I32(a.Type == IrType.I64 ? 63 : 31));

    private static Scalar Promoted(Scalar type) => type is Scalar.SByte or Scalar.Byte or Scalar.Int16 or Scalar.UInt16 ? Scalar.Int32 : type;

    private static Scalar Wider(Scalar a, Scalar b) =>
        a == Scalar.Double || b == Scalar.Double ? Scalar.Double
        : a == Scalar.Single || b == Scalar.Single ? Scalar.Single
        : a == Scalar.UInt64 || b == Scalar.UInt64 ? Scalar.UInt64
        : a == b ? a
        : a == Scalar.Int64 || b == Scalar.Int64 || a == Scalar.UInt32 || b == Scalar.UInt32 ? Scalar.Int64
        : Scalar.Int32;
}
