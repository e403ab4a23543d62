// The back end: the kernel form to the text of a PTX module.
using System.Globalization;
using System.Text;
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.Ptx;

internal sealed class PtxEmitter
{
    private const int LongestPredicatedBranch = 4;

    private readonly KernelIr _kernel;
    private readonly RegisterNames _names;
    private readonly TextLines _lines = new();
    private readonly StringBuilder _prologue = new();
    private readonly Dictionary<(IrType, ulong), string> _constants = [];
    private readonly Dictionary<RegionNode, string> _heads = [];
    private readonly Dictionary<RegionNode, string> _exits = [];
    private readonly HashSet<Value> _needed;
    private SourceLine _line;
    private int _labels;

    private PtxEmitter(KernelIr kernel)
    {
        _kernel = kernel;
        DeadCode.Remove(kernel.Root.Body);
        Fusion.Run(kernel.Root.Body);
        _names = new RegisterNames(kernel.Root.Body);
        _needed = MaterializedValues.Find(kernel.Root.Body);
    }

    /// <summary>The module's text. Consumes the kernel's form.</summary>
    public static string Emit(KernelIr kernel) => new PtxEmitter(kernel).Module();

    private string Module()
    {
        EmitBlock(_kernel.Root.Body, string.Empty);
        _lines.Instruction("ret;");

        var text = new StringBuilder();
        var version = _kernel.Target switch { "sm_80" => "7.0", "sm_90" => "7.8", _ => "8.0" };
        text.Append(".version ").Append(version).Append("\n.target ").Append(_kernel.Target).Append("\n.address_size 64\n");
        for (var i = 0; i < _kernel.Files.Count; i++)
        {
            text.Append(".file ").Append(i + 1).Append(" \"").Append(_kernel.Files[i]).Append("\"\n");
        }

        if (_kernel.UsesDynamicShared)
        {
            text.Append(".extern .shared .align 128 .b8 dynamic_shared[];\n");
        }

        text.Append(".visible .entry ").Append(_kernel.Name).Append("(\n");
        for (var i = 0; i < _kernel.Parameters.Count; i++)
        {
            text.Append("    ").Append(_kernel.Parameters[i].Declaration).Append(i + 1 < _kernel.Parameters.Count ? ",\n" : "\n");
        }

        text.Append(")\n.reqntid ").Append(_kernel.GroupSize).Append('\n');
        if (_kernel.MinGroups > 0)
        {
            text.Append(".minnctapersm ").Append(_kernel.MinGroups).Append('\n');
        }

        text.Append("{\n");
        foreach (var declaration in _names.Declarations())
        {
            text.Append("    ").Append(declaration).Append('\n');
        }

        foreach (var shared in _kernel.Shared)
        {
            text.Append("    .shared .align 16 .b8 ").Append(shared.Name).Append('[').Append(shared.Bytes).Append("];\n");
        }

        text.Append(_prologue);
        _lines.Write(text);
        return text.Append("}\n").ToString();
    }

    private void EmitBlock(Block block, string guard)
    {
        foreach (var node in block.Items)
        {
            switch (node)
            {
                case Inst inst:
                    EmitInst(inst, guard);
                    break;
                case AssignNode assign:
                    EmitMoves(assign, guard);
                    break;
                case IfNode branch:
                    EmitIf(branch);
                    break;
                case LoopNode loop:
                    _lines.Label(Label(_heads, loop));
                    EmitBlock(loop.Body, string.Empty);
                    _lines.Label(Label(_exits, loop));
                    break;
                case ScopeNode scope:
                    EmitBlock(scope.Body, string.Empty);
                    _lines.Label(Label(_exits, scope));
                    break;
                case JumpNode jump:
                    EmitJump(jump, jump.Condition, false);
                    break;
            }
        }
    }

