// Builds the kernel form: shares equal pure instructions, and puts each one outside the loops it does not depend on.
namespace Rt.Gpu.Compiler.Ir;

internal sealed partial class IrBuilder
{
    private readonly Dictionary<(IrType, ulong), Value> _constants = [];
    private readonly Dictionary<ExpressionKey, Value[]> _shared = [];
    private int _nextId = 1;

    public IrBuilder()
    {
        Root = new Block(null, 0);
        Current = Root;
        Scope = new ScopeNode(Root);
    }

    /// <summary>The outermost block.</summary>
    public Block Root { get; }

    /// <summary>The outermost scope: leaving it ends the thread.</summary>
    public ScopeNode Scope { get; }

    /// <summary>Where instructions go.</summary>
    public Block Current { get; set; }

    /// <summary>C# line of the instructions to come.</summary>
    public SourceLine Line { get; set; }

    /// <summary>Instructions made so far: bounds the work of one kernel.</summary>
    public int InstructionCount { get; private set; }

    public Value Constant(IrType type, ulong bits)
    {
        if (type == IrType.I32 || type == IrType.F32)
        {
            bits = (uint)bits;
        }

        if (!_constants.TryGetValue((type, bits), out var value))
        {
            value = new Value(_nextId++, type) { IsConst = true, Bits = bits };
            _constants.Add((type, bits), value);
        }

        return value;
    }

    public Value I32(int value) => Constant(IrType.I32, unchecked((uint)value));

    public Value I64(long value) => Constant(IrType.I64, unchecked((ulong)value));

    public Value F32(float value) => Constant(IrType.F32, Bits.Of(value));

    public Value F64(double value) => Constant(IrType.F64, Bits.Of(value));

    public Value Bool(bool value) => Constant(IrType.Pred, value ? 1u : 0u);

    public Register NewRegister(IrType type, bool pinned = false) => new(_nextId++, type, pinned);

    /// <summary>The register's content, for use in <paramref name="block"/> and within.</summary>
    public Value ReadRegister(Register register, Block block) => new(_nextId++, register.Type) { Register = register, RegisterBlock = block };

    public Block OpenBlock(int loops = 0)
    {
        Current = new Block(Current, Current.LoopDepth + loops);
        return Current;
    }

    public Block CloseBlock()
    {
        var block = Current;
        block.Open = false;
        Current = block.Parent!;
        return block;
    }

    /// <summary>Drops an open block and what was built in it.</summary>
    public void AbandonTo(Block block)
    {
        while (Current != block)
        {
            CloseBlock();
        }
    }

    public void Append(Node node)
    {
        node.Block = Current;
        node.Line = Line;
        Current.Items.Add(node);
    }

    /// <summary>An instruction with one result that depends on its operands only.</summary>
    public Value Pure(Op op, IrType type, string text, params Value[] operands) =>
        PureInst(op, text, [type], InstFlags.Pure, Uniformity.Group, operands)[0];

    /// <summary>A pure instruction with several results, or a value of its own uniformity.</summary>
    public Value[] PureInst(Op op, string text, IrType[] types, InstFlags flags, Uniformity source, params Value[] operands)
    {
        var key = new ExpressionKey(op, types[0], text, operands);
        if (_shared.TryGetValue(key, out var known) && known[0].Block!.Open)
        {
            return known;
        }

        var inst = new Inst(op, text, operands, flags | InstFlags.Pure) { Line = Line, Source = source };
        inst.Results = Results(inst, types);
        var target = inst.MayFault ? SafePlacement(operands) : Placement(operands);
        inst.Block = target;
        target.Items.Add(inst);
        InstructionCount++;
        _shared[key] = inst.Results;
        return inst.Results;
    }

    /// <summary>A load through the read-only path: shared like a pure instruction, but it stays where it stands.</summary>
    public Value[] PureLoad(string text, IrType[] types, params Value[] operands)
    {
        var key = new ExpressionKey(Op.Text, types[0], text, operands);
        if (_shared.TryGetValue(key, out var known) && known[0].Block!.Open)
        {
            return known;
        }

        var results = Effect(text, InstFlags.Reads, types, operands).Results;
        _shared[key] = results;
        return results;
    }

    /// <summary>An instruction that stays where it is.</summary>
    public Inst Effect(string text, InstFlags flags, IrType[] types, params Value[] operands) =>
        Effect(new Inst(Op.Text, text, operands, flags), types);

    public Inst Effect(Inst inst, IrType[] types)
    {
        inst.Results = Results(inst, types);
        InstructionCount++;
        Append(inst);
        return inst;
    }

    public Value NewResult(Inst inst, IrType type) => new(_nextId++, type) { Def = inst };

    private Value[] Results(Inst inst, IrType[] types)
    {
        var results = new Value[types.Length];
        for (var i = 0; i < types.Length; i++)
        {
            results[i] = new Value(_nextId++, types[i]) { Def = inst };
        }

        return results;
    }

    // The block in front of the outermost loop that defines none of the operands.
    private Block Placement(Value[] operands)
    {
        var target = Current;
        for (Block? block = Current; block?.Parent is not null; block = block.Parent)
        {
            foreach (var operand in operands)
            {
                if (operand.Block == block)
                {
                    return target;
                }
            }

            if (block.LoopDepth > block.Parent.LoopDepth)
            {
                target = block.Parent;
            }
        }

        return operands.Length == 0 ? Root : target;
    }

    // As Placement, but never from under a condition or from behind a jump that keeps the operation from what it cannot do.
    private Block SafePlacement(Value[] operands)
    {
        var target = Current;
        while (target.Parent is { } parent && target.LoopDepth > parent.LoopDepth && target.Items.All(node => node is Inst or AssignNode)
            && operands.All(operand => operand.Block != target))
        {
            target = parent;
        }

        return target;
    }

    private readonly struct ExpressionKey(Op op, IrType type, string text, Value[] operands) : IEquatable<ExpressionKey>
    {
        private readonly Op _op = op;
        private readonly IrType _type = type;
        private readonly string _text = text;
        private readonly Value[] _operands = operands;

        public bool Equals(ExpressionKey other)
        {
            if (_op != other._op || _type != other._type || _operands.Length != other._operands.Length || _text != other._text)
            {
                return false;
            }

            for (var i = 0; i < _operands.Length; i++)
            {
                if (_operands[i] != other._operands[i])
                {
                    return false;
                }
            }

            return true;
        }

        public override bool Equals(object? obj) => obj is ExpressionKey other && Equals(other);

        public override int GetHashCode()
        {
            unchecked
            {
                var hash = ((int)_op * 31) + (int)_type;
                hash = (hash * 31) + _text.GetHashCode();
                foreach (var operand in _operands)
                {
                    hash = (hash * 16777619) ^ operand.Id;
                }

                return hash;
            }
        }
    }
}
