// An entry as the interpreter runs it.
using Rt.Gpu.Simulator.Execution;
using Rt.Gpu.Simulator.Text;

namespace Rt.Gpu.Simulator.Decoding;

/// <summary>What the lanes of a register hold that no instruction writes.</summary>
internal enum ConstantKind
{
    Value,
    Variable,
    ThreadIndex,
    GroupSize,
    Lane,
    WarpIndex,
    GroupX,
    GroupY,
    GroupZ,
    GridSizeX,
    GridSizeY,
    GridSizeZ,
}

/// <summary>A register slot with a constant: an immediate, a shared address, or a special register.</summary>
internal sealed record Constant(ConstantKind Kind, ulong Value, long Extra, int Bits)
{
    public int Offset { get; set; }
}

/// <summary>Where an instruction comes from.</summary>
internal readonly record struct LineInfo(int Line, string Text, string? Source, InstructionKind Kind, int Flops)
{
    /// <summary>Registers read and written, for traces.</summary>
    public RegisterPlace[] Reads { get; init; } = [];

    /// <inheritdoc cref="Reads"/>
    public RegisterPlace[] Writes { get; init; } = [];
}

/// <summary>A register and its place: an offset in the register file, or the number of a predicate (Bits 1).</summary>
internal readonly record struct RegisterPlace(string Name, string Type, int Bits, int Place);

/// <summary>An entry, decoded.</summary>
internal sealed class EntryProgram
{
    public required string Name { get; init; }

    /// <summary>Pinned, so that instructions have addresses.</summary>
    public required Instruction[] Code { get; init; }

    /// <summary>Registers of vectors, pinned; <see cref="Instruction.Registers"/> points into it.</summary>
    public required int[] RegisterLists { get; init; }

    public required LineInfo[] Lines { get; init; }

    public required int RegisterBytes { get; init; }

    public required int PredicateCount { get; init; }

    /// <summary>Instructions that keep an <see cref="AccessPattern"/>.</summary>
    public required int PatternCount { get; init; }

    public required IReadOnlyList<string> TrackedNames { get; init; }

    public int TrackedCount => TrackedNames.Count;

    public required IReadOnlyList<Constant> Constants { get; init; }

    public required Conversion[] Conversions { get; init; }

    public required IReadOnlyList<SharedVariable> Shared { get; init; }

    /// <summary>Bytes of the smallest access to shared memory.</summary>
    public required int SharedGranule { get; init; }

    /// <summary>Bytes of the smallest access to global memory, up to 4, as a power of two.</summary>
    public required int GlobalGranuleShift { get; init; }

    public required IReadOnlyList<EntryParameter> Parameters { get; init; }

    public int ArgumentBytes => Parameters.Count == 0 ? 0 : Parameters[^1].Offset + Parameters[^1].Bytes;

    public required int GroupSize { get; init; }
}
