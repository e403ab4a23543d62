// Names of benchmark tests: what is read, what is refused.
using Rt.Cli.Bench;
using Rt.Core;

namespace Rt.Cli.Tests.Bench;

public sealed class BenchSpecTests
{
    [Theory]
    [InlineData("pp512", BenchKind.Prefill, 1, 512, 0)]
    [InlineData("pp512@d128", BenchKind.Prefill, 1, 512, 128)]
    [InlineData("tg128@d512", BenchKind.Decode, 1, 128, 512)]
    [InlineData("think448", BenchKind.Think, 1, 448, 0)]
    [InlineData("update512", BenchKind.Update, 1, 512, 0)]
    [InlineData("score64x16@512", BenchKind.Score, 64, 16, 512)]
    [InlineData("sweep50x12", BenchKind.Sweep, 50, 12, 0)]
    [InlineData("extract50x80", BenchKind.Extract, 50, 80, 0)]
    [InlineData("load", BenchKind.Load, 1, 1, 0)]
    public void Parse_Name_GivesSizesAndTheNameAgain(string text, BenchKind kind, int count, int length, int depth)
    {
        var spec = BenchSpec.Parse(text);
        Assert.Equal(new BenchSpec(kind, count, length, depth), spec);
        Assert.Equal(text, spec.ToString());
    }

    [Theory]
    [InlineData("score", "score64x16@512")]
    [InlineData("sweep", "sweep50x12")]
    [InlineData("extract", "extract50x80")]
    [InlineData("score8x4", "score8x4")]
    public void Parse_WithoutSizes_TakesTheUsualOnes(string text, string full) => Assert.Equal(full, BenchSpec.Parse(text).ToString());

    [Theory]
    [InlineData("")]
    [InlineData("pp")]
    [InlineData("pp0")]
    [InlineData("pp-5")]
    [InlineData("pp99999999999")]
    [InlineData("pp512@128")]
    [InlineData("tg128@d")]
    [InlineData("think512@d1")]
    [InlineData("score64")]
    [InlineData("score64x")]
    [InlineData("sweep50x12@3")]
    [InlineData("load5")]
    [InlineData("Pp512")]
    [InlineData("fly512")]
    public void Parse_AnythingElse_IsAUsageErrorNamingIt(string text)
    {
        var error = Assert.Throws<UsageException>(() => BenchSpec.Parse(text));
        Assert.Contains($"'{text}'", error.Message);
    }
}