    private void EmitIf(IfNode branch)
    {
        var (then, otherwise) = (branch.Then.Items, branch.Else.Items);
        if (otherwise.Count == 0 && IsPredicable(then))
        {
            EmitBlock(branch.Then, Guard(branch.Condition, false));
            return;
        }

        if (then.Count == 0 && IsPredicable(otherwise))
        {
            EmitBlock(branch.Else, Guard(branch.Condition, true));
            return;
        }

        if (then.Count == 1 && then[0] is JumpNode { Condition: null } jump)
        {
            EmitJump(jump, branch.Condition, false);
            EmitBlock(branch.Else, string.Empty);
            return;
        }

        if (otherwise.Count == 1 && otherwise[0] is JumpNode { Condition: null } otherJump)
        {
            EmitJump(otherJump, branch.Condition, true);
            EmitBlock(branch.Then, string.Empty);
            return;
        }

        var end = NewLabel();
        SetLine(branch.Line);
        if (then.Count == 0 || otherwise.Count == 0)
        {
            _lines.ConditionalBranch($"{Guard(branch.Condition, then.Count > 0)}bra {end};", end);
            EmitBlock(then.Count > 0 ? branch.Then : branch.Else, string.Empty);
            _lines.Label(end);
            return;
        }

        var other = NewLabel();
        _lines.ConditionalBranch($"{Guard(branch.Condition, true)}bra {other};", other);
        EmitBlock(branch.Then, string.Empty);
        _lines.Branch(end);
        _lines.Label(other);
        EmitBlock(branch.Else, string.Empty);
        _lines.Label(end);
    }

    private static bool IsPredicable(List<Node> items)
    {
        var count = 0;
        foreach (var node in items)
        {
            switch (node)
            {
                case Inst inst when (inst.Flags & (InstFlags.GroupConvergent | InstFlags.WarpConvergent)) == 0 && inst.Text.IndexOf('@') < 0
                    && inst.Text.IndexOf(';') < 0:
                    count++;
                    break;
                case AssignNode assign:
                    count += assign.Moves.Count;
                    break;
                default:
                    return false;
            }
        }

        return count <= LongestPredicatedBranch;
    }

    private void EmitJump(JumpNode jump, Value? condition, bool negate)
    {
        SetLine(jump.Line);
        var isReturn = jump.Target == _kernel.Root;
        if (condition is null)
        {
            if (isReturn)
            {
                _lines.Instruction("ret;");
            }
            else
            {
                _lines.Branch(Target(jump));
            }
        }
        else if (isReturn)
        {
            _lines.Instruction($"{Guard(condition, negate)}ret;");
        }
        else
        {
            _lines.ConditionalBranch($"{Guard(condition, negate)}bra {Target(jump)};", Target(jump));
        }
    }

    private string Target(JumpNode jump) => Label(jump.IsContinue ? _heads : _exits, jump.Target);

    private string Label(Dictionary<RegionNode, string> labels, RegionNode region)
    {
        if (!labels.TryGetValue(region, out var label))
        {
            labels[region] = label = NewLabel();
        }

        return label;
    }

    private string NewLabel() => $"$L{++_labels}";

    private string Guard(Value condition, bool negate)
    {
        while (condition.Def is { Op: Op.PNot } inst)
        {
            condition = inst.Operands[0];
            negate = !negate;
        }

        return $"@{(negate ? "!" : string.Empty)}{RegisterOf(condition)} ";
    }

    private void EmitInst(Inst inst, string guard)
    {
        if (inst.Op == Op.Bitcast || (inst.Op is Op.SharedAddress or Op.PNot && !_needed.Contains(inst.Results[0])))
        {
            return;
        }

        SetLine(inst.Line);
        var text = new StringBuilder(guard);
        var template = inst.Text;
        for (var i = 0; i < template.Length; i++)
        {
            var mark = template[i];
            if (mark is not ('%' or '#') || i + 1 == template.Length || !char.IsDigit(template[i + 1]))
            {
                text.Append(mark);
                continue;
            }

            var inAddress = i > 0 && template[i - 1] == '[';
            var number = 0;
            while (i + 1 < template.Length && char.IsDigit(template[i + 1]))
            {
                number = (number * 10) + (template[++i] - '0');
            }

            text.Append(Operand(inst, number, mark == '#', inAddress));
        }

        text.Append(';');
        _lines.Instruction(text.ToString());
    }

