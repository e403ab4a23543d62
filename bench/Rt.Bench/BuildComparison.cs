// The linear maps of one forward pass, or attention, computed by several builds of the cpu device in turn, pass by pass in one process:
// a machine whose bandwidth and clock wander cannot favour one of them.
using System.Diagnostics;
using System.Globalization;
using System.Runtime.Loader;
using Rt.Core;
using Rt.Cpu;

namespace Rt.Bench;

internal static class BuildComparison
{
    private static readonly Dictionary<string, Shape> Shapes = new()
    {
        ["gpt2"] = new(true, 12, [("qkv", 768, 2304), ("out", 768, 768), ("up", 768, 3072), ("down", 3072, 768)], ("head", 768, 50257)),
        ["llama"] = new(false, 12, [("qkv", 768, 2304), ("out", 768, 768), ("gate, up", 768, 4096), ("down", 2048, 768)], ("head", 768, 32000)),
        ["llama-1.1b"] = new(
            false, 22, [("qkv", 2048, 2560), ("out", 2048, 2048), ("gate, up", 2048, 11264), ("down", 5632, 2048)], ("head", 2048, 32000)),
    };

    private static readonly string Usage =
        $"usage: Rt.Bench builds {string.Join('|', Shapes.Keys)} f32|f16|bf16 ROWS PASSES FOLDER FOLDER...\n"
        + "       Rt.Bench builds attention PASSES FOLDER FOLDER...\n(folders with an Rt.Cpu.dll; the first is compared with)";

    /// <summary>A model's linear maps: those that every layer has, [in, out] or [out, in], and the head.</summary>
    private sealed record Shape(bool InputMajor, int Layers, (string Name, int In, int Out)[] Maps, (string Name, int In, int Out) Head);

    /// <summary>Operations, and bytes of weights, that take turns within a pass.</summary>
    private sealed record Work(string Name, double Operations, double WeightBytes, Action<IDevice>[] Calls);

    public static int Run(ReadOnlySpan<string> arguments)
    {
        var attention = arguments is ["attention", ..];
        var rows = 1;
        var type = DType.F32;
        Shape? shape = null;
        var first = attention ? 2 : 4;
        if (arguments.Length <= first || !(attention || Shapes.TryGetValue(arguments[0], out shape))
            || !(attention || (Enum.TryParse(arguments[1], true, out type) && type is DType.F32 or DType.F16 or DType.BF16))
            || !(attention || (int.TryParse(arguments[2], CultureInfo.InvariantCulture, out rows) && rows > 0))
            || !int.TryParse(arguments[first - 1], CultureInfo.InvariantCulture, out var passes) || passes < 1)
        {
            Console.Error.WriteLine(Usage);
            return 2;
        }

        var folders = arguments[first..].ToArray();
        if (Array.Find(folders, folder => !File.Exists(Library(folder))) is { } missing)
        {
            Console.Error.WriteLine($"{missing}: expected a folder with an Rt.Cpu.dll, found none");
            return 3;
        }

        var devices = folders.Select(Load).ToArray();
        if (shape != null)
        {
            Compare(folders, devices, Products(shape, type, rows), passes);
            return 0;
        }

        foreach (var (name, operations, attend) in AttentionProbe.Cases(devices[0]))
        {
            // Long enough to be timed.
            var calls = Math.Max(1, (int)(2e9 / operations));
            Console.WriteLine(name);
            Compare(folders, devices, [new Work("", operations * calls, 0, [.. Enumerable.Repeat(attend, calls)])], passes);
        }

        return 0;
    }

    private static void Compare(string[] folders, IDevice[] devices, Work[] works, int passes)
    {
        var seconds = new double[folders.Length, works.Length, passes];
        for (var pass = -2; pass < passes; pass++)
        {
            for (var turn = 0; turn < devices.Length; turn++)
            {
                // Who begins moves on, so that no build always follows the same other one.
                var build = (turn + Math.Max(pass, 0)) % devices.Length;
                var times = Pass(devices[build], works);
                for (var i = 0; i < works.Length && pass >= 0; i++)
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
            var all = Rates(works.Sum(work => work.Operations), works.Sum(work => work.WeightBytes), totals);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{folders[build],-24} {all}; {ratios[passes / 2]:F3} x the first ({ratios[passes / 4]:F3}-{ratios[passes * 3 / 4]:F3})"));
            for (var i = 0; i < works.Length && works.Length > 1; i++)
            {
                double[] times = [.. Enumerable.Range(0, passes).Select(pass => seconds[build, i, pass])];
                Console.WriteLine($"    {works[i].Name,-20} {Rates(works[i].Operations, works[i].WeightBytes, times)}");
            }
        }

        double Total(int build, int pass) => Enumerable.Range(0, works.Length).Sum(i => seconds[build, i, pass]);
    }

    private static string Rates(double operations, double weightBytes, double[] times)
    {
        var median = times.Order().ElementAt(times.Length / 2);
        var read = weightBytes > 0 ? string.Create(CultureInfo.InvariantCulture, $"{weightBytes / median / 1e9,7:F1} GB/s of weights") : "";
        return string.Create(CultureInfo.InvariantCulture, $"{read}{operations / median / 1e9,7:F0} GFLOP/s");
    }

    private static string Library(string folder) => Path.GetFullPath(Path.Combine(folder, "Rt.Cpu.dll"));

    /// <summary>A cpu device of another build, in a context of its own; the op interface is this program's.</summary>
    private static IDevice Load(string folder)
    {
        var assembly = new AssemblyLoadContext(folder).LoadFromAssemblyPath(Library(folder));
        var options = assembly.GetType(typeof(CpuOptions).FullName!)!.GetMethod(nameof(CpuOptions.FromEnvironment))!.Invoke(null, null);
        return (IDevice)Activator.CreateInstance(assembly.GetType(typeof(CpuDevice).FullName!)!, options)!;
    }

    private static Work[] Products(Shape shape, DType type, int rows)
    {
        return [.. shape.Maps.Select(map => Map(map, shape.Layers, shape.InputMajor)), Map(shape.Head, 1, false)];

        Work Map((string Name, int In, int Out) map, int layers, bool inputMajor)
        {
            var (name, width, outputs) = map;
            var weights = inputMajor ? Probe.Random(type, layers, width, outputs) : Probe.Random(type, layers, outputs, width);
            var x = Probe.Random(DType.F32, 1, rows, width);
            var y = Probe.Random(DType.F32, 1, rows, outputs);
            var elements = (double)layers * width * outputs;
            return new Work($"{name} {width} -> {outputs}", 2 * rows * elements, elements * type.Bytes(), [.. Enumerable.Range(0, layers).Select(Call)]);

            Action<IDevice> Call(int layer)
            {
                var linear = new Linear(new LinearPart(weights.Slice(layer, 1), null, inputMajor));
                return by => by.MatMul(x, linear, false, y);
            }
        }
    }

    /// <summary>Seconds per work of one pass: layer by layer, so that no weights are in the cache when they are read.</summary>
    private static double[] Pass(IDevice device, Work[] works)
    {
        var seconds = new double[works.Length];
        for (var layer = 0; layer < works[0].Calls.Length; layer++)
        {
            for (var i = 0; i < works.Length; i++)
            {
                // The head runs once, after the last layer.
                var index = layer - (works[0].Calls.Length - works[i].Calls.Length);
                if (index < 0)
                {
                    continue;
                }

                var start = Stopwatch.GetTimestamp();
                works[i].Calls[index](device);
                seconds[i] += Stopwatch.GetElapsedTime(start).TotalSeconds;
            }
        }

        return seconds;
    }
}
