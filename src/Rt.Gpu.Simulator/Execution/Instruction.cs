// A decoded instruction: what the interpreter reads, with nothing left to look up.
namespace Rt.Gpu.Simulator.Execution;

/// <summary>Instructions that the interpreter's loop handles itself; all others have a handler.</summary>
internal enum Control
{
    None,
    Branch,
    Return,
    Barrier,
}

/// <summary>A decoded instruction. Registers are byte offsets into the warp's register file; predicates are indices.</summary>
internal unsafe struct Instruction
{
    /// <summary>Runs it for the lanes of the mask.</summary>
    public delegate*<Worker, Instruction*, uint, void> Handler;

    public Control Control;

    /// <summary>Predicate that guards it; 0 is always true.</summary>
    public int Guard;

    /// <summary>All ones where the guard is negated.</summary>
    public uint GuardFlip;

    public int Destination;

    public int A;

    public int B;

    public int C;

    /// <summary>Registers of vectors and fragments.</summary>
    public int* Registers;

    /// <summary>Offset of an address, or a constant of the operation.</summary>
    public long Immediate;

    /// <summary>First number of the operation: bytes per element, comparison, rounding.</summary>
    public int First;

    /// <summary>Second number of the operation: elements, flags.</summary>
    public int Second;

    /// <summary>Third number of the operation: bytes of a lane of the destination.</summary>
    public int Third;

    /// <summary>Index of the instruction that a branch goes to.</summary>
    public int Target;

    /// <summary>Where the lanes of a branch meet again.</summary>
    public int Reconvergence;

    /// <summary>Number among the instructions that keep an <see cref="AccessPattern"/>.</summary>
    public int Pattern;

    /// <summary>Position in the program.</summary>
    public int Index;
}
