// Where the fixtures lie.
using System.Reflection;

namespace Rt.Tests;

/// <summary>Paths of fixtures, read in place.</summary>
internal static class Fixtures
{
    public static string Root { get; } = typeof(Fixtures).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(attribute => attribute.Key == "FixturesFolder").Value!;

    public static string Goldens => Path.Combine(Root, "goldens");

    public static string Independent => Path.Combine(Root, "independent");

    public static string Golden(string name) => Path.Combine(Goldens, name);
}
