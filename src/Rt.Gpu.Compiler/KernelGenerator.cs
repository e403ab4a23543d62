// The generator: finds kernels, lowers them, emits PTX, and writes the catalog.
using System.Collections.Immutable;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;
using Rt.Gpu.Compiler.FrontEnd;
using Rt.Gpu.Compiler.Ptx;

namespace Rt.Gpu.Compiler;

/// <summary>Turns every method marked <c>[Kernel]</c> into PTX at build time.</summary>
/// <remarks>Steps: transform (attributes and bodies to the kernel form, compared by content), emission (form to text), output.</remarks>
[Generator(LanguageNames.CSharp)]
public sealed class KernelGenerator : IIncrementalGenerator
{
    /// <summary>Name of the step that lowers.</summary>
    internal const string LoweringStep = "Lowering";

    /// <summary>Name of the step that emits.</summary>
    internal const string EmissionStep = "Emission";

    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        var paths = context.AnalyzerConfigOptionsProvider.Select(static (options, _) =>
            new SourcePaths(options.GlobalOptions.TryGetValue("build_property.RtSourceRoot", out var root) ? root : string.Empty));
        var space = context.CompilationProvider.Select(static (compilation, _) => compilation.AssemblyName ?? "Kernels");

        var kernels = context.SyntaxProvider.ForAttributeWithMetadataName(
                "Rt.Gpu.KernelAttribute",
                static (node, _) => node is MethodDeclarationSyntax,
                static (found, _) => (Method: (IMethodSymbol)found.TargetSymbol, found.SemanticModel.Compilation))
            .Combine(paths)
            .Select(static (item, cancellation) => KernelReader.Read(item.Left.Method, item.Left.Compilation, item.Right, cancellation))
            .WithTrackingName(LoweringStep);

        var strays = context.SyntaxProvider.ForAttributeWithMetadataName(
                "Rt.Gpu.InstanceAttribute",
                static (node, _) => node is MethodDeclarationSyntax,
                static (found, _) => KernelReader.CheckInstances((IMethodSymbol)found.TargetSymbol));

        var duplicates = kernels.SelectMany(static (kernel, _) => kernel.Places.Items).Collect().Select(static (places, _) => DuplicateEntries.Of(places));

        var entries = kernels.SelectMany(static (kernel, _) => kernel.Entries.Items)
            .Select(static (entry, _) => new CompiledEntry(entry, PtxEmitter.Emit(entry.Form.Kernel)))
            .WithTrackingName(EmissionStep);

        context.RegisterSourceOutput(kernels.Select(static (kernel, _) => kernel.Diagnostics), Report);
        context.RegisterSourceOutput(strays, Report);
        context.RegisterSourceOutput(duplicates.Select(static (found, _) => found.Diagnostics), Report);

        var written = entries.Combine(duplicates.Select(static (found, _) => found.Names))
            .Where(static item => !item.Right.Items.Contains(item.Left.Entry.Name))
            .Select(static (item, _) => item.Left);

        context.RegisterSourceOutput(written.Combine(space), static (output, item) =>
            output.AddSource($"{item.Left.Entry.Name}.g.cs", SourceText.From(CatalogWriter.Entry(item.Left, item.Right), Encoding.UTF8)));

        var names = written.Select(static (entry, _) => entry.Entry.Name).Collect();
        context.RegisterSourceOutput(names.Combine(space), static (output, item) =>
            output.AddSource("KernelCatalog.g.cs", SourceText.From(Catalog(item.Left, item.Right), Encoding.UTF8)));
    }

    private static void Report(SourceProductionContext output, EquatableArray<DiagnosticModel> diagnostics)
    {
        foreach (var diagnostic in diagnostics.Items)
        {
            output.ReportDiagnostic(diagnostic.ToDiagnostic());
        }
    }

    private static string Catalog(ImmutableArray<string> names, string space)
    {
        var sorted = names.ToList();
        sorted.Sort(StringComparer.Ordinal);
        return CatalogWriter.Catalog(sorted, space);
    }
}
