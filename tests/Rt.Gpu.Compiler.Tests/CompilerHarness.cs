// Runs the generator over source text in memory.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Rt.Gpu.Compiler.Tests;

internal static class CompilerHarness
{
    public const string FilePath = "Kernels.cs";

    private static readonly CSharpParseOptions Options = new(LanguageVersion.Latest);

    private static readonly MetadataReference[] References =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetFileName(path) is "System.Runtime.dll" or "System.Private.CoreLib.dll" or "System.Collections.dll" or "System.Linq.dll")
            .Select(path => (MetadataReference)MetadataReference.CreateFromFile(path)),
        MetadataReference.CreateFromFile(typeof(KernelEntry).Assembly.Location),
    ];

    /// <summary>A compilation of one file whose kernels class holds these members.</summary>
    public static CSharpCompilation Compilation(string members, params string[] otherFiles)
    {
        var text = $"using System;\nusing Rt.Gpu;\nnamespace Sample;\npublic static partial class Kernels\n{{\n{members}\n}}\n";
        return CSharpCompilation.Create(
            "Sample",
            otherFiles.Select((file, index) => CSharpSyntaxTree.ParseText(file, Options, $"Other{index}.cs"))
                .Prepend(CSharpSyntaxTree.ParseText(text, Options, FilePath)),
            References, new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));
    }

    public static GeneratorDriver Driver() => CSharpGeneratorDriver.Create(
        [new KernelGenerator().AsSourceGenerator()], parseOptions: Options,
        driverOptions: new GeneratorDriverOptions(IncrementalGeneratorOutputKind.None, trackIncrementalGeneratorSteps: true));

    /// <summary>What the generator reports; the C# itself must be right.</summary>
    public static IReadOnlyList<Diagnostic> Diagnose(string members)
    {
        var compilation = Compilation(members);
        Assert.Empty(compilation.GetDiagnostics().Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error));
        return Driver().RunGenerators(compilation).GetRunResult().Diagnostics;
    }

    /// <summary>The PTX of one entry; there must be no diagnostics.</summary>
    public static string Ptx(string members, string entry)
    {
        var result = Driver().RunGenerators(Compilation(members)).GetRunResult();
        Assert.Empty(result.Diagnostics);
        var text = result.GeneratedTrees.Single(tree => Path.GetFileName(tree.FilePath) == entry + ".g.cs").ToString();
        const string Opening = "static () => \"\"\"\n";
        var start = text.IndexOf(Opening, StringComparison.Ordinal) + Opening.Length;
        return text[start..text.IndexOf("\n\"\"\"u8", start, StringComparison.Ordinal)];
    }
}
