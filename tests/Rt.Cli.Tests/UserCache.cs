// The user's cache stays as it is: what commands keep there goes to a folder of this test run.
using System.Runtime.CompilerServices;

namespace Rt.Cli.Tests;

internal static class UserCache
{
    [ModuleInitializer]
    internal static void Redirect()
    {
        var folder = Directory.CreateTempSubdirectory("rt-cache-").FullName;
        Environment.SetEnvironmentVariable("XDG_CACHE_HOME", folder);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
    }
}
