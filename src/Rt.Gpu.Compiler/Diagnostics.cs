// Everything the kernel compiler reports. Each message names the cure.
using Microsoft.CodeAnalysis;

namespace Rt.Gpu.Compiler;

/// <summary>The RTK rules.</summary>
internal static class Diagnostics
{
    public static readonly DiagnosticDescriptor NotStaticVoid = Error("RTK0001", "A kernel is a static void method",
        "Kernel '{0}' must be a static void method; write its result through an ArrayView parameter");

    public static readonly DiagnosticDescriptor ParameterType = Error("RTK0002", "Kernel parameter type",
        "Parameter '{0}' of kernel '{1}' has type '{2}'; use ArrayView<T>, int, uint, long, ulong, float, double or bool");

    public static readonly DiagnosticDescriptor NoSource = Error("RTK0003", "No kernel meaning",
        "'{0}' has neither source in this project nor a meaning in kernels; {1}");

    public static readonly DiagnosticDescriptor Recursion = Error("RTK0004", "Recursion",
        "'{0}' calls itself; every call is inlined, so write a loop instead");

    public static readonly DiagnosticDescriptor ManagedObject = Error("RTK0005", "Managed object",
        "{0} needs managed memory, which a kernel has none of; use SharedMemory.Allocate, LocalMemory.Allocate or a struct");

    public static readonly DiagnosticDescriptor ControlFlow = Error("RTK0006", "Statement not available",
        "'{0}' cannot be used in a kernel; use if, for, while, do, switch, break, continue and return");

    public static readonly DiagnosticDescriptor IndirectCall = Error("RTK0007", "Indirect call",
        "{0} needs a call through a pointer; use a static method, or a struct type argument with static abstract members");

    public static readonly DiagnosticDescriptor MutableStatic = Error("RTK0008", "Static field",
        "Static field '{0}' cannot be read in a kernel; make it const, or pass it as a parameter");

    public static readonly DiagnosticDescriptor LengthNotConstant = Error("RTK0009", "Length not constant",
        "The length given to {0} must be a constant at build time; use a const, a static abstract property of a type argument, or SharedMemory.GetDynamic");

    public static readonly DiagnosticDescriptor TooMuchShared = Error("RTK0010", "Too much shared memory",
        "Kernel '{0}' uses {1} bytes of static shared memory, more than 49152; use SharedMemory.GetDynamic and give the bytes at launch");

    public static readonly DiagnosticDescriptor DivergentBarrier = Error("RTK0011", "Exchange under a condition that differs between threads",
        "{0} is reached under a condition that is not the same for all threads of the {1} (decided at line {2}); move it out of the branch, or make the condition uniform with {3}");

    public static readonly DiagnosticDescriptor NoKernel = Error("RTK0012", "[Instance] without [Kernel]",
        "Method '{0}' has [Instance] and no [Kernel(groupSize)]; add it, or remove [Instance]");

    public static readonly DiagnosticDescriptor ImplicitDouble = Error("RTK0013", "Implicit float to double",
        "A float is widened to double here without saying so; write a float literal (1f) or an explicit (double)");

    public static readonly DiagnosticDescriptor EmitText = Error("RTK0014", "Ptx.Emit text",
        "The text of Ptx.{0} {1}; write a string literal whose %0 to %{2} stand for the operands");

    public static readonly DiagnosticDescriptor LocalIndex = Error("RTK0015", "Dynamic index into local memory",
        "An index into local memory must be a constant after unrolling; give the loop constant bounds, or use shared memory");

    public static readonly DiagnosticDescriptor AmbiguousView = Error("RTK0016", "Ambiguous address space",
        "'{0}' may view different memories here; {1}");

    public static readonly DiagnosticDescriptor Budget = Error("RTK0017", "Instruction budget",
        "Kernel '{0}' grows beyond {1} instructions; unroll less, or split it");

    public static readonly DiagnosticDescriptor UnrollBounds = Error("RTK0018", "Unroll without constant bounds",
        "Unroll.While needs bounds that are constants at build time and a counter that the body does not write; remove it, or take the bound from a type argument");

    public static readonly DiagnosticDescriptor NotSupported = Error("RTK0019", "Not available in kernels",
        "{0} cannot be used in a kernel; {1}");

    public static readonly DiagnosticDescriptor NotPortable = Error("RTK0021", "Portable kernel leaves ILGPU",
        "Kernel '{0}' is declared Portable, but '{1}' is not part of ILGPU; remove it, or remove Portable");

    public static readonly DiagnosticDescriptor Instances = Error("RTK0022", "Type arguments of a kernel",
        "Kernel '{0}' has {1} type parameters, {2}; add [Instance(typeof(...))] with one type per parameter");

    public static readonly DiagnosticDescriptor GroupSize = Error("RTK0023", "Group size",
        "Group size {0} of kernel '{1}' must be a multiple of 32 from 32 to 1024");

    public static readonly DiagnosticDescriptor VectorSize = Error("RTK0024", "Vector too wide",
        "'{0}' is {1} bytes, and one load moves 16 at most in global and shared memory; use a shorter vector or smaller elements");

    public static readonly DiagnosticDescriptor ReadOnlyWrite = Error("RTK0025", "Write to a read-only view",
        "View '{0}' is declared [ReadOnlyView] and is written here; remove the attribute, or write to another view");

    public static readonly DiagnosticDescriptor DuplicateEntry = Error("RTK0026", "Two entries of one name",
        "Kernel entry '{0}' exists already (methods '{1}' and '{2}'); rename one");

    public static readonly DiagnosticDescriptor TargetName = Error("RTK0027", "Target",
        "Target '{0}' of kernel '{1}' is not known; use sm_80, sm_90 or sm_90a");

    public static readonly DiagnosticDescriptor Failure = Error("RTK0099", "Failure of the kernel compiler",
        "The kernel compiler failed on '{0}': {1}; this is a mistake in the compiler, please report it with the kernel");

    /// <summary>All of them.</summary>
    public static readonly DiagnosticDescriptor[] All =
    [
        NotStaticVoid, ParameterType, NoSource, Recursion, ManagedObject, ControlFlow, IndirectCall, MutableStatic, LengthNotConstant,
        TooMuchShared, DivergentBarrier, NoKernel, ImplicitDouble, EmitText, LocalIndex, AmbiguousView, Budget, UnrollBounds,
        NotSupported, NotPortable, Instances, GroupSize, VectorSize, ReadOnlyWrite, DuplicateEntry, TargetName, Failure,
    ];

    private static DiagnosticDescriptor Error(string id, string title, string message) =>
        new(id, title, message, "Kernels", DiagnosticSeverity.Error, isEnabledByDefault: true);
}
