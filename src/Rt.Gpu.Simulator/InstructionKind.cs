// Kinds of instructions, as counted.
namespace Rt.Gpu.Simulator;

/// <summary>What a warp instruction keeps busy.</summary>
public enum InstructionKind
{
    /// <summary>Nothing of the hardware: the simulator's own checks.</summary>
    None,

    /// <summary>Integer arithmetic, logic and shifts.</summary>
    Integer,

    /// <summary>Arithmetic on F32.</summary>
    Float,

    /// <summary>Arithmetic on F64.</summary>
    Double,

    /// <summary>Arithmetic on pairs of 16-bit floats.</summary>
    Half,

    /// <summary>Approximate functions.</summary>
    SpecialFunction,

    /// <summary>Conversions.</summary>
    Conversion,

    /// <summary>Moves and selections.</summary>
    Move,

    /// <summary>Comparisons and predicates.</summary>
    Compare,

    /// <summary>Reads of kernel parameters.</summary>
    LoadParameter,

    /// <summary>Loads from global memory.</summary>
    LoadGlobal,

    /// <summary>Stores to global memory.</summary>
    StoreGlobal,

    /// <summary>Loads from shared memory.</summary>
    LoadShared,

    /// <summary>Stores to shared memory.</summary>
    StoreShared,

    /// <summary>Atomic operations.</summary>
    Atomic,

    /// <summary>Shuffles, votes and reductions of a warp.</summary>
    Exchange,

    /// <summary>Barriers and fences.</summary>
    Barrier,

    /// <summary>Matrix products on tensor cores.</summary>
    Matrix,

    /// <summary>Matrix loads from shared memory.</summary>
    MatrixLoad,

    /// <summary>Asynchronous copies, their commits and waits.</summary>
    AsyncCopy,

    /// <summary>Branches and returns.</summary>
    Branch,
}
