// Proves that barriers and exchanges are reached by all threads that take part in them.
// A value is uniform in the group or in the warp, or differs by thread; so is the control at a point, by the conditions around it and by
// the jumps that may have taken other threads away.
namespace Rt.Gpu.Compiler.Ir;

/// <summary>An exchange that some of its threads may not reach, and the line of the condition that decides it.</summary>
internal sealed record DivergentExchange(Inst Inst, bool WholeGroup, SourceLine Decided);

internal sealed class UniformityAnalysis
{
    private readonly Dictionary<Value, Uniformity> _values = [];
    private readonly Dictionary<Register, Uniformity> _registers = [];
    private readonly Dictionary<LoopNode, Control> _loops = [];
    private readonly List<(RegionNode Target, Control Control)> _departures = [];
    private readonly List<DivergentExchange> _found = [];
    private readonly HashSet<RegionNode> _open = [];
    private bool _changed;

    /// <summary>All exchanges that cannot be proved safe.</summary>
    public static IReadOnlyList<DivergentExchange> Check(ScopeNode root)
    {
        var analysis = new UniformityAnalysis();
        do
        {
            analysis._changed = false;
            analysis._found.Clear();
            analysis._departures.Clear();
            analysis._open.Clear();
            analysis._open.Add(root);
            analysis.Visit(root.Body, default);
        }
        while (analysis._changed);
        return analysis._found;
    }

    private readonly record struct Control(Uniformity Level, SourceLine Line)
    {
        public Control Or(Control other) => other.Level > Level ? other : this;
    }

    private void Visit(Block block, Control around)
    {
        foreach (var node in block.Items)
        {
            var control = _departures.Aggregate(around, (all, departure) => all.Or(departure.Control));
            switch (node)
            {
                case Inst inst:
                    VisitInst(inst, control);
                    break;
                case AssignNode assign:
                    foreach (var (register, value) in assign.Moves)
                    {
                        Raise(register, Max(Level(value), control.Level));
                    }

                    break;
                case IfNode branch:
                    var inner = control.Or(new Control(Level(branch.Condition), branch.Line));
                    Visit(branch.Then, inner);
                    Visit(branch.Else, inner);
                    break;
                case LoopNode loop:
                    _loops.TryGetValue(loop, out var repeated);
                    Enter(loop, control.Or(repeated));
                    break;
                case RegionNode region:
                    Enter(region, control);
                    break;
                case JumpNode jump:
                    Leave(jump, control);
                    break;
            }
        }
    }

    private void Enter(RegionNode region, Control control)
    {
        _open.Add(region);
        Visit(region.Body, control);
        _open.Remove(region);
        _departures.RemoveAll(departure => departure.Target == region);
    }

    // Threads that jump leave the others to what follows, up to the end of the region, and to the next trip of every loop between.
    private void Leave(JumpNode jump, Control control)
    {
        if (jump.Condition is { } condition)
        {
            control = control.Or(new Control(Level(condition), jump.Line));
        }

        if (control.Level == Uniformity.Group)
        {
            return;
        }

        _departures.Add((jump.Target, control));
        for (var block = jump.Block; block is not null; block = block.Parent)
        {
            foreach (var open in _open)
            {
                if (open is LoopNode loop && loop.Body == block && (!_loops.TryGetValue(loop, out var known) || known.Level < control.Level))
                {
                    _loops[loop] = control;
                    _changed = true;
                }
            }

            if (block == jump.Target.Body)
            {
                break;
            }
        }
    }

    private void VisitInst(Inst inst, Control control)
    {
        var level = inst.Fixed ?? ResultLevel(inst);
        foreach (var result in inst.Results)
        {
            if (!_values.TryGetValue(result, out var known) || known < level)
            {
                _values[result] = level;
                _changed = true;
            }
        }

        var wholeGroup = (inst.Flags & InstFlags.GroupConvergent) != 0;
        if ((wholeGroup && control.Level > Uniformity.Group)
            || ((inst.Flags & InstFlags.WarpConvergent) != 0 && control.Level > Uniformity.Warp))
        {
            _found.Add(new DivergentExchange(inst, wholeGroup, control.Line));
        }
    }

    private Uniformity ResultLevel(Inst inst)
    {
        var level = inst.Source;
        foreach (var operand in inst.Operands)
        {
            level = Max(level, Level(operand));
        }

        if (level != Uniformity.Thread)
        {
            return level;
        }

        if (inst.UniformOperand >= 0 && Level(inst.Operands[inst.UniformOperand]) != Uniformity.Thread)
        {
            return Uniformity.Warp;
        }

        var divisor = inst.Operands.Length == 2 && inst.Operands[1].IsConst ? inst.Operands[1].Bits : 0;
        var isWarpIndex = inst.Op switch
        {
            Op.ShrU or Op.ShrS => divisor >= 5,
            Op.DivU or Op.DivS => divisor > 0 && divisor % 32 == 0,
            Op.And => divisor > 0 && divisor % 32 == 0,
            Op.CmpS or Op.CmpU => divisor % 32 == 0 && Folding.ConditionOf(inst.Text) is "lt" or "ge",
            _ => false,
        };
        return isWarpIndex && IsThreadOfWarp(inst.Operands[0]) ? Uniformity.Warp : Uniformity.Thread;
    }

    // The index in the group, plus what is the same in the warp and a multiple of 32: equal within a warp but for the lane.
    private bool IsThreadOfWarp(Value value) => value.Def switch
    {
        { Op: Op.Special } inst => inst.Text.Contains("%tid"),
        { Op: Op.Add } inst => (IsThreadOfWarp(inst.Operands[0]) && IsWarpMultiple(inst.Operands[1]))
            || (IsThreadOfWarp(inst.Operands[1]) && IsWarpMultiple(inst.Operands[0])),
        _ => false,
    };

    private bool IsWarpMultiple(Value value) => Level(value) != Uniformity.Thread && (value.IsConst
        ? value.Bits % 32 == 0
        : value.Def is { Op: Op.Shl or Op.Mul } inst && inst.Operands[1].IsConst
            && (inst.Op == Op.Shl ? inst.Operands[1].Bits >= 5 : inst.Operands[1].Bits % 32 == 0));

    private Uniformity Level(Value value) => value.IsConst ? Uniformity.Group
        : value.Register is { } register ? _registers.TryGetValue(register, out var registerLevel) ? registerLevel : Uniformity.Group
        : _values.TryGetValue(value, out var level) ? level : Uniformity.Group;

    private void Raise(Register register, Uniformity level)
    {
        if (!_registers.TryGetValue(register, out var known) || known < level)
        {
            _registers[register] = level;
            _changed = true;
        }
    }

    private static Uniformity Max(Uniformity a, Uniformity b) => a > b ? a : b;
}
