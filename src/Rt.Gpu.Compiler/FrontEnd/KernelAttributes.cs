// What the attributes of a kernel method say.
using Microsoft.CodeAnalysis;

namespace Rt.Gpu.Compiler.FrontEnd;

internal sealed class KernelAttributes
{
    private KernelAttributes(IMethodSymbol method) => Method = method;

    public IMethodSymbol Method { get; }

    public int GroupSize { get; private set; }

    public int MinGroups { get; private set; }

    public string Target { get; private set; } = "sm_80";

    public bool Portable { get; private set; }

    public HashSet<int> ReadOnlyViews { get; } = [];

    /// <summary>Type arguments of each entry; one empty list for a kernel that is not generic.</summary>
    public List<(ITypeSymbol?[] Types, Location Location)> Instances { get; } = [];

    public static KernelAttributes Read(IMethodSymbol method)
    {
        var result = new KernelAttributes(method);
        foreach (var attribute in method.GetAttributes())
        {
            var location = attribute.ApplicationSyntaxReference?.GetSyntax().GetLocation() ?? method.Locations[0];
            switch (attribute.AttributeClass?.ToDisplayString())
            {
                case "Rt.Gpu.KernelAttribute":
                    result.GroupSize = attribute.ConstructorArguments is [{ Value: int size }] ? size : 0;
                    foreach (var named in attribute.NamedArguments)
                    {
                        switch (named.Key)
                        {
                            case "MinGroups":
                                result.MinGroups = named.Value.Value as int? ?? 0;
                                break;
                            case "Target":
                                result.Target = named.Value.Value as string ?? "sm_80";
                                break;
                            case "Portable":
                                result.Portable = named.Value.Value as bool? ?? false;
                                break;
                        }
                    }

                    break;
                case "Rt.Gpu.InstanceAttribute":
                    ITypeSymbol?[] types = attribute.ConstructorArguments is [{ Kind: TypedConstantKind.Array, IsNull: false } array]
                        ? [.. array.Values.Select(value => value.Value as ITypeSymbol)]
                        : [];
                    result.Instances.Add((types, location));
                    break;
            }
        }

        foreach (var parameter in method.Parameters)
        {
            if (parameter.GetAttributes().Any(attribute => attribute.AttributeClass?.ToDisplayString() == "Rt.Gpu.ReadOnlyViewAttribute"))
            {
                result.ReadOnlyViews.Add(parameter.Ordinal);
            }
        }

        return result;
    }
}
