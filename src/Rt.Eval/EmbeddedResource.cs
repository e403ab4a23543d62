// Files that the assembly carries within itself: word lists, tasks, the report's page.
using System.Reflection;

namespace Rt.Eval;

/// <summary>Opens them.</summary>
internal static class EmbeddedResource
{
    /// <summary>Names of all of them.</summary>
    public static IReadOnlyList<string> Names { get; } = Assembly.GetExecutingAssembly().GetManifestResourceNames();

    /// <summary>Opens one.</summary>
    /// <param name="name">Folder and file, as the project names it.</param>
    /// <exception cref="InvalidOperationException">The assembly was built without it.</exception>
    public static Stream Open(string name) => Assembly.GetExecutingAssembly().GetManifestResourceStream(name)
        ?? throw new InvalidOperationException($"resource {name} is not in the assembly");
}
