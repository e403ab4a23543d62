// Joins a product that one sum alone uses with that sum.
namespace Rt.Gpu.Compiler.Ir;

internal static class Fusion
{
    public static void Run(Block root)
    {
        var uses = new Dictionary<Value, int>();
        CountUses(root, uses);
        Fuse(root, uses);
    }

    private static void CountUses(Block block, Dictionary<Value, int> uses)
    {
        void Use(Value value) => uses[value] = uses.TryGetValue(value, out var count) ? count + 1 : 1;
        foreach (var node in block.Items)
        {
            switch (node)
            {
                case Inst inst:
                    foreach (var operand in inst.Operands)
                    {
                        Use(operand);
                    }

                    break;
                case IfNode branch:
                    Use(branch.Condition);
                    CountUses(branch.Then, uses);
                    CountUses(branch.Else, uses);
                    break;
                case RegionNode region:
                    CountUses(region.Body, uses);
                    break;
                case JumpNode { Condition: { } condition }:
                    Use(condition);
                    break;
                case AssignNode assign:
                    foreach (var (_, value) in assign.Moves)
                    {
                        Use(value);
                    }

                    break;
            }
        }
    }

    private static void Fuse(Block block, Dictionary<Value, int> uses)
    {
        HashSet<Node>? dropped = null;
        for (var i = 0; i < block.Items.Count; i++)
        {
            switch (block.Items[i])
            {
                case Inst { Op: Op.Add } add:
                    for (var side = 0; side < 2; side++)
                    {
                        var product = add.Operands[side];
                        if (product.Def is not { } inst || inst.Block != block || uses[product] != 1 || Fused(inst, add.Operands[1 - side]) is not { } fused)
                        {
                            continue;
                        }

                        fused.Block = block;
                        fused.Line = add.Line;
                        fused.Results = add.Results;
                        fused.Results[0].Def = fused;
                        block.Items[i] = fused;
                        (dropped ??= []).Add(inst);
                        break;
                    }

                    break;
                case IfNode branch:
                    Fuse(branch.Then, uses);
                    Fuse(branch.Else, uses);
                    break;
                case RegionNode region:
                    Fuse(region.Body, uses);
                    break;
            }
        }

        if (dropped is not null)
        {
            block.Items.RemoveAll(dropped.Contains);
        }
    }

    private static Inst? Fused(Inst product, Value other)
    {
        var type = other.Type;
        var operands = product.Operands;
        if (product.Op == Op.Mul)
        {
            return new Inst(Op.MadLo, Templates.Of(Op.MadLo, type), [operands[0], operands[1], other], InstFlags.Pure);
        }

        if (product.Op == Op.Shl && operands[1].IsConst)
        {
            var bits = 1UL << operands[1].Int32;
            var factor = new Value(0, type) { IsConst = true, Bits = bits };
            return new Inst(Op.MadLo, Templates.Of(Op.MadLo, type), [operands[0], factor, other], InstFlags.Pure);
        }

        return product.Op == Op.MulWideS
            ? new Inst(Op.MadWideS, Templates.Of(Op.MadWideS, IrType.I64), [operands[0], operands[1], other], InstFlags.Pure)
            : null;
    }
}
