// How a GPU device computes, where there is a choice.
namespace Rt.Cuda;

/// <summary>Options of a <see cref="GpuDevice"/>.</summary>
/// <param name="BatchInvariant">A row's bits do not depend on how many rows, or which, are computed with it.</param>
/// <param name="Tf32">With F32 activations, matrix products run on tensor cores with operands rounded to tf32 (10 mantissa bits).</param>
/// <param name="Graphs">Repeated work is started as one recorded graph.</param>
public sealed record GpuOptions(bool BatchInvariant = false, bool Tf32 = false, bool Graphs = true);
