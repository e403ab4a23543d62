// What passes from the step that reads kernels to the steps that write: values compared by content.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler;

/// <summary>All entries of one kernel method, and what is wrong with it.</summary>
internal sealed record KernelModel(
    EquatableArray<EntryModel> Entries, EquatableArray<DiagnosticModel> Diagnostics, EquatableArray<EntryPlace> Places);

/// <summary>Where an entry is asked for: what is said there if its name exists already.</summary>
internal sealed record EntryPlace(string Name, string Method, DiagnosticModel Diagnostic);

/// <summary>A parameter as the catalog names it.</summary>
internal sealed record ParameterModel(string Name, string Kind, int ElementBytes, bool ReadOnly);

/// <summary>One entry before emission.</summary>
internal sealed record EntryModel(
    string Name, string Method, EquatableArray<string> TypeArguments, string Target, int GroupSize, int SharedBytes, bool UsesDynamicShared,
    string Source, EquatableArray<ParameterModel> Parameters, KernelForm Form);

/// <summary>One entry with its text.</summary>
internal sealed record CompiledEntry(EntryModel Entry, string Ptx);

/// <summary>The kernel form, compared by its printed text.</summary>
internal sealed class KernelForm(KernelIr kernel) : IEquatable<KernelForm>
{
    private readonly string _text = IrPrinter.Print(kernel);

    public KernelIr Kernel { get; } = kernel;

    public bool Equals(KernelForm? other) => other is not null && _text == other._text;

    public override bool Equals(object? obj) => Equals(obj as KernelForm);

    public override int GetHashCode() => _text.GetHashCode();

    public override string ToString() => _text;
}

/// <summary>A diagnostic without syntax trees.</summary>
internal sealed record DiagnosticModel(string Id, string Path, TextSpan Span, LinePositionSpan Lines, EquatableArray<string> Arguments)
{
    public static DiagnosticModel Of(DiagnosticDescriptor rule, Location location, params string[] arguments)
    {
        var span = location.GetLineSpan();
        return new DiagnosticModel(rule.Id, span.Path ?? string.Empty, location.SourceSpan, span.Span, new EquatableArray<string>(arguments));
    }

    /// <summary>At a line that the kernel form names.</summary>
    public static DiagnosticModel At(DiagnosticDescriptor rule, string path, SourceLine line, params string[] arguments)
    {
        var position = new LinePosition(Math.Max(line.Line - 1, 0), Math.Max(line.Column - 1, 0));
        return new DiagnosticModel(rule.Id, path, default, new LinePositionSpan(position, position), new EquatableArray<string>(arguments));
    }

    public Diagnostic ToDiagnostic()
    {
        var rule = Compiler.Diagnostics.All.First(candidate => candidate.Id == Id);
        var location = Path.Length == 0 ? Location.None : Location.Create(Path, Span, Lines);
        object[] arguments = [.. Arguments.Items];
        return Diagnostic.Create(rule, location, arguments);
    }
}
