// Architectures that kernels are compiled for, and which of them a GPU runs.
namespace Rt.Cuda;

/// <summary>Names of architectures: sm_80, sm_90, sm_90a.</summary>
public static class Targets
{
    /// <summary>All of them, each including what comes before it.</summary>
    public static IReadOnlyList<string> All { get; } = ["sm_80", "sm_90", "sm_90a"];

    /// <summary>The best architecture that a compute capability runs, or null below 8.0.</summary>
    /// <remarks>PTX for sm_80 and sm_90 runs on every later GPU; PTX for sm_90a on compute capability 9.0 alone.
    /// Source: NVIDIA, PTX ISA, section on target directives.</remarks>
    public static string? Best(int major, int minor) => (major, minor) switch
    {
        (9, 0) => "sm_90a",
        ( >= 9, _) => "sm_90",
        (8, _) => "sm_80",
        _ => null,
    };

    /// <summary>Whether a kernel for <paramref name="target"/> runs where the best architecture is <paramref name="best"/>.</summary>
    public static bool Runs(string target, string best) => Rank(target) <= Rank(best);

    private static int Rank(string target) => target switch
    {
        "sm_80" => 0,
        "sm_90" => 1,
        "sm_90a" => 2,
        _ => throw new ArgumentException($"unknown architecture '{target}'"),
    };
}
