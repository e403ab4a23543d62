// The PTX of a few small kernels, letter by letter: a change of the compiler shows as a change of these files.
// Written anew by: RT_WRITE_GOLDEN=1 dotnet test tests/Rt.Gpu.Compiler.Tests --filter GoldenTests
using Rt.Tests;

namespace Rt.Gpu.Compiler.Tests;

public sealed class GoldenTests
{
    private static readonly string Folder = Path.Combine(Fixtures.Root, "ptx");

    [Theory]
    [InlineData("RowNormKernel_BFloat16")]
    [InlineData("UpdateKernel_Single")]
    [InlineData("SumSquaresKernel")]
    [InlineData("MmaTileKernel_BFloat16")]
    public void Ptx_OfASmallKernel_EqualsTheGoldenText(string name)
    {
        var path = Path.Combine(Folder, name + ".ptx");
        var text = KernelCatalog.All.Single(entry => entry.Name == name).PtxText;
        if (Environment.GetEnvironmentVariable("RT_WRITE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Folder);
            File.WriteAllText(path, text);
            return;
        }

        Assert.True(File.Exists(path), $"{path} is missing; the line to write it heads this file");
        Assert.Equal(File.ReadAllText(path), text);
    }
}
