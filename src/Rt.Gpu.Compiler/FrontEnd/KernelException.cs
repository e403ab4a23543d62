// Ways in which the lowering of a kernel stops or starts over.
using Microsoft.CodeAnalysis;

namespace Rt.Gpu.Compiler.FrontEnd;

/// <summary>The source uses what a kernel cannot.</summary>
internal sealed class KernelException(DiagnosticDescriptor rule, Location location, params string[] arguments) : Exception
{
    public DiagnosticDescriptor Rule { get; } = rule;

    public Location Location { get; } = location;

    public string[] Arguments { get; } = arguments;
}

/// <summary>The C# itself has errors, or follows from what was reported already.</summary>
internal sealed class AlreadyReportedException : Exception;

/// <summary>An index into local memory is not constant: a loop around it must be unrolled.</summary>
internal sealed class LocalIndexException(Location location) : Exception
{
    public Location Location { get; } = location;
}

/// <summary>Something was learned that the lowering must know from its beginning.</summary>
internal sealed class RestartException : Exception;
