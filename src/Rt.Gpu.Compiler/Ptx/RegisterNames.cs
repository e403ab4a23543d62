// Gives every value and variable a PTX register; a value that only becomes a variable's next content is computed right in it.
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.Ptx;

internal sealed class RegisterNames
{
    private static readonly (IrType Type, string Prefix, string Declared)[] Classes =
    [
        (IrType.Pred, "%p", ".pred"), (IrType.B16, "%h", ".b16"), (IrType.I32, "%r", ".b32"),
        (IrType.F32, "%f", ".b32"), (IrType.I64, "%rd", ".b64"), (IrType.F64, "%fd", ".b64"),
    ];

    private readonly Dictionary<Value, string> _names = [];
    private readonly int[] _counts = new int[Classes.Length];
    private readonly Dictionary<Value, (int First, int Last)> _reads = [];
    private readonly Dictionary<Register, List<int>> _registerReads = [];
    private readonly Dictionary<Value, int> _definitions = [];
    private readonly List<(AssignNode Node, int Position)> _assignments = [];
    private readonly Dictionary<Register, List<(AssignNode Node, int Position)>> _writes = [];
    private int _position;

    public RegisterNames(Block root)
    {
        Number(root);
        Coalesce();
    }

    public static Value Strip(Value value)
    {
        while (value.Def is { Op: Op.Bitcast } inst)
        {
            value = inst.Operands[0];
        }

        return value;
    }

    public string Of(Value value)
    {
        value = Strip(value);
        if (value.Register is { } register)
        {
            return Of(register);
        }

        if (!_names.TryGetValue(value, out var name))
        {
            _names[value] = name = New(value.Type);
        }

        return name;
    }

    public string Of(Register register) => register.Name ??= New(register.Type);

    public string New(IrType type)
    {
        var index = Array.FindIndex(Classes, item => item.Type == type);
        return Classes[index].Prefix + _counts[index]++;
    }

    /// <summary>The declarations, once all names are given.</summary>
    public IEnumerable<string> Declarations()
    {
        for (var i = 0; i < Classes.Length; i++)
        {
            if (_counts[i] > 0)
            {
                yield return $".reg {Classes[i].Declared} {Classes[i].Prefix}<{_counts[i]}>;";
            }
        }
    }

    private void Number(Block block)
    {
        foreach (var node in block.Items)
        {
            _position++;
            switch (node)
            {
                case Inst inst:
                    foreach (var operand in inst.Operands)
                    {
                        Read(operand);
                    }

                    foreach (var result in inst.Results)
                    {
                        _definitions[result] = _position;
                    }

                    break;
                case IfNode branch:
                    Read(branch.Condition);
                    Number(branch.Then);
                    Number(branch.Else);
                    break;
                case RegionNode region:
                    Number(region.Body);
                    break;
                case JumpNode { Condition: { } condition }:
                    Read(condition);
                    break;
                case AssignNode assign:
                    _assignments.Add((assign, _position));
                    foreach (var (register, value) in assign.Moves)
                    {
                        Read(value);
                        if (!_writes.TryGetValue(register, out var writes))
                        {
                            _writes[register] = writes = [];
                        }

                        writes.Add((assign, _position));
                    }

                    break;
            }
        }
    }

    private void Read(Value value)
    {
        value = Strip(value);
        if (value.Register is { } register)
        {
            if (!_registerReads.TryGetValue(register, out var reads))
            {
                _registerReads[register] = reads = [];
            }

            reads.Add(_position);
        }
        else if (!value.IsConst)
        {
            _reads[value] = _reads.TryGetValue(value, out var range) ? (range.First, _position) : (_position, _position);
        }
    }

    private void Coalesce()
    {
        foreach (var (node, position) in _assignments)
        {
            foreach (var (register, assigned) in node.Moves)
            {
                var value = Strip(assigned);
                if (register.Pinned || value.Def is not { } inst || inst.Block != node.Block || _names.ContainsKey(value)
                    || inst.Op == Op.SharedAddress || _reads[value].Last > position)
                {
                    continue;
                }

                var start = _definitions[value];
                if (ReadsBetween(register, start, position) || WrittenBetween(register, start, position))
                {
                    continue;
                }

                _names[value] = Of(register);
            }
        }
    }

    // Another move of the same instant must not read the variable after it holds its next content.
    private bool ReadsBetween(Register register, int start, int end)
    {
        if (!_registerReads.TryGetValue(register, out var reads))
        {
            return false;
        }

        foreach (var read in reads)
        {
            if (read > start && read <= end)
            {
                return true;
            }
        }

        return false;
    }

    // Another assignment to this register within the range, from which control comes back to it.
    private bool WrittenBetween(Register register, int start, int end)
    {
        foreach (var (other, position) in _writes[register])
        {
            if (position > start && position < end && !IsLeaving(other))
            {
                return true;
            }
        }

        return false;
    }

    // An assignment followed by a jump does not reach what comes next.
    private static bool IsLeaving(AssignNode node)
    {
        var items = node.Block!.Items;
        var index = items.IndexOf(node);
        return index + 1 < items.Count && items[index + 1] is JumpNode { Condition: null };
    }
}
