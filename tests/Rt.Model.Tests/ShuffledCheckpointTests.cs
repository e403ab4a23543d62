// The random-weights control: matrices keep their elements and lose their order, everything else stays.
using System.Runtime.InteropServices;
using Rt.Core;
using Rt.Cpu;
using Rt.Formats;

namespace Rt.Model.Tests;

public sealed class ShuffledCheckpointTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("rt-shuffled-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string In(string name) => Path.Combine(_folder, name);

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void Write_RandomModel_KeepsElementsVectorsAndConfigButNotOrder(DType type)
    {
        RandomCheckpoint.Write(In("source"), "llama-tiny", type);
        ShuffledCheckpoint.Write(In("source"), In("shuffled"), seed: 1);
        using var source = Checkpoint.Open(In("source"));
        using var shuffled = Checkpoint.Open(In("shuffled"));
        Assert.Equal(source.Names.Order(), shuffled.Names.Order());
        foreach (var name in source.Names)
        {
            var (before, after) = (Elements(source, name, type), Elements(shuffled, name, type));
            Assert.Equal(before.Order(), after.Order());
            Assert.Equal(source.Entry(name).Shape.Length == 1, before.AsSpan().SequenceEqual(after));
        }

        Assert.Equal(File.ReadAllBytes(Path.Combine(In("source"), "config.json")), File.ReadAllBytes(Path.Combine(In("shuffled"), "config.json")));
        using var device = new CpuDevice(new CpuOptions(Threads: 1));
        using var model = LanguageModel.Load(In("shuffled"), device);
        using var sequence = new Sequence(model, 3);
        Assert.All(sequence.Append([1, 2, 3])[^1], logit => Assert.True(double.IsFinite(logit)));
    }

    [Fact]
    public void Write_SameSeed_GivesTheSameBytes_AnotherDoesNot()
    {
        RandomCheckpoint.Write(In("source"), "gpt2-tiny", DType.F32);
        foreach (var (name, seed) in new[] { ("a", 3UL), ("b", 3UL), ("c", 4UL) })
        {
            ShuffledCheckpoint.Write(In("source"), In(name), seed);
        }

        byte[] Weights(string name) => File.ReadAllBytes(Path.Combine(In(name), "model.safetensors"));
        Assert.Equal(Weights("a"), Weights("b"));
        Assert.NotEqual(Weights("a"), Weights("c"));
        Assert.Throws<UsageException>(() => ShuffledCheckpoint.Write(In("source"), In("a")));
    }

    private static uint[] Elements(Checkpoint checkpoint, string name, DType type)
    {
        var bytes = checkpoint.FileOf(name).Bytes(name, 0, (int)checkpoint.Entry(name).ByteLength);
        return type == DType.F32
            ? MemoryMarshal.Cast<byte, uint>(bytes).ToArray()
            : [.. MemoryMarshal.Cast<byte, ushort>(bytes).ToArray().Select(value => (uint)value)];
    }
}
