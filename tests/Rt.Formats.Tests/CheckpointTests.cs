// Finding and checking the weights of a model folder.
using Rt.Core;

namespace Rt.Formats.Tests;

public sealed class CheckpointTests : IDisposable
{
    private const string A = """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}""";
    private const string B = """{"b":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}""";
    private const string Index = "model.safetensors.index.json";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_SingleFile_GivesItsTensors()
    {
        _folder.Safetensors(A, 2);
        using var checkpoint = Checkpoint.Open(_folder.Path);
        Assert.Equal(["a"], checkpoint.Names);
        Assert.True(checkpoint.Contains("a"));
        Assert.False(checkpoint.Contains("b"));
        Assert.Equal(2, checkpoint.ByteLength);
        Assert.Equal([0, 1], checkpoint.Tensor("a").HostSpan<byte>().ToArray());
        Assert.Equal(DType.U8, checkpoint.Entry("a").DType);
        Assert.Empty(checkpoint.Warnings);
        BadInput.Refused(() => checkpoint.Tensor("b"), "model.safetensors", "'b'", "missing");
    }

    [Fact]
    public void Open_OtherNameOrPathOfAFile_IsFound()
    {
        var path = _folder.Safetensors(A, 2, "adapter.safetensors");
        using var folder = Checkpoint.Open(_folder.Path);
        using var file = Checkpoint.Open(path);
        Assert.Equal(folder.Names, file.Names);
    }

    [Fact]
    public void Open_Shards_GivesAllTensorsWithoutWarnings()
    {
        Sharded("""{"metadata":{"total_size":5},"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}""");
        using var checkpoint = Checkpoint.Open(_folder.Path);
        Assert.Equal(["a", "b"], checkpoint.Names);
        Assert.Equal(2, checkpoint.Files.Count);
        Assert.Equal(5, checkpoint.ByteLength);
        Assert.Equal([0, 1, 2], checkpoint.Tensor("b").HostSpan<byte>().ToArray());
        Assert.Empty(checkpoint.Warnings);
    }

