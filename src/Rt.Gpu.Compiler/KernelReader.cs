// Reads one kernel method: checks its declaration and lowers each of its instances.
using System.Runtime.CompilerServices;
using System.Threading;
using Microsoft.CodeAnalysis;
using Rt.Gpu.Compiler.FrontEnd;
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler;

internal static class KernelReader
{
    private static readonly ConditionalWeakTable<Compilation, MethodBodies> Bodies = new();

    public static KernelModel Read(IMethodSymbol method, Compilation compilation, SourcePaths paths, CancellationToken cancellation)
    {
        var diagnostics = new List<DiagnosticModel>();
        var entries = new List<EntryModel>();
        var places = new List<EntryPlace>();
        var attributes = KernelAttributes.Read(method);
        if (Check(attributes, diagnostics))
        {
            var bodies = Bodies.GetValue(compilation, created => new MethodBodies(created));
            if (attributes.Instances.Count == 0)
            {
                places.Add(Place(method, [], method.Locations[0]));
                AddEntry(bodies, attributes, [], paths, entries, diagnostics, cancellation);
            }

            foreach (var (types, location) in attributes.Instances)
            {
                if (types.Length != method.TypeParameters.Length || types.Any(type => type is null or IErrorTypeSymbol))
                {
                    diagnostics.Add(DiagnosticModel.Of(
                        Diagnostics.Instances, location, method.Name, method.TypeParameters.Length.ToString(), $"and this [Instance] gives {types.Length}"));
                    continue;
                }

                ITypeSymbol[] arguments = [.. types.Select(type => type!)];
                places.Add(Place(method, arguments, location));
                AddEntry(bodies, attributes, arguments, paths, entries, diagnostics, cancellation);
            }
        }

        return new KernelModel(
            new EquatableArray<EntryModel>([.. entries]), new EquatableArray<DiagnosticModel>([.. diagnostics.Distinct()]),
            new EquatableArray<EntryPlace>([.. places]));
    }

    /// <summary>A method with [Instance] must be a kernel.</summary>
    public static EquatableArray<DiagnosticModel> CheckInstances(IMethodSymbol method) =>
        method.GetAttributes().Any(attribute => attribute.AttributeClass?.ToDisplayString() == "Rt.Gpu.KernelAttribute")
            ? default
            : new EquatableArray<DiagnosticModel>([DiagnosticModel.Of(Diagnostics.NoKernel, method.Locations[0], method.Name)]);

    private static string EntryName(IMethodSymbol method, IEnumerable<string> types) => string.Join("_", new[] { method.Name }.Concat(types));

    private static EntryPlace Place(IMethodSymbol method, ITypeSymbol[] types, Location location) => new(
        EntryName(method, types.Select(type => type.Name)), $"{method.ContainingType.Name}.{method.Name}",
        DiagnosticModel.Of(Diagnostics.DuplicateEntry, location));

    private static bool Check(KernelAttributes attributes, List<DiagnosticModel> diagnostics)
    {
        var method = attributes.Method;
        var location = method.Locations[0];
        var before = diagnostics.Count;
        if (!method.IsStatic || !method.ReturnsVoid || method.IsAsync)
        {
            diagnostics.Add(DiagnosticModel.Of(Diagnostics.NotStaticVoid, location, method.Name));
        }

        if (attributes.GroupSize is < 32 or > 1024 || attributes.GroupSize % 32 != 0)
        {
            diagnostics.Add(DiagnosticModel.Of(Diagnostics.GroupSize, location, attributes.GroupSize.ToString(), method.Name));
        }

        if (attributes.Target is not ("sm_80" or "sm_90" or "sm_90a"))
        {
            diagnostics.Add(DiagnosticModel.Of(Diagnostics.TargetName, location, attributes.Target, method.Name));
        }

        if (method.TypeParameters.Length > 0 && attributes.Instances.Count == 0)
        {
            diagnostics.Add(DiagnosticModel.Of(
                Diagnostics.Instances, location, method.Name, method.TypeParameters.Length.ToString(), "and no [Instance] names types for them"));
        }

        foreach (var parameter in method.Parameters)
        {
            if (parameter.RefKind != RefKind.None || Kind(parameter.Type) is null)
            {
                diagnostics.Add(DiagnosticModel.Of(
                    Diagnostics.ParameterType, parameter.Locations[0], parameter.Name, method.Name,
                    parameter.Type.ToDisplayString(SymbolDisplayFormat.MinimallyQualifiedFormat)));
            }
        }

        if (attributes.Portable)
        {
            CheckPortable(attributes, diagnostics);
        }

        return diagnostics.Count == before;
    }

