// What the C# language needs and netstandard2.0 does not hold.
namespace System.Runtime.CompilerServices;

/// <summary>Marks init accessors.</summary>
internal static class IsExternalInit;

/// <summary>Marks required members.</summary>
[AttributeUsage(AttributeTargets.All)]
internal sealed class RequiredMemberAttribute : Attribute;

/// <summary>Marks members that need a feature of the C# compiler.</summary>
[AttributeUsage(AttributeTargets.All)]
internal sealed class CompilerFeatureRequiredAttribute(string featureName) : Attribute
{
    /// <summary>The feature.</summary>
    public string FeatureName { get; } = featureName;
}
