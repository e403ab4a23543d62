// Probes of the CPU device's ops against the machine's own limits, measured in the same run.
// Usage: Rt.Bench [limits] [matmul] [matvec] [attention] [update] [head]; none means all. RT_THREADS and RT_FORCE_WIDTH apply.
// Rt.Bench tokens FOLDER: decodes without end, see TokenClock.
// Rt.Bench builds ...: the products or attention of several builds of the device in turn, see BuildComparison.
// With options (--filter *Update*, --job short, --list flat) the BenchmarkDotNet benchmarks are run instead.
using BenchmarkDotNet.Running;
using Rt.Bench;
using Rt.Cpu;

if (args.Length > 0 && args[0].StartsWith('-'))
{
    // In this process: a project generated below this folder would be built under the repository's own rules.
    var summaries = BenchmarkSwitcher.FromAssembly(typeof(Probe).Assembly).Run([.. args, "--inProcess"]);
    return summaries.Any(summary => summary.HasCriticalValidationErrors || summary.Reports.Any(report => !report.Success)) ? 1 : 0;
}

if (args is ["tokens", ..])
{
    return TokenClock.Run(args.AsSpan(1));
}

if (args is ["builds", ..])
{
    return BuildComparison.Run(args.AsSpan(1));
}

var wanted = args.Length == 0 ? ["limits", "matmul", "matvec", "attention", "update", "head"] : args;
using var device = new CpuDevice(CpuOptions.FromEnvironment());
Console.WriteLine(device.Description);
foreach (var name in wanted)
{
    switch (name)
    {
        case "limits": LimitProbe.Run(device); break;
        case "matmul": MatMulProbe.Run(device); break;
        case "matvec": MatVecProbe.Run(device); break;
        case "attention": AttentionProbe.Run(device); break;
        case "update": UpdateProbe.Run(device); break;
        case "head": HeadProbe.Run(device); break;
        default:
            Console.Error.WriteLine($"unknown probe '{name}': expected limits, matmul, matvec, attention, update or head");
            return 2;
    }
}

return 0;
