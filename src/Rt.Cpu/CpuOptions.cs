// How a CPU device is made: threads, register width, batch invariance; from code or from the environment.
using System.Globalization;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Rt.Core;

namespace Rt.Cpu;

/// <summary>Widths of vector registers that ops are compiled for.</summary>
public enum SimdWidth
{
    /// <summary>No vector registers.</summary>
    Scalar = 1,

    /// <summary>128 bits: SSE, NEON.</summary>
    Vector128 = 128,

    /// <summary>256 bits: AVX2.</summary>
    Vector256 = 256,

    /// <summary>512 bits: AVX-512.</summary>
    Vector512 = 512,
}

/// <summary>Options of a <see cref="CpuDevice"/>.</summary>
/// <param name="Threads">Threads that compute, the caller's included, as far as there are processors; null for one per processor.</param>
/// <param name="BatchInvariant">A row's bits do not depend on how many rows, or which, are computed with it.</param>
/// <param name="ForceWidth">Register width to use; null for the widest the machine has.</param>
public sealed record CpuOptions(int? Threads = null, bool BatchInvariant = false, SimdWidth? ForceWidth = null)
{
    /// <summary>Most threads that may be asked for.</summary>
    public const int MaxThreads = 1024;

    /// <summary>Options from RT_THREADS (a count) and RT_FORCE_WIDTH (scalar, 128, 256 or 512).</summary>
    /// <exception cref="UsageException">A variable has another value.</exception>
    public static CpuOptions FromEnvironment()
    {
        int? threads = null;
        var text = Environment.GetEnvironmentVariable("RT_THREADS");
        if (!string.IsNullOrEmpty(text))
        {
            threads = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count)
                && count is >= 1 and <= MaxThreads
                ? count
                : throw new UsageException($"RT_THREADS: expected a number of threads from 1 to {MaxThreads}, found '{text}'");
        }

        var width = Environment.GetEnvironmentVariable("RT_FORCE_WIDTH");
        return new CpuOptions(threads, ForceWidth: width switch
        {
            null or "" => null,
            "scalar" => SimdWidth.Scalar,
            "128" => SimdWidth.Vector128,
            "256" => SimdWidth.Vector256,
            "512" => SimdWidth.Vector512,
            _ => throw new UsageException($"RT_FORCE_WIDTH: expected scalar, 128, 256 or 512, found '{width}'"),
        });
    }

    /// <summary>Whether this machine has registers of a width and the instructions that ops of that width need.</summary>
    public static bool IsSupported(SimdWidth width) => width switch
    {
        SimdWidth.Scalar => true,
        SimdWidth.Vector128 => Vector128.IsHardwareAccelerated,
        SimdWidth.Vector256 => Vector256.IsHardwareAccelerated && Avx2.IsSupported && Fma.IsSupported,
        SimdWidth.Vector512 => Vector512.IsHardwareAccelerated && Avx512F.IsSupported && Avx512DQ.IsSupported,
        _ => false,
    };

    /// <summary>The widest width this machine supports.</summary>
    public static SimdWidth WidestSupported =>
        IsSupported(SimdWidth.Vector512) ? SimdWidth.Vector512
        : IsSupported(SimdWidth.Vector256) ? SimdWidth.Vector256
        : IsSupported(SimdWidth.Vector128) ? SimdWidth.Vector128
        : SimdWidth.Scalar;
}
