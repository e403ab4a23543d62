// NVIDIA's assembler and disassembler, where they are installed: registers, spills and machine code of kernels without a GPU.
// Source: NVIDIA, CUDA Binary Utilities; ptxas -v.
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Rt.Core;
using Rt.Gpu;

namespace Rt.Cli.KernelTools;

/// <summary>What the assembler says about a kernel.</summary>
/// <param name="Registers">Registers per thread.</param>
/// <param name="StackBytes">Bytes of stack per thread.</param>
/// <param name="SpillBytes">Bytes spilled, stores and loads together.</param>
internal readonly record struct KernelResources(int Registers, int StackBytes, int SpillBytes);

/// <summary>Runs ptxas and nvdisasm.</summary>
internal sealed partial class Assembler
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly string _ptxas;

    private Assembler(string ptxas) => _ptxas = ptxas;

    /// <summary>Where it was looked for.</summary>
    public const string Places = "RT_PTXAS names no file and PATH holds no ptxas";

    /// <summary>The assembler that RT_PTXAS names, or the one on PATH; null where there is none.</summary>
    public static Assembler? Find() => Tool("RT_PTXAS", "ptxas") is { } path ? new Assembler(path) : null;

    /// <summary>Assembles a kernel for its own target.</summary>
    /// <exception cref="DeviceException">The assembler refuses it: its first line.</exception>
    public KernelResources Assemble(KernelEntry entry) => WithCubin(entry, (_, log) => new KernelResources(
        Number(Registers(), log), Number(Stack(), log), Number(Stores(), log) + Number(Loads(), log)));

    /// <summary>The machine code of a kernel as text.</summary>
    /// <exception cref="DeviceException">There is no disassembler, or the assembler refuses the kernel.</exception>
    public string Disassemble(KernelEntry entry)
    {
        var beside = Path.Combine(Path.GetDirectoryName(_ptxas)!, "nvdisasm");
        var nvdisasm = Tool("RT_NVDISASM", "nvdisasm") ?? (File.Exists(beside) ? beside : null)
            ?? throw new DeviceException("nvdisasm: RT_NVDISASM names no file, PATH holds none, and there is none beside ptxas");
        return WithCubin(entry, (cubin, _) => Run(nvdisasm, entry.Name, "-c", cubin));
    }

    private T WithCubin<T>(KernelEntry entry, Func<string, string, T> use)
    {
        var folder = Directory.CreateTempSubdirectory("rt-ptxas-").FullName;
        try
        {
            var source = Path.Combine(folder, "kernel.ptx");
            var cubin = Path.Combine(folder, "kernel.cubin");
            File.WriteAllBytes(source, entry.Ptx.ToArray());
            return use(cubin, Run(_ptxas, entry.Name, "-v", $"-arch={entry.Target}", "-o", cubin, source));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Run(string tool, string kernel, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(tool, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        }) ?? throw new DeviceException($"{tool}: cannot be started");
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(Patience))
        {
            process.Kill();
            throw new DeviceException($"{tool}: {kernel}: not done after {Patience.TotalSeconds} s");
        }

        var text = output.Result + error.Result;
        return process.ExitCode == 0
            ? text
            : throw new DeviceException($"{tool}: {kernel}: {text.Split('\n', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault("no message")}");
    }

    private static string? Tool(string variable, string name)
    {
        var named = Environment.GetEnvironmentVariable(variable);
        if (!string.IsNullOrEmpty(named))
        {
            return File.Exists(named) ? named : null;
        }

        var file = OperatingSystem.IsWindows() ? $"{name}.exe" : name;
        return (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, file)).FirstOrDefault(File.Exists);
    }

    private static int Number(Regex pattern, string log) =>
        pattern.Match(log) is { Success: true } match ? int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : 0;

    [GeneratedRegex(@"Used (\d+) registers")]
    private static partial Regex Registers();

    [GeneratedRegex(@"(\d+) bytes stack frame")]
    private static partial Regex Stack();

    [GeneratedRegex(@"(\d+) bytes spill stores")]
    private static partial Regex Stores();

    [GeneratedRegex(@"(\d+) bytes spill loads")]
    private static partial Regex Loads();
}
