// NVIDIA's assembler, where it is at hand: the environment variable RT_PTXAS, or ptxas on the path.
using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Rt.Gpu.Compiler.Tests;

/// <summary>What the assembler says about one entry.</summary>
internal sealed record AssemblerReport(int Registers, int SpillBytes, int StackBytes, string Text);

internal static class PtxAssembler
{
    public const string Absent = "ptxas is not at hand: set RT_PTXAS or put it on the path";

    private static readonly Lazy<string?> Found = new(Find);

    public static string? Path => Found.Value;

    /// <summary>Assembles one module; fails with the assembler's words.</summary>
    public static AssemblerReport Assemble(string ptx, string target)
    {
        var folder = Directory.CreateTempSubdirectory("rt-ptxas-");
        try
        {
            var file = System.IO.Path.Combine(folder.FullName, "kernel.ptx");
            File.WriteAllText(file, ptx);
            var start = new ProcessStartInfo(Path ?? throw new InvalidOperationException(Absent))
            {
                RedirectStandardError = true,
                RedirectStandardOutput = true,
            };
            foreach (var argument in new[] { "-v", "-arch=" + target, file, "-o", file + ".cubin" })
            {
                start.ArgumentList.Add(argument);
            }

            using var process = Process.Start(start)!;
            var output = process.StandardOutput.ReadToEndAsync();
            var text = process.StandardError.ReadToEnd() + output.Result;
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, text + "\n" + ptx);
            return new AssemblerReport(
                Number(text, @"Used (\d+) registers"),
                Number(text, @"(\d+) bytes spill stores") + Number(text, @"(\d+) bytes spill loads"),
                Number(text, @"(\d+) bytes stack frame"), text);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static int Number(string text, string pattern)
    {
        var match = Regex.Match(text, pattern);
        Assert.True(match.Success, text);
        return int.Parse(match.Groups[1].Value);
    }

    private static string? Find()
    {
        var named = Environment.GetEnvironmentVariable("RT_PTXAS");
        if (!string.IsNullOrEmpty(named))
        {
            return named;
        }

        return (Environment.GetEnvironmentVariable("PATH") ?? string.Empty)
            .Split(System.IO.Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => System.IO.Path.Combine(folder, "ptxas"))
            .FirstOrDefault(File.Exists);
    }
}
