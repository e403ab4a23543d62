// NVIDIA's assembler as a judge of the PTX in these tests, where it is at hand.
using System.Diagnostics;

namespace Rt.Gpu.Simulator.Tests;

/// <summary>ptxas, from RT_PTXAS or PATH.</summary>
internal static class Assembler
{
    private static readonly string? Ptxas = Find();

    private static string? Find()
    {
        string? named = Environment.GetEnvironmentVariable("RT_PTXAS");
        if (!string.IsNullOrEmpty(named))
        {
            return named;
        }
        return (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Select(folder => Path.Combine(folder, "ptxas")).FirstOrDefault(File.Exists);
    }

    /// <summary>Assembles the text where the assembler is at hand, and does nothing where it is not.</summary>
    public static void Check(string text)
    {
        if (Ptxas is null)
        {
            return;
        }
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, text);
            string target = text.Contains("sm_90", StringComparison.Ordinal) ? "sm_90" : "sm_80";
            using var process = Process.Start(new ProcessStartInfo(Ptxas, ["-arch", target, "-o", "/dev/null", file]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
            string errors = process.StandardError.ReadToEnd() + process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, errors + text);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