    [Fact]
    public void Open_ExtraTensorAndWrongTotal_Warns()
    {
        Sharded("""{"metadata":{"total_size":7e0},"weight_map":{"b":"2.safetensors"}}""");
        _folder.Safetensors("""{"b":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"c":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}""", 4, "2.safetensors");
        using var checkpoint = Checkpoint.Open(_folder.Path);
        Assert.Equal(["b"], checkpoint.Names);
        Assert.Equal(2, checkpoint.Warnings.Count);
        Assert.Contains("'c'", checkpoint.Warnings[0], StringComparison.Ordinal);
        Assert.Contains("expected 4 (what the shards hold), found 7", checkpoint.Warnings[1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"weight_map":{"a":"/etc/1.safetensors"}}""", "'/etc/1.safetensors'")]
    [InlineData("""{"weight_map":{"a":"../1.safetensors"}}""", "'../1.safetensors'")]
    [InlineData("""{"weight_map":{"a":"sub/1.safetensors"}}""", "'sub/1.safetensors'")]
    [InlineData("""{"weight_map":{"a":"..\\1.safetensors"}}""", "'..\\1.safetensors'")]
    [InlineData("""{"weight_map":{"a":"C:1.safetensors"}}""", "'C:1.safetensors'")]
    [InlineData("""{"weight_map":{"a":".."}}""", "'..'")]
    [InlineData("""{"weight_map":{"a":""}}""", "found ''")]
    [InlineData("""{"weight_map":{"a":"1.safetensors\u0000"}}""", "'1.safetensors\\u0000'")]
    [InlineData("""{"weight_map":{"a":"9.safetensors"}}""", "'9.safetensors' is missing")]
    [InlineData("""{"weight_map":{"a":"2.safetensors","b":"2.safetensors"}}""", "tensor 'a' is mapped to '2.safetensors'")]
    [InlineData("""{"weight_map":{"a":1}}""", "tensor 'a'")]
    [InlineData("""{"weight_map":{"a":"\ud800"}}""", "surrogate")]
    [InlineData("""{"weight_map":{"\ud800":"1.safetensors"}}""", "surrogate")]
    [InlineData("""{"weight_map":{}}""", "at least one tensor")]
    [InlineData("""{"weight_map":[]}""", "'weight_map': expected a JSON object, found a list")]
    [InlineData("""{}""", "'weight_map': expected an object, found nothing")]
    [InlineData("""[]""", "found a list")]
    [InlineData("""{"weight_map":{"a":"1.safetensors","a":"1.safetensors"}}""", "field 'a' appears twice")]
    [InlineData("""{"weight_map":""", "not valid JSON")]
    public void Open_BadIndex_IsRefused(string index, string expected)
    {
        Sharded(index);
        BadInput.Refused(() => Checkpoint.Open(_folder.Path), Index, expected);
    }

    [Fact]
    public void Open_TensorInTwoShards_IsRefused()
    {
        Sharded("""{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}""");
        _folder.Safetensors("""{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}""", 3, "2.safetensors");
        BadInput.Refused(() => Checkpoint.Open(_folder.Path), "'a' lies in both '1.safetensors' and '2.safetensors'");
    }

    [Fact]
    public void Open_DamagedShard_IsRefusedByItsName()
    {
        Sharded("""{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}""");
        _folder.Safetensors(B, 2, "2.safetensors");
        BadInput.Refused(() => Checkpoint.Open(_folder.Path), "2.safetensors", "'b'");
    }

    [Fact]
    public void Open_LinkOutOfTheFolder_IsRefused()
    {
        using var elsewhere = new TemporaryFolder();
        var target = elsewhere.Safetensors(A, 2, "1.safetensors");
        Sharded("""{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}""");
        File.Delete(_folder["1.safetensors"]);
        File.CreateSymbolicLink(_folder["1.safetensors"], target);
        BadInput.Refused(() => Checkpoint.Open(_folder.Path), "'1.safetensors' is a link that leads out");

        // A link that stays inside is fine, also where the folder itself is reached by a link.
        File.Delete(_folder["1.safetensors"]);
        File.Move(target, _folder["real"]);
        File.CreateSymbolicLink(_folder["1.safetensors"], "real");
        Directory.CreateSymbolicLink(elsewhere["model"], _folder.Path);
        using var checkpoint = Checkpoint.Open(elsewhere["model"]);
        Assert.Equal(["a", "b"], checkpoint.Names);
    }

    [Fact]
    public void Open_SnapshotOfTheHubCache_FollowsLinksIntoItsBlobsOnly()
    {
        var commit = new string('a', 40);
        var snapshot = Directory.CreateDirectory(_folder[$"models--o--n/snapshots/{commit}"]).FullName;
        Directory.CreateDirectory(_folder["models--o--n/blobs"]);
        _folder.Safetensors(A, 2, "models--o--n/blobs/one");
        _folder.Safetensors(B, 3, "models--o--n/other");
        File.WriteAllText(Path.Combine(snapshot, Index), """{"weight_map":{"a":"1.safetensors"}}""");
        File.CreateSymbolicLink(Path.Combine(snapshot, "1.safetensors"), "../../blobs/one");
        using (var checkpoint = Checkpoint.Open(snapshot))
        {
            Assert.Equal(["a"], checkpoint.Names);
        }

        File.WriteAllText(Path.Combine(snapshot, Index), """{"weight_map":{"b":"2.safetensors"}}""");
        File.CreateSymbolicLink(Path.Combine(snapshot, "2.safetensors"), "../../other");
        BadInput.Refused(() => Checkpoint.Open(snapshot), "leads out");
    }

    [Fact]
    public void Open_NoWeights_SaysWhatToDo()
    {
        BadInput.Refused(() => Checkpoint.Open(_folder["absent"]), "no such model folder");
        BadInput.Refused(() => Checkpoint.Open(_folder.Path), "expected model.safetensors");
        _folder.Write("pytorch_model-00001-of-00002.bin", "x");
        BadInput.Refused(() => Checkpoint.Open(_folder.Path), $"rt convert {_folder.Path}");
        _folder.Safetensors(A, 2, "model-00001-of-00002.safetensors");
        BadInput.Refused(() => Checkpoint.Open(_folder.Path), "model-00001-of-00002", "no model.safetensors.index.json");
    }

    [Fact]
    public void Open_Goldens_WorkShardedOrNot()
    {
        foreach (var config in Directory.GetFiles(Fixtures.Path("goldens"), "config.json", SearchOption.AllDirectories))
        {
            using var checkpoint = Checkpoint.Open(Path.GetDirectoryName(config)!);
            Assert.NotEmpty(checkpoint.Names);
            Assert.Empty(checkpoint.Warnings);
        }
    }

    private void Sharded(string index)
    {
        _folder.Safetensors(A, 2, "1.safetensors");
        _folder.Safetensors(B, 3, "2.safetensors");
        _folder.Write(Index, index);
    }
}
