// What ILGPU lacks: tensor cores, matrix loads, asynchronous copies, and PTX by hand.
namespace Rt.Gpu;

/// <summary>Warp-wide matrix products D = A B + D with F32 accumulators. Fragment layouts: PTX ISA, "Matrix Fragments for mma".</summary>
/// <remarks>All 32 lanes take part; never under a condition that differs within the warp.</remarks>
public static class Mma
{
    /// <summary>16 x 8 x 16, A row-major, B column-major, elements <typeparamref name="T"/>: <see cref="BFloat16"/> or <see cref="Half"/>, two per register.</summary>
    public static void M16N8K16<T>(
        ref float d0, ref float d1, ref float d2, ref float d3,
        uint a0, uint a1, uint a2, uint a3, uint b0, uint b1) where T : unmanaged => throw new KernelOnlyException();

    /// <summary>16 x 8 x 8 of tf32: operands are the bits of floats rounded by <see cref="ToTf32"/>.</summary>
    public static void M16N8K8(
        ref float d0, ref float d1, ref float d2, ref float d3,
        uint a0, uint a1, uint a2, uint a3, uint b0, uint b1) => throw new KernelOnlyException();

    /// <summary>A float rounded to tf32 (10 mantissa bits, to nearest, ties away from zero), as bits.</summary>
    public static uint ToTf32(float value) => throw new KernelOnlyException();
}

/// <summary>Loads of 8 x 8 matrices of 16-bit elements from shared memory; lane i gives the row address of row i % 8 of matrix i / 8.</summary>
public static class LdMatrix
{
    /// <summary>Four matrices. <paramref name="row"/> views the lane's row of 8 elements, aligned to 16 bytes.</summary>
    public static void X4<T>(ArrayView<T> row, out uint r0, out uint r1, out uint r2, out uint r3) where T : unmanaged =>
        throw new KernelOnlyException();

    /// <summary>Four matrices, each transposed.</summary>
    public static void X4Transposed<T>(ArrayView<T> row, out uint r0, out uint r1, out uint r2, out uint r3) where T : unmanaged =>
        throw new KernelOnlyException();

    /// <summary>Two matrices: addresses of lanes 0-15.</summary>
    public static void X2<T>(ArrayView<T> row, out uint r0, out uint r1) where T : unmanaged => throw new KernelOnlyException();

    /// <summary>Two matrices, each transposed.</summary>
    public static void X2Transposed<T>(ArrayView<T> row, out uint r0, out uint r1) where T : unmanaged => throw new KernelOnlyException();
}

/// <summary>Copies from global to shared memory that run beside the computation (cp.async).</summary>
/// <remarks>A copy is seen by its own thread after <see cref="Wait"/>, by others after a barrier that follows it.</remarks>
public static class AsyncCopy
{
    /// <summary>Copies 16 bytes from the start of one view to the start of another, both aligned to 16; past the caches' first level.</summary>
    /// <param name="destination">Shared memory.</param>
    /// <param name="source">Global memory.</param>
    /// <param name="valid">False writes 16 zero bytes and reads nothing.</param>
    public static void Copy16<T>(ArrayView<T> destination, ArrayView<T> source, bool valid = true) where T : unmanaged =>
        throw new KernelOnlyException();

    /// <summary>As <see cref="Copy16"/> for 4 bytes.</summary>
    public static void Copy4<T>(ArrayView<T> destination, ArrayView<T> source, bool valid = true) where T : unmanaged =>
        throw new KernelOnlyException();

    /// <summary>Closes a group of the copies so far.</summary>
    public static void Commit() => throw new KernelOnlyException();

    /// <summary>Waits until at most <paramref name="pending"/> of the newest groups are still under way.</summary>
    /// <param name="pending">A constant.</param>
    public static void Wait(int pending) => throw new KernelOnlyException();
}

/// <summary>Instructions written by hand.</summary>
/// <remarks>The text is a literal; %0, %1, ... stand for the operands in order. A local array (<see cref="LocalMemory"/>) stands for its
/// registers in braces: {r0, r1, ...}. A shared view stands for its 32-bit shared address, a global view for its 64-bit address.
/// Registers that an array operand names may be read and written.</remarks>
public static class Ptx
{
    /// <summary>An instruction without a result.</summary>
    public static void Emit(string text) => throw new KernelOnlyException();

    /// <summary>An instruction without a result.</summary>
    public static void Emit<T0>(string text, T0 in0) => throw new KernelOnlyException();

    /// <summary>An instruction without a result.</summary>
    public static void Emit<T0, T1>(string text, T0 in0, T1 in1) => throw new KernelOnlyException();

    /// <summary>An instruction without a result.</summary>
    public static void Emit<T0, T1, T2>(string text, T0 in0, T1 in1, T2 in2) => throw new KernelOnlyException();

    /// <summary>An instruction without a result.</summary>
    public static void Emit<T0, T1, T2, T3>(string text, T0 in0, T1 in1, T2 in2, T3 in3) => throw new KernelOnlyException();

    /// <summary>An instruction without a result.</summary>
    public static void Emit<T0, T1, T2, T3, T4>(string text, T0 in0, T1 in1, T2 in2, T3 in3, T4 in4) => throw new KernelOnlyException();

    /// <summary>An instruction whose result is %0.</summary>
    public static void EmitTo<TR>(string text, out TR result) => throw new KernelOnlyException();

    /// <summary>An instruction whose result is %0.</summary>
    public static void EmitTo<TR, T1>(string text, out TR result, T1 in1) => throw new KernelOnlyException();

    /// <summary>An instruction whose result is %0.</summary>
    public static void EmitTo<TR, T1, T2>(string text, out TR result, T1 in1, T2 in2) => throw new KernelOnlyException();

    /// <summary>An instruction whose result is %0.</summary>
    public static void EmitTo<TR, T1, T2, T3>(string text, out TR result, T1 in1, T2 in2, T3 in3) => throw new KernelOnlyException();
}
