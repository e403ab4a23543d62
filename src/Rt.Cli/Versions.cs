// The version of this build.
using System.Reflection;

namespace Rt.Cli;

/// <summary>Which build this is.</summary>
internal static class Versions
{
    /// <summary>Version and commit.</summary>
    public static string Text { get; } =
        typeof(Versions).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
}
