// An instruction while its registers have no place yet.
using Rt.Gpu.Simulator.Execution;
using Rt.Gpu.Simulator.Text;

namespace Rt.Gpu.Simulator.Decoding;

/// <summary>A place in the register file: a virtual register's or a constant's.</summary>
internal sealed class Slot(Register? register, Constant? constant, int bits)
{
    public Register? Register { get; } = register;

    public Constant? Constant { get; } = constant;

    /// <summary>Bytes of 32 lanes: 16-bit values take 32-bit lanes.</summary>
    public int Bytes { get; } = bits == 64 ? 256 : 128;

    public int Offset { get; set; } = -1;
}

/// <summary>An instruction with slots in place of offsets.</summary>
internal sealed class Draft(Statement statement)
{
    public Instruction Instruction = new() { Reconvergence = -1, Target = -1 };

    public Statement Statement { get; } = statement;

    public InstructionKind Kind { get; set; }

    /// <summary>Floating-point operations per thread.</summary>
    public int Flops { get; set; }

    public Slot? Destination { get; set; }

    public Slot? A { get; set; }

    public Slot? B { get; set; }

    public Slot? C { get; set; }

    /// <summary>A slot whose offset goes to <see cref="Instruction.Second"/>.</summary>
    public Slot? Second { get; set; }

    /// <summary>Registers of a vector, in order; numbers that are no registers have no slot.</summary>
    public List<(Slot? Slot, int Number)> Registers { get; } = [];

    public List<Register> Reads { get; } = [];

    public List<Register> Writes { get; } = [];

    public string? Label { get; set; }
}
