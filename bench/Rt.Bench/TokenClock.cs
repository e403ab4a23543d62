// Decodes without end and prints the clock after every token, for bench/turns.py.
using System.Diagnostics;
using System.Globalization;
using Rt.Core;
using Rt.Cpu;
using Rt.Model;

namespace Rt.Bench;

internal static class TokenClock
{
    private const int PromptTokens = 128, NewTokens = 256;

    public static int Run(ReadOnlySpan<string> arguments)
    {
        if (arguments is not [var folder])
        {
            Console.Error.WriteLine("usage: Rt.Bench tokens FOLDER");
            return 2;
        }

        try
        {
            using var device = new CpuDevice(CpuOptions.FromEnvironment());
            PrintTokens(device, folder);
            return 0;
        }
        catch (RtException e)
        {
            Console.Error.WriteLine(e.Message);
            return e.ExitCode;
        }
    }

    /// <summary>Generates sequence after sequence until the process is stopped: the monotonic clock in nanoseconds, a line per token.</summary>
    private static void PrintTokens(CpuDevice device, string folder)
    {
        using var model = LanguageModel.Load(folder, device);
        var random = new Random(1);
        int[] prompt = [.. Enumerable.Range(0, PromptTokens).Select(_ => random.Next(model.Config.VocabularySize))];
        var options = new GenerationOptions { MaxNewTokens = NewTokens, IgnoreEos = true };
        while (true)
        {
            Generator.Generate(model, [prompt], options, onToken: (_, _, _) =>
            {
                var nanoseconds = Stopwatch.GetTimestamp() * (1_000_000_000 / Stopwatch.Frequency);
                Console.Out.WriteLine(nanoseconds.ToString(CultureInfo.InvariantCulture));
            });
        }
    }
}
