// Which predicates' negations and shared addresses need a register of their own.
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.Ptx;

internal static class MaterializedValues
{
    /// <summary>Results that are used otherwise than as a guard or as the base of an address.</summary>
    public static HashSet<Value> Find(Block root)
    {
        var needed = new HashSet<Value>();
        Visit(root, needed);
        return needed;
    }

    private static void Visit(Block block, HashSet<Value> needed)
    {
        foreach (var node in block.Items)
        {
            switch (node)
            {
                case Inst inst:
                    for (var i = 0; i < inst.Operands.Length; i++)
                    {
                        var operand = RegisterNames.Strip(inst.Operands[i]);
                        if (operand.Def is { Op: Op.SharedAddress } && IsBase(inst.Text, inst.Results.Length + i))
                        {
                            continue;
                        }

                        needed.Add(operand);
                    }

                    break;
                case AssignNode assign:
                    needed.UnionWith(assign.Moves.Select(move => RegisterNames.Strip(move.Value)));
                    break;
                case IfNode branch:
                    Inner(branch.Condition, needed);
                    Visit(branch.Then, needed);
                    Visit(branch.Else, needed);
                    break;
                case JumpNode { Condition: { } condition }:
                    Inner(condition, needed);
                    break;
                case RegionNode region:
                    Visit(region.Body, needed);
                    break;
            }
        }
    }

    private static bool IsBase(string text, int number) => text.Contains($"[%{number}]") || text.Contains($"[%{number}+");

    // Guards look through negations; what is under them is needed as it is.
    private static void Inner(Value condition, HashSet<Value> needed)
    {
        while (condition.Def is { Op: Op.PNot } inst)
        {
            condition = inst.Operands[0];
        }

        needed.Add(condition);
    }
}
