// The kernel form as text: what incremental steps compare, and what one reads when looking for a mistake.
using System.Text;

namespace Rt.Gpu.Compiler.Ir;

internal static class IrPrinter
{
    public static string Print(KernelIr kernel)
    {
        var text = new StringBuilder();
        text.Append(kernel.Name).Append(' ').Append(kernel.Target).Append(' ').Append(kernel.GroupSize).Append(' ').Append(kernel.MinGroups)
            .Append(kernel.UsesDynamicShared ? " dynamic\n" : "\n");
        foreach (var file in kernel.Files)
        {
            text.Append(file).Append('\n');
        }

        foreach (var parameter in kernel.Parameters)
        {
            text.Append(parameter.Declaration).Append('\n');
        }

        foreach (var shared in kernel.Shared)
        {
            text.Append(shared.Name).Append(' ').Append(shared.Bytes).Append('\n');
        }

        Print(kernel.Root.Body, text, []);
        return text.ToString();
    }

    private static void Print(Block block, StringBuilder text, Dictionary<RegionNode, int> regions)
    {
        foreach (var node in block.Items)
        {
            text.Append(node.Line.File).Append(':').Append(node.Line.Line).Append(':').Append(node.Line.Column).Append(' ');
            switch (node)
            {
                case Inst inst:
                    foreach (var result in inst.Results)
                    {
                        text.Append('v').Append(result.Id).Append(' ');
                    }

                    text.Append("= ").Append(inst.Op).Append(" \"").Append(inst.Text).Append('"');
                    foreach (var operand in inst.Operands)
                    {
                        text.Append(' ');
                        Print(operand, text);
                    }

                    foreach (var register in inst.InPlace)
                    {
                        text.Append(" r").Append(register.Id);
                    }

                    text.Append('\n');
                    break;
                case IfNode branch:
                    text.Append("if ");
                    Print(branch.Condition, text);
                    text.Append(" {\n");
                    Print(branch.Then, text, regions);
                    text.Append("} else {\n");
                    Print(branch.Else, text, regions);
                    text.Append("}\n");
                    break;
                case RegionNode region:
                    text.Append(region is LoopNode ? "loop " : "scope ").Append(Number(region, regions)).Append(" {\n");
                    Print(region.Body, text, regions);
                    text.Append("}\n");
                    break;
                case JumpNode jump:
                    text.Append(jump.IsContinue ? "continue " : "exit ").Append(Number(jump.Target, regions));
                    if (jump.Condition is { } condition)
                    {
                        text.Append(" if ");
                        Print(condition, text);
                    }

                    text.Append('\n');
                    break;
                case AssignNode assign:
                    foreach (var (register, value) in assign.Moves)
                    {
                        text.Append('r').Append(register.Id).Append(" = ");
                        Print(value, text);
                        text.Append("; ");
                    }

                    text.Append('\n');
                    break;
            }
        }
    }

    private static int Number(RegionNode region, Dictionary<RegionNode, int> regions)
    {
        if (!regions.TryGetValue(region, out var number))
        {
            regions[region] = number = regions.Count;
        }

        return number;
    }

    private static void Print(Value value, StringBuilder text)
    {
        if (value.IsConst)
        {
            text.Append(value.Type).Append('#').Append(value.Bits);
        }
        else if (value.Register is { } register)
        {
            text.Append('r').Append(register.Id);
        }
        else
        {
            text.Append('v').Append(value.Id);
        }
    }
}
