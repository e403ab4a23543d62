// Probes of the CPU device's ops against the machine's own limits, measured in the same run.
// Usage: Rt.Bench [limits] [matmul] [matvec] [attention] [update] [head]; none means all. RT_THREADS and RT_FORCE_WIDTH apply.
using Rt.Bench;
using Rt.Cpu;

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
