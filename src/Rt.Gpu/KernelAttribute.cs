// How a C# method is marked as a kernel, and for which type arguments it is compiled.
namespace Rt.Gpu;

/// <summary>Marks a static void method that is compiled to PTX at build time.</summary>
/// <remarks>Parameters may be <see cref="ArrayView{T}"/>, int, uint, long, ulong, float, double and bool. Every method it calls is inlined.</remarks>
/// <param name="groupSize">Threads per group (CUDA: block), a multiple of 32 up to 1024; groups are one-dimensional.</param>
[AttributeUsage(AttributeTargets.Method)]
public sealed class KernelAttribute(int groupSize) : Attribute
{
    /// <summary>Threads per group.</summary>
    public int GroupSize { get; } = groupSize;

    /// <summary>Groups that should fit on one multiprocessor: bounds the registers per thread. 0 leaves it to the assembler.</summary>
    public int MinGroups { get; set; }

    /// <summary>Lowest architecture it runs on: sm_80, sm_90 or sm_90a.</summary>
    public string Target { get; set; } = "sm_80";

    /// <summary>The kernel stays within ILGPU's API; the compiler reports where it leaves it.</summary>
    public bool Portable { get; set; }
}

/// <summary>Compiles a generic kernel for these type arguments: one entry per attribute.</summary>
/// <param name="typeArguments">As many as the method has type parameters.</param>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class InstanceAttribute(params Type[] typeArguments) : Attribute
{
    /// <summary>Type arguments in the order of the method's type parameters.</summary>
    public Type[] TypeArguments { get; } = typeArguments;
}

/// <summary>The kernel only reads this view and nothing else writes the memory meanwhile: loads go through the read-only path, and a
/// load at a uniform index is uniform.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class ReadOnlyViewAttribute : Attribute;

/// <summary>Asks that a loop be unrolled: written as <c>for (...; Unroll.While(i &lt; Count); ...)</c>. Its bounds must be constants.</summary>
/// <remarks>Loops of up to 16 constant trips, and loops that index local arrays, are unrolled without asking.</remarks>
public static class Unroll
{
    /// <summary>The condition itself.</summary>
    public static bool While(bool condition) => condition;
}
