// Values and instructions of the kernel form: typed, single assignment, no Roslyn types.
namespace Rt.Gpu.Compiler.Ir;

/// <summary>Type of a value; it says which register holds it.</summary>
internal enum IrType : byte
{
    None,
    Pred,
    B16,
    I32,
    I64,
    F32,
    F64,
}

/// <summary>Place in the C# source: index into the kernel's list of files, and line and column from 1.</summary>
internal readonly record struct SourceLine(int File, int Line, int Column);

/// <summary>A register that several assignments may write: a merged or loop-carried variable, or an element of a pinned array.</summary>
internal sealed class Register(int id, IrType type, bool pinned)
{
    public int Id { get; } = id;

    public IrType Type { get; } = type;

    /// <summary>Written and read by hand-written instructions, in place.</summary>
    public bool Pinned { get; } = pinned;

    /// <summary>Name in the PTX text, given by the back end.</summary>
    public string? Name { get; set; }
}

/// <summary>A constant, the result of an instruction, or the reading of a register at a point where it cannot change.</summary>
internal sealed class Value
{
    public Value(int id, IrType type)
    {
        Id = id;
        Type = type;
    }

    public int Id { get; }

    public IrType Type { get; }

    /// <summary>The instruction it is a result of, or null.</summary>
    public Inst? Def { get; set; }

    /// <summary>The register it reads, or null.</summary>
    public Register? Register { get; init; }

    /// <summary>Block from which on a register reading may be used.</summary>
    public Block? RegisterBlock { get; init; }

    public bool IsConst { get; init; }

    /// <summary>Bits of a constant; a predicate is 0 or 1.</summary>
    public ulong Bits { get; init; }

    /// <summary>Where it is defined; null for a constant, which is everywhere.</summary>
    public Block? Block
    {
        get
        {
            var block = Def?.Block ?? RegisterBlock;
            while (block?.SplicedInto is { } target)
            {
                block = target;
            }

            return block;
        }
    }

    /// <summary>Loops around its definition.</summary>
    public int LoopDepth => Block?.LoopDepth ?? 0;

    public int Int32 => unchecked((int)(uint)Bits);

    public long Int64 => unchecked((long)Bits);

    public bool IsConstInt(long value) => IsConst && (Type == IrType.I64 ? Int64 == value : Type == IrType.I32 && Int32 == value);
}

/// <summary>What an instruction does to memory and to its neighbours.</summary>
[Flags]
internal enum InstFlags : byte
{
    None = 0,

    /// <summary>Depends on its operands only: shared, hoisted, dropped at will.</summary>
    Pure = 1,

    /// <summary>Reads memory or mutable state: dropped when its result is unused, never moved.</summary>
    Reads = 2,

    /// <summary>Is kept.</summary>
    Effect = 4,

    /// <summary>All threads of the group must take part.</summary>
    GroupConvergent = 8,

    /// <summary>All lanes of the warp must take part.</summary>
    WarpConvergent = 16,

    /// <summary>Operand order does not matter.</summary>
    Commutative = 32,
}

/// <summary>How far a value is known to be the same: in the group, in the warp, or not at all.</summary>
internal enum Uniformity : byte
{
    Group,
    Warp,
    Thread,
}

/// <summary>An item of a block.</summary>
internal abstract class Node
{
    /// <summary>Where it stands; changes when a small branch dissolves into selects.</summary>
    public Block? Block { get; set; }

    public SourceLine Line { get; set; }
}

/// <summary>One instruction. <see cref="Text"/> is its PTX with %0, %1, ... for results and then operands; #n allows an immediate.</summary>
internal sealed class Inst(Op op, string text, Value[] operands, InstFlags flags) : Node
{
    public Op Op { get; } = op;

    public string Text { get; } = text;

    public Value[] Operands { get; } = operands;

    public Value[] Results { get; set; } = [];

    public InstFlags Flags { get; } = flags;

    /// <summary>Uniformity that the instruction gives to its results beside that of its operands.</summary>
    public Uniformity Source { get; init; } = Uniformity.Group;

    /// <summary>The results are this uniform whatever the operands are.</summary>
    public Uniformity? Fixed { get; init; }

    /// <summary>Position of an operand that must be uniform within the warp for the results to be so (shuffle lane), or -1.</summary>
    public int UniformOperand { get; init; } = -1;

    /// <summary>Registers named in place after the operands.</summary>
    public Register[] InPlace { get; init; } = [];

    /// <summary>What the source calls it, for messages.</summary>
    public string? Display { get; init; }

    public bool IsPure => (Flags & InstFlags.Pure) != 0;

    /// <summary>An integer division whose divisor may be zero: done only where the source does it.</summary>
    public bool MayFault => Op is Op.DivS or Op.DivU or Op.RemS or Op.RemU && (!Operands[1].IsConst || Operands[1].Bits == 0);
}
