// What every refusal of a malformed file must be: an error of exit code 3, in one line, quickly and without much memory.
using System.Diagnostics;
using Rt.Core;

namespace Rt.Formats.Tests;

internal static class BadInput
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(1);

    /// <summary>Runs <paramref name="open"/> and expects a refusal that names each of <paramref name="parts"/>.</summary>
    public static void Refused(Action open, params ReadOnlySpan<string> parts)
    {
        // On a busy machine a run can be held up, so processor time counts too, and the best of three.
        BadFileException error;
        TimeSpan elapsed, processor;
        long allocated;
        var tries = 0;
        do
        {
            allocated = GC.GetAllocatedBytesForCurrentThread();
            var before = Environment.CpuUsage.TotalTime;
            var clock = Stopwatch.StartNew();
            error = Assert.Throws<BadFileException>(open);
            elapsed = clock.Elapsed;
            processor = Environment.CpuUsage.TotalTime - before;
            allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        }
        while (elapsed >= Limit && processor >= Limit && ++tries < 3);

        Assert.Equal(3, error.ExitCode);
        Assert.True(elapsed < Limit || (processor < Limit && elapsed < 20 * Limit), $"took {elapsed.TotalMilliseconds} ms: {error.Message}");
        Assert.True(allocated < 100_000_000, $"allocated {allocated} bytes: {error.Message}");
        Assert.DoesNotContain('\n', error.Message);
        Assert.True(error.Message.Length < 1000, error.Message);
        Assert.Contains(Path.GetFileName(error.File), error.Message, StringComparison.Ordinal);
        foreach (var part in parts)
        {
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
        }
    }
}

/// <summary>Tests that hold the time limit with the largest inputs; they run alone, after the others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class LargeInputs
{
    public const string Name = "large inputs";
}