    private static void CheckPortable(KernelAttributes attributes, List<DiagnosticModel> diagnostics)
    {
        var method = attributes.Method;
        foreach (var parameter in method.Parameters)
        {
            if (PortableSubset.Foreign(parameter.Type) is { } name)
            {
                diagnostics.Add(DiagnosticModel.Of(Diagnostics.NotPortable, parameter.Locations[0], method.Name, name));
            }
        }

        foreach (var (types, location) in attributes.Instances)
        {
            foreach (var type in types)
            {
                if (type is not null && PortableSubset.Foreign(type) is { } name)
                {
                    diagnostics.Add(DiagnosticModel.Of(Diagnostics.NotPortable, location, method.Name, name));
                }
            }
        }
    }

    private static void AddEntry(
        MethodBodies bodies, KernelAttributes attributes, ITypeSymbol[] types, SourcePaths paths, List<EntryModel> entries,
        List<DiagnosticModel> diagnostics, CancellationToken cancellation)
    {
        var method = attributes.Method;
        string[] names = [.. types.Select(type => type.Name)];
        var name = EntryName(method, names);
        var errors = new List<KernelException>();
        KernelIr? kernel = null;
        try
        {
            kernel = Lowering.Run(bodies, attributes, types, name, paths, errors, cancellation);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            var place = exception.StackTrace?.Split('\n').FirstOrDefault()?.Trim() ?? string.Empty;
            diagnostics.Add(DiagnosticModel.Of(Diagnostics.Failure, method.Locations[0], name, $"{exception.GetType().Name}: {exception.Message} {place}"));
        }

        diagnostics.AddRange(errors.Select(error => DiagnosticModel.Of(error.Rule, error.Location, error.Arguments)));
        if (kernel is null)
        {
            return;
        }

        foreach (var exchange in UniformityAnalysis.Check(kernel.Root))
        {
            var line = exchange.Inst.Line;
            diagnostics.Add(DiagnosticModel.At(
                Diagnostics.DivergentBarrier, kernel.SourcePaths[line.File], line, exchange.Inst.Display ?? exchange.Inst.Text,
                exchange.WholeGroup ? "group" : "warp", exchange.Decided.Line.ToString(),
                exchange.WholeGroup ? "Group.BarrierOr, a [ReadOnlyView] or a parameter" : "Warp.Any, Warp.All or Warp.Broadcast"));
        }

        var span = method.Locations[0].GetLineSpan();
        entries.Add(new EntryModel(
            name, method.Name, new EquatableArray<string>(names), attributes.Target, attributes.GroupSize, kernel.Shared.Sum(shared => shared.Bytes),
            kernel.UsesDynamicShared, $"{paths.Relative(span.Path)}:{span.StartLinePosition.Line + 1}",
            new EquatableArray<ParameterModel>([.. method.Parameters.Select(parameter => Parameter(parameter, types, attributes))]),
            new KernelForm(kernel)));
    }

    private static ParameterModel Parameter(IParameterSymbol parameter, ITypeSymbol[] types, KernelAttributes attributes)
    {
        var bytes = 0;
        if (parameter.Type is INamedTypeSymbol { Name: "ArrayView", TypeArguments: [var element] })
        {
            var type = element is ITypeParameterSymbol typeParameter ? types[typeParameter.Ordinal] : element;
            bytes = ElementBytes(type);
        }

        return new ParameterModel(parameter.Name, Kind(parameter.Type)!, bytes, attributes.ReadOnlyViews.Contains(parameter.Ordinal));
    }

    private static int ElementBytes(ITypeSymbol type) => Scalars.Of(type) is var scalar and not Scalar.None ? Scalars.Size(scalar)
        : type is INamedTypeSymbol { TypeArguments: [var element] } && type.Name.StartsWith("Vec", StringComparison.Ordinal)
            ? (type.Name[3] - '0') * ElementBytes(element)
            : 0;

    // Name of the ParameterKind, or null.
    private static string? Kind(ITypeSymbol type) => type.SpecialType switch
    {
        SpecialType.System_Int32 or SpecialType.System_UInt32 => "Int32",
        SpecialType.System_Int64 or SpecialType.System_UInt64 => "Int64",
        SpecialType.System_Single => "Float32",
        SpecialType.System_Double => "Float64",
        SpecialType.System_Boolean => "Bool",
        _ => type is INamedTypeSymbol { Name: "ArrayView", TypeArguments.Length: 1 } && Scalars.InNamespace(type, "Rt.Gpu") ? "View" : null,
    };
}
