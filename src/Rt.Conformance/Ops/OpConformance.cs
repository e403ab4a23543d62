// All cases that every device must pass, op by op. One body for tests, for `rt doctor`, and for each device.
namespace Rt.Conformance.Ops;

/// <summary>The conformance cases of the op interface.</summary>
public static class OpConformance
{
    /// <summary>Every case; names are unique.</summary>
    public static IReadOnlyList<ConformanceCase> Cases { get; } =
    [
        .. RowCases.All(),
        .. ElementwiseCases.All(),
        .. NormalizeCases.All(),
        .. MatMulCases.All(),
        .. AppendKvCases.All(),
        .. AttentionCases.All(),
        .. MetaGradientCases.All(),
        .. HeadCases.All(),
    ];

    /// <summary>Sizes at which loops over vectors of any width begin, end, or have a tail.</summary>
    internal static ReadOnlySpan<int> Widths =>
        [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 80, 100, 127, 128, 129, 200, 255, 256, 257];
}
