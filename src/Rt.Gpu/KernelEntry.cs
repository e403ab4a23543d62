// What the compiler leaves behind of a kernel: one entry per kernel and type arguments, with its PTX.
using System.Text;

namespace Rt.Gpu;

/// <summary>Kind of a kernel parameter.</summary>
public enum ParameterKind
{
    /// <summary><see cref="ArrayView{T}"/>: address and length, 16 bytes.</summary>
    View,

    /// <summary>int or uint, 4 bytes.</summary>
    Int32,

    /// <summary>long or ulong, 8 bytes.</summary>
    Int64,

    /// <summary>float, 4 bytes.</summary>
    Float32,

    /// <summary>double, 8 bytes.</summary>
    Float64,

    /// <summary>bool, 1 byte: 0 or 1.</summary>
    Bool,
}

/// <summary>A kernel parameter.</summary>
/// <param name="Name">As in the source.</param>
/// <param name="Kind">Kind.</param>
/// <param name="ElementBytes">Size of a view's element; 0 for numbers.</param>
/// <param name="ReadOnly">Declared with <see cref="ReadOnlyViewAttribute"/>.</param>
public sealed record KernelParameter(string Name, ParameterKind Kind, int ElementBytes, bool ReadOnly);

/// <summary>A compiled kernel.</summary>
public sealed class KernelEntry
{
    private readonly Func<ReadOnlySpan<byte>> _ptx;

    /// <summary>A delegate type for spans of the assembly's data.</summary>
    public delegate TResult Func<out TResult>() where TResult : allows ref struct;

    /// <param name="name">Name of the PTX entry: the method and its type arguments, unique.</param>
    /// <param name="method">Name of the method.</param>
    /// <param name="typeArguments">Names of the type arguments.</param>
    /// <param name="target">sm_80, sm_90 or sm_90a.</param>
    /// <param name="groupSize">Threads per group.</param>
    /// <param name="sharedBytes">Static shared memory.</param>
    /// <param name="usesDynamicShared">Whether a launch must say how much dynamic shared memory there is.</param>
    /// <param name="source">File and line of the method.</param>
    /// <param name="parameters">In order.</param>
    /// <param name="ptx">The module's text, UTF-8.</param>
    public KernelEntry(
        string name, string method, string[] typeArguments, string target, int groupSize, int sharedBytes, bool usesDynamicShared,
        string source, KernelParameter[] parameters, Func<ReadOnlySpan<byte>> ptx)
    {
        Name = name;
        Method = method;
        TypeArguments = typeArguments;
        Target = target;
        GroupSize = groupSize;
        SharedBytes = sharedBytes;
        UsesDynamicShared = usesDynamicShared;
        Source = source;
        Parameters = parameters;
        _ptx = ptx;
    }

    /// <summary>Name of the PTX entry.</summary>
    public string Name { get; }

    /// <summary>Name of the method.</summary>
    public string Method { get; }

    /// <summary>Names of the type arguments.</summary>
    public IReadOnlyList<string> TypeArguments { get; }

    /// <summary>Lowest architecture it runs on.</summary>
    public string Target { get; }

    /// <summary>Threads per group.</summary>
    public int GroupSize { get; }

    /// <summary>Static shared memory in bytes.</summary>
    public int SharedBytes { get; }

    /// <summary>Whether it reads dynamic shared memory.</summary>
    public bool UsesDynamicShared { get; }

    /// <summary>File and line of the method, relative to the repository.</summary>
    public string Source { get; }

    /// <summary>Parameters in order.</summary>
    public IReadOnlyList<KernelParameter> Parameters { get; }

    /// <summary>The module's text, UTF-8, without a terminating zero.</summary>
    public ReadOnlySpan<byte> Ptx => _ptx();

    /// <summary>The module's text.</summary>
    public string PtxText => Encoding.UTF8.GetString(Ptx);

    /// <inheritdoc/>
    public override string ToString() => Name;
}
