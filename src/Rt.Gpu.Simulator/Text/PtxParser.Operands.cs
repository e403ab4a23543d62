// Reads the operands of PTX instructions.
// Source: PTX ISA, chapter "Instruction Operands" and "Constants".
using System.Globalization;

namespace Rt.Gpu.Simulator.Text;

internal sealed partial class PtxParser
{
    private Operand Operand(Scope scope)
    {
        if (TryTake("["))
        {
            var inner = Simple(scope);
            long offset = 0;
            if (TryTake("+"))
            {
                bool minus = TryTake("-");
                offset = (long)ParseInteger(Take()) * (minus ? -1 : 1);
            }
            else if (TryTake("-"))
            {
                offset = -(long)ParseInteger(Take());
            }
            Expect("]");
            return new Operand { Kind = OperandKind.Address, Register = inner.Register, Name = inner.Name, Offset = offset + (long)inner.Bits };
        }
        if (TryTake("{"))
        {
            var items = new List<Operand>();
            do
            {
                items.Add(Simple(scope));
            }
            while (TryTake(","));
            Expect("}");
            return new Operand { Kind = OperandKind.Vector, Items = [.. items] };
        }
        var operand = Simple(scope);
        if (TryTake("|"))
        {
            return new Operand { Kind = operand.Kind, Register = operand.Register, Name = operand.Name, Second = Simple(scope) };
        }
        if (operand.Kind == OperandKind.Name && TryTake("+"))
        {
            return new Operand { Kind = OperandKind.Name, Name = operand.Name, Offset = (long)ParseInteger(Take()) };
        }
        return operand;
    }

    private Operand Simple(Scope scope)
    {
        bool negated = TryTake("!");
        bool minus = TryTake("-");
        var token = Take();
        if (token.Kind == TokenKind.Number)
        {
            return Number(token, minus);
        }
        if (token.Kind != TokenKind.Word || minus)
        {
            throw new SimulatorException($"expected an operand, found '{token.Text}'", token.Line);
        }
        if (scope.FindRegister(token.Text) is { } register)
        {
            return new Operand { Kind = OperandKind.Register, Register = register, Name = token.Text, Negated = negated };
        }
        if (token.Text == "_")
        {
            return new Operand { Kind = OperandKind.Sink };
        }
        if (token.Text.StartsWith('%'))
        {
            return Array.Exists(SpecialPrefixes, prefix => token.Text == prefix || token.Text.StartsWith(prefix + ".", StringComparison.Ordinal))
                ? new Operand { Kind = OperandKind.Special, Name = token.Text }
                : throw new SimulatorException($"register {token.Text} is not declared", token.Line);
        }
        return new Operand { Kind = OperandKind.Name, Name = token.Text };
    }

    private static Operand Number(Token token, bool minus)
    {
        string text = token.Text;
        if (text.Length == 10 && text[0] == '0' && text[1] is 'f' or 'F')
        {
            uint bits = (uint)ParseInteger(token with { Text = "0x" + text[2..] });
            return new Operand { Kind = OperandKind.Immediate, Bits = minus ? bits ^ 0x80000000 : bits, FloatBits = 32 };
        }
        if (text.Length == 18 && text[0] == '0' && text[1] is 'd' or 'D')
        {
            ulong bits = ParseInteger(token with { Text = "0x" + text[2..] });
            return new Operand { Kind = OperandKind.Immediate, Bits = minus ? bits ^ (1UL << 63) : bits, FloatBits = 64 };
        }
        if (text.Contains('.', StringComparison.Ordinal))
        {
            if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value))
            {
                throw new SimulatorException($"'{text}' is not a number", token.Line);
            }
            return new Operand { Kind = OperandKind.Immediate, Bits = BitConverter.DoubleToUInt64Bits(minus ? -value : value), FloatBits = 64 };
        }
        ulong integer = ParseInteger(token);
        return new Operand { Kind = OperandKind.Immediate, Bits = minus ? 0 - integer : integer };
    }
}
