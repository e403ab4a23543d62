// Addresses of elements: constant parts go into the instruction's offset, parts that a loop does not change are added outside it.
namespace Rt.Gpu.Compiler.Ir;

internal sealed partial class IrBuilder
{
    /// <summary>base + index * size in global memory (64 bits), less a constant that is returned beside it.</summary>
    /// <remarks>An int index must not overflow; element indices never do.</remarks>
    public (Value Address, long Offset) GlobalElement(Value address, Value index, int size)
    {
        long offset = 0;
        var terms = new List<(Value Value, long Factor)>();
        if (index.Type == IrType.I32)
        {
            CollectInt(index, size, terms, ref offset);
        }
        else
        {
            CollectLong(index, size, terms, ref offset);
        }

        // What changes least often is added first.
        foreach (var (value, factor) in terms.OrderBy(term => term.Value.LoopDepth).ThenBy(term => term.Value.Id))
        {
            address = AddTerm(address, value, factor);
        }

        return (address, offset);
    }

    /// <summary>base + index * size in shared memory (32 bits), less a constant that is returned beside it.</summary>
    public (Value Address, long Offset) SharedElement(Value address, Value index, int size)
    {
        if (index.Type == IrType.I64)
        {
            index = Trunc(index);
        }

        var scaled = Mul(index, I32(size));
        if (scaled.IsConst)
        {
            return (address, scaled.Int32);
        }

        long offset = 0;
        if (IsOp(scaled, Op.Add) && Operand(scaled, 1).IsConst)
        {
            offset = Operand(scaled, 1).Int32;
            scaled = Operand(scaled, 0);
        }

        var sum = Add(scaled, address);
        if (IsOp(sum, Op.Add) && Operand(sum, 1).IsConst)
        {
            offset += Operand(sum, 1).Int32;
            sum = Operand(sum, 0);
        }

        return (sum, offset);
    }

    // address + value * factor; an I32 value is sign-extended.
    private Value AddTerm(Value address, Value value, long factor)
    {
        if (value.Type == IrType.I32)
        {
            return factor == 1 ? Add(address, SExt(value))
                : Pure(Op.MadWideS, IrType.I64, Templates.Of(Op.MadWideS, IrType.I64), value, I32((int)factor), address);
        }

        return Add(address, Mul(value, I64(factor)));
    }

    private void CollectInt(Value index, long factor, List<(Value Value, long Factor)> terms, ref long offset)
    {
        if (index.IsConst)
        {
            offset += index.Int32 * factor;
            return;
        }

        if (IsOp(index, Op.Add))
        {
            var (left, right) = (Operand(index, 0), Operand(index, 1));
            if (right.IsConst || left.LoopDepth != right.LoopDepth)
            {
                CollectInt(left, factor, terms, ref offset);
                CollectInt(right, factor, terms, ref offset);
                return;
            }
        }

        if ((IsOp(index, Op.Mul) || IsOp(index, Op.Shl)) && Operand(index, 1).IsConst)
        {
            var scaled = factor * (IsOp(index, Op.Mul) ? Operand(index, 1).Int32 : 1L << Operand(index, 1).Int32);
            if (scaled == (int)scaled)
            {
                CollectInt(Operand(index, 0), scaled, terms, ref offset);
                return;
            }
        }

        terms.Add((index, factor));
    }

    private void CollectLong(Value index, long factor, List<(Value Value, long Factor)> terms, ref long offset)
    {
        if (index.IsConst)
        {
            offset += index.Int64 * factor;
        }
        else if (IsOp(index, Op.SExt))
        {
            CollectInt(Operand(index, 0), factor, terms, ref offset);
        }
        else if (IsOp(index, Op.Add))
        {
            CollectLong(Operand(index, 0), factor, terms, ref offset);
            CollectLong(Operand(index, 1), factor, terms, ref offset);
        }
        else if (IsOp(index, Op.MulWideS) && Operand(index, 1).IsConst
            && factor * Operand(index, 1).Int32 is var scaled && scaled == (int)scaled)
        {
            terms.Add((Operand(index, 0), scaled));
        }
        else
        {
            terms.Add((index, factor));
        }
    }
}