    private string Operand(Inst inst, int number, bool allowsImmediate, bool inAddress)
    {
        if (number < inst.Results.Length)
        {
            return _names.Of(inst.Results[number]);
        }

        number -= inst.Results.Length;
        if (number >= inst.Operands.Length)
        {
            return _names.Of(inst.InPlace[number - inst.Operands.Length]);
        }

        var value = RegisterNames.Strip(inst.Operands[number]);
        if (inAddress && value.Def is { Op: Op.SharedAddress } address)
        {
            return SharedName(address);
        }

        return value.IsConst && allowsImmediate && value.Type is not (IrType.Pred or IrType.B16) ? Immediate(value) : RegisterOf(value);
    }

    private static string SharedName(Inst address) => address.Text.Substring(address.Text.LastIndexOf(' ') + 1);

    private static string Immediate(Value value) => value.Type switch
    {
        IrType.I32 => value.Int32.ToString(CultureInfo.InvariantCulture),
        IrType.I64 => value.Int64.ToString(CultureInfo.InvariantCulture),
        IrType.F32 => "0f" + ((uint)value.Bits).ToString("X8", CultureInfo.InvariantCulture),
        IrType.F64 => "0d" + value.Bits.ToString("X16", CultureInfo.InvariantCulture),
        _ => value.Bits.ToString(CultureInfo.InvariantCulture),
    };

    // A constant where the instruction takes a register: set once, at the top.
    private string RegisterOf(Value value)
    {
        value = RegisterNames.Strip(value);
        if (!value.IsConst)
        {
            return _names.Of(value);
        }

        var key = (value.Type, value.Bits);
        if (!_constants.TryGetValue(key, out var name))
        {
            _constants[key] = name = _names.New(value.Type);
            _prologue.Append("    ").Append(value.Type == IrType.Pred
                ? $"setp.ne.u32 {name}, {value.Bits}, 0;\n"
                : $"mov.b{(value.Type == IrType.B16 ? 16 : value.Type is IrType.I64 or IrType.F64 ? 64 : 32)} {name}, {Immediate(value)};\n");
        }

        return name;
    }

    // Moves that happen at once, one after another: first those whose target no other move still reads.
    private void EmitMoves(AssignNode assign, string guard)
    {
        var moves = new List<(string To, string From, IrType Type, Value? Constant)>();
        foreach (var (register, value) in assign.Moves)
        {
            var source = RegisterNames.Strip(value);
            var name = source.IsConst ? string.Empty : _names.Of(source);
            if (name != _names.Of(register))
            {
                moves.Add((_names.Of(register), name, register.Type, source.IsConst ? source : null));
            }
        }

        if (moves.Count == 0)
        {
            return;
        }

        SetLine(assign.Line);
        while (moves.Count > 0)
        {
            var index = moves.FindIndex(move => !moves.Any(other => other.From == move.To));
            if (index < 0)
            {
                // A cycle: one source steps aside.
                var first = moves[0];
                var aside = _names.New(first.Type);
                Move(guard, aside, first.From, first.Type, null);
                moves[0] = (first.To, aside, first.Type, null);
                continue;
            }

            var (to, from, type, constant) = moves[index];
            Move(guard, to, from, type, constant);
            moves.RemoveAt(index);
        }
    }

    private void Move(string guard, string to, string from, IrType type, Value? constant)
    {
        var mnemonic = type switch
        {
            IrType.Pred => "mov.pred",
            IrType.B16 => "mov.b16",
            IrType.I64 or IrType.F64 => "mov.b64",
            _ => "mov.b32",
        };
        if (constant is not null)
        {
            from = type == IrType.Pred ? RegisterOf(constant) : Immediate(constant);
        }

        _lines.Instruction($"{guard}{mnemonic} {to}, {from};");
    }

    private void SetLine(SourceLine line)
    {
        if (line != _line && line.Line > 0)
        {
            _line = line;
            _lines.Location($".loc {line.File + 1} {line.Line} {line.Column}");
        }
    }
}
