// Finds which instructions and registers matter, and drops the rest.
namespace Rt.Gpu.Compiler.Ir;

internal static class DeadCode
{
    /// <summary>Removes instructions and assignments whose results nothing reads, and branches left empty.</summary>
    public static void Remove(Block root)
    {
        var live = new HashSet<Inst>();
        var liveRegisters = new HashSet<Register>();
        var assigned = new Dictionary<Register, List<Value>>();
        var work = new Stack<Value>();

        void Visit(Block block)
        {
            foreach (var node in block.Items)
            {
                switch (node)
                {
                    case Inst inst when (inst.Flags & InstFlags.Effect) != 0:
                        live.Add(inst);
                        Push(inst.Operands);
                        break;
                    case IfNode branch:
                        work.Push(branch.Condition);
                        Visit(branch.Then);
                        Visit(branch.Else);
                        break;
                    case RegionNode region:
                        Visit(region.Body);
                        break;
                    case JumpNode { Condition: { } condition }:
                        work.Push(condition);
                        break;
                    case AssignNode assign:
                        foreach (var (register, value) in assign.Moves)
                        {
                            if (!assigned.TryGetValue(register, out var values))
                            {
                                assigned[register] = values = [];
                            }

                            values.Add(value);
                            if (register.Pinned)
                            {
                                liveRegisters.Add(register);
                                work.Push(value);
                            }
                        }

                        break;
                }
            }
        }

        void Push(Value[] values)
        {
            foreach (var value in values)
            {
                work.Push(value);
            }
        }

        Visit(root);
        while (work.Count > 0)
        {
            var value = work.Pop();
            if (value.Register is { } register && liveRegisters.Add(register) && assigned.TryGetValue(register, out var values))
            {
                foreach (var assignedValue in values)
                {
                    work.Push(assignedValue);
                }
            }
            else if (value.Def is { } inst && live.Add(inst))
            {
                Push(inst.Operands);
            }
        }

        Sweep(root, live, liveRegisters);
    }

    private static void Sweep(Block block, HashSet<Inst> live, HashSet<Register> registers)
    {
        block.Items.RemoveAll(node =>
        {
            switch (node)
            {
                case Inst inst:
                    return !live.Contains(inst);
                case AssignNode assign:
                    assign.Moves.RemoveAll(move => !registers.Contains(move.Register));
                    return assign.Moves.Count == 0;
                case IfNode branch:
                    Sweep(branch.Then, live, registers);
                    Sweep(branch.Else, live, registers);
                    return branch.Then.Items.Count == 0 && branch.Else.Items.Count == 0;
                case RegionNode region:
                    Sweep(region.Body, live, registers);
                    return region.Body.Items.Count == 0;
                default:
                    return false;
            }
        });
    }
}
