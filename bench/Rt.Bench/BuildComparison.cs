// The linear maps of one forward pass, computed by several builds of the cpu device in turn, pass by pass in one process:
// a machine whose bandwidth and clock wander cannot favour one of them.
using System.Diagnostics;
using System.Globalization;
using System.Runtime.Loader;
using Rt.Core;
using Rt.Cpu;

namespace Rt.Bench;

internal static class BuildComparison
{
    private const string Usage = "usage: Rt.Bench builds gpt2|llama f32|f16|bf16 ROWS PASSES FOLDER FOLDER... (folders with an Rt.Cpu.dll; the first is compared with)";

    /// <summary>A map that every layer has, or the head.</summary>
    private sealed record Map(string Name, Tensor X, Tensor Y, Linear[] Layers)
    {
        public double Elements => (double)X.Columns * Y.Columns * Layers.Length;
    }

    public static int Run(ReadOnlySpan<string> arguments)
    {
        if (arguments.Length < 5 || arguments[0] is not ("gpt2" or "llama") || !Enum.TryParse<DType>(arguments[1], true, out var type)
            || type is not (DType.F32 or DType.F16 or DType.BF16)
            || !int.TryParse(arguments[2], CultureInfo.InvariantCulture, out var rows) || rows < 1
            || !int.TryParse(arguments[3], CultureInfo.InvariantCulture, out var passes) || passes < 1)
        {
            Console.Error.WriteLine(Usage);
            return 2;
        }

        var folders = arguments[4..].ToArray();
        if (Array.Find(folders, folder => !File.Exists(Library(folder))) is { } missing)
        {
            Console.Error.WriteLine($"{missing}: expected a folder with an Rt.Cpu.dll, found none");
            return 3;
        }

        var devices = folders.Select(Load).ToArray();
        var maps = Maps(arguments[0] == "gpt2", type, rows);
        var seconds = new double[folders.Length, maps.Length, passes];
        for (var pass = -2; pass < passes; pass++)
        {
            for (var turn = 0; turn < devices.Length; turn++)
            {
                // Who begins moves on, so that no build always follows the same other one.
                var build = (turn + Math.Max(pass, 0)) % devices.Length;
                var times = Pass(devices[build], maps);
                for (var i = 0; i < maps.Length && pass >= 0; i++)
                {
                    seconds[build, i, pass] = times[i];
                }
            }
        }

        for (var build = 0; build < folders.Length; build++)
        {
            double[] totals = [.. Enumerable.Range(0, passes).Select(pass => Total(build, pass))];
            double[] ratios = [.. Enumerable.Range(0, passes).Select(pass => Total(0, pass) / totals[pass])];
            Array.Sort(ratios);
            var elements = maps.Sum(map => map.Elements);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{folders[build],-24} {Rates(elements, totals)}; {ratios[passes / 2]:F3} x the first ({ratios[passes / 4]:F3}-{ratios[passes * 3 / 4]:F3})"));
            for (var i = 0; i < maps.Length; i++)
            {
                double[] times = [.. Enumerable.Range(0, passes).Select(pass => seconds[build, i, pass])];
                Console.WriteLine($"    {$"{maps[i].Name} {maps[i].X.Columns} -> {maps[i].Y.Columns}",-20} {Rates(maps[i].Elements, times)}");
            }
        }

        return 0;

        double Total(int build, int pass) => Enumerable.Range(0, maps.Length).Sum(i => seconds[build, i, pass]);

        string Rates(double elements, double[] times)
        {
            var median = times.Order().ElementAt(times.Length / 2);
            return string.Create(CultureInfo.InvariantCulture,
                $"{elements * type.Bytes() / median / 1e9,7:F1} GB/s of weights {2 * rows * elements / median / 1e9,7:F0} GFLOP/s");
        }
    }

    private static string Library(string folder) => Path.GetFullPath(Path.Combine(folder, "Rt.Cpu.dll"));

    /// <summary>A cpu device of another build, in a context of its own; the op interface is this program's.</summary>
    private static IDevice Load(string folder)
    {
        var assembly = new AssemblyLoadContext(folder).LoadFromAssemblyPath(Library(folder));
        var options = assembly.GetType(typeof(CpuOptions).FullName!)!.GetMethod(nameof(CpuOptions.FromEnvironment))!.Invoke(null, null);
        return (IDevice)Activator.CreateInstance(assembly.GetType(typeof(CpuDevice).FullName!)!, options)!;
    }

    private static Map[] Maps(bool gpt2, DType type, int rows)
    {
        Map Layers(string name, int width, int outputs, int layers = 12)
        {
            var inputMajor = gpt2 && layers > 1;
            var weights = inputMajor ? Probe.Random(type, layers, width, outputs) : Probe.Random(type, layers, outputs, width);
            return new Map(name, Probe.Random(DType.F32, 1, rows, width), Probe.Random(DType.F32, 1, rows, outputs),
                [.. Enumerable.Range(0, layers).Select(layer => new Linear(new LinearPart(weights.Slice(layer, 1), null, inputMajor)))]);
        }

        return gpt2
            ? [Layers("qkv", 768, 2304), Layers("out", 768, 768), Layers("up", 768, 3072), Layers("down", 3072, 768), Layers("head", 768, 50257, 1)]
            : [Layers("qkv", 768, 2304), Layers("out", 768, 768), Layers("gate, up", 768, 4096), Layers("down", 2048, 768), Layers("head", 768, 32000, 1)];
    }

    /// <summary>Seconds per map of one pass: layer by layer, so that no weights are in the cache when they are read.</summary>
    private static double[] Pass(IDevice device, Map[] maps)
    {
        var seconds = new double[maps.Length];
        for (var layer = 0; layer < maps.Max(map => map.Layers.Length); layer++)
        {
            for (var i = 0; i < maps.Length; i++)
            {
                // The head runs once, after the last layer.
                var index = layer - (maps[0].Layers.Length - maps[i].Layers.Length);
                if (index < 0)
                {
                    continue;
                }

                var start = Stopwatch.GetTimestamp();
                device.MatMul(maps[i].X, maps[i].Layers[index], false, maps[i].Y);
                seconds[i] += Stopwatch.GetElapsedTime(start).TotalSeconds;
            }
        }

        return seconds;
    }
}
