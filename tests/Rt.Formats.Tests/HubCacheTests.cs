// Resolving models in the cache and downloading them from a hub on the loopback interface.
using System.Security.Cryptography;
using Rt.Core;

namespace Rt.Formats.Tests;

public sealed class HubCacheTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly HubServer _server = new();
    private readonly byte[] _weights;

    public HubCacheTests()
    {
        _weights = new byte[300_000];
        new Random(11).NextBytes(_weights);
        _server.Files["config.json"] = "{}"u8.ToArray();
        _server.Files["tokenizer.json"] = "{\"t\":1}"u8.ToArray();
        _server.Files["README.md"] = "not wanted"u8.ToArray();
        _server.Files["model.safetensors"] = _weights;
        _server.Large.Add("model.safetensors");
    }

    public void Dispose()
    {
        _server.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Resolve_AbsentModel_IsDownloadedInTheSharedLayout()
    {
        var seen = new List<ByteProgress>();
        var path = await Resolve("org/name", new Listener(seen));
        Assert.Equal(_folder[$"models--org--name/snapshots/{HubServer.Commit}"], path);
        Assert.Equal(_weights, File.ReadAllBytes(Path.Combine(path, "model.safetensors")));
        Assert.Equal($"../../blobs/{Convert.ToHexStringLower(SHA256.HashData(_weights))}", new FileInfo(Path.Combine(path, "model.safetensors")).LinkTarget);
        Assert.Equal($"../../blobs/{HubServer.BlobHash(_server.Files["config.json"])}", new FileInfo(Path.Combine(path, "config.json")).LinkTarget);
        Assert.Equal(HubServer.Commit, File.ReadAllText(_folder["models--org--name/refs/main"]));
        Assert.False(File.Exists(Path.Combine(path, "README.md")));
        Assert.Equal(new ByteProgress("model.safetensors", 300_000, 300_000), seen[^1]);
        Assert.DoesNotContain(Directory.GetFiles(_folder["models--org--name/blobs"]), name => name.EndsWith(".incomplete", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Resolve_CompleteInTheCache_AsksNoServer()
    {
        var path = await Resolve("org/name@main");
        _server.Requests.Clear();
        Assert.Equal(path, await Resolve("org/name"));
        Assert.Equal(path, await Resolve("org/name@" + HubServer.Commit));
        Assert.Equal(path, await Resolve("org/name", offline: true));
        Assert.Empty(_server.Requests);
    }

    [Fact]
    public async Task Resolve_TokenAndRedirect_SendsTheTokenToTheHubOnly()
    {
        await Resolve("org/name");
        Assert.Contains(_server.Requests, request => request.StartsWith("GET localhost /store/", StringComparison.Ordinal));
        Assert.All(_server.Requests, request => Assert.Equal(request.Contains(" 127.0.0.1 ", StringComparison.Ordinal), request.EndsWith("Bearer hf_secret", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Resolve_ConnectionBreaksTwice_GoesOnWhereItStopped(bool ranges)
    {
        _server.Files.Remove("tokenizer.json");
        _server.Files["config.json"] = "{}"u8.ToArray();
        var path = await Resolve("org/name");
        Directory.Delete(_folder["models--org--name"], recursive: true);
        _server.Requests.Clear();
        _server.Ranges = ranges;
        // The first file to have a body is the config; it breaks once, the weights once.
        _server.Breaks = 2;
        path = await Resolve("org/name");
        Assert.Equal(_weights, File.ReadAllBytes(Path.Combine(path, "model.safetensors")));
        Assert.True(_server.Requests.Count(request => request.Contains("bytes=", StringComparison.Ordinal)) >= 1, string.Join('\n', _server.Requests));
    }

    [Fact]
    public async Task Resolve_BrokenForGood_KeepsWhatArrivedAndGoesOnNextTime()
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(_weights));
        Directory.CreateDirectory(_folder["models--org--name/blobs"]);
        _folder.Write($"models--org--name/blobs/{hash}.incomplete", _weights[..200_000]);
        var path = await Resolve("org/name");
        Assert.Equal(_weights, File.ReadAllBytes(Path.Combine(path, "model.safetensors")));
        Assert.Contains(_server.Requests, request => request.Contains("bytes=200000-", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Resolve_StaleStartOfAnotherFile_IsFetchedAnew()
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(_weights));
        Directory.CreateDirectory(_folder["models--org--name/blobs"]);
        _folder.Write($"models--org--name/blobs/{hash}.incomplete", new byte[1000]);
        var path = await Resolve("org/name");
        Assert.Equal(_weights, File.ReadAllBytes(Path.Combine(path, "model.safetensors")));
    }

    [Theory]
    [InlineData("model.safetensors")]
    [InlineData("config.json")]
    public async Task Resolve_WrongBytes_IsRefusedAndLeavesNoFile(string name)
    {
        var forged = (byte[])_server.Files[name].Clone();
        forged[^1] ^= 1;
        _server.Forged[name] = forged;
        await Refused("org/name", name, "download is damaged: expected hash");
        Assert.False(File.Exists(_folder[$"models--org--name/snapshots/{HubServer.Commit}/{name}"]));
        Assert.False(File.Exists(_folder["models--org--name/refs/main"]));
        _server.Forged.Clear();
        Assert.Equal(_server.Files[name], File.ReadAllBytes(Path.Combine(await Resolve("org/name"), name)));
    }

    [Theory]
    [InlineData(404, "not found on the hub (404)")]
    [InlineData(401, "HF_TOKEN")]
    [InlineData(403, "accept the model's terms")]
    [InlineData(500, "the hub answers 500")]
    public async Task Resolve_HubRefuses_SaysWhy(int status, string expected)
    {
        _server.Status = status;
        await Refused("org/name", "org/name@main", expected);
    }

    [Fact]
    public async Task Resolve_OfflineOrUnreachable_SaysSo()
    {
        var offline = await Assert.ThrowsAsync<BadFileException>(() => Resolve("org/name", offline: true));
        Assert.Contains("HF_HUB_OFFLINE", offline.Message, StringComparison.Ordinal);
        Assert.Empty(_server.Requests);
        _server.Dispose();
        await Refused("org/name", "cannot be downloaded");
    }

    [Fact]
    public async Task Resolve_Shards_AreAllFetched()
    {
        _server.Files.Remove("model.safetensors");
        _server.Files["model-00001-of-00002.safetensors"] = [1];
        _server.Files["model-00002-of-00002.safetensors"] = [2, 3];
        _server.Files["model.safetensors.index.json"] = """{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}"""u8.ToArray();
        var path = await Resolve("org/name");
        Assert.Equal([2, 3], File.ReadAllBytes(Path.Combine(path, "model-00002-of-00002.safetensors")));
        File.Delete(Path.Combine(path, "model-00001-of-00002.safetensors"));
        using var cache = Cache(offline: true);
        Assert.Null(cache.Find(HubModel.Parse("org/name")));
    }

    [Fact]
    public async Task Resolve_IndexThatLeadsOut_IsRefused()
    {
        _server.Files.Remove("model.safetensors");
        _server.Files["model.safetensors.index.json"] = """{"weight_map":{"a":"../../../x"}}"""u8.ToArray();
        await Refused("org/name", "'../../../x'");
        Assert.False(File.Exists(_folder["x"]));
    }

    [Fact]
    public async Task Resolve_OnlyTorchWeightsOrNone_FetchesThemOrSaysSo()
    {
        _server.Files.Remove("model.safetensors");
        await Refused("org/name", "neither model.safetensors nor pytorch_model.bin");
        _server.Files["pytorch_model.bin"] = [1, 2];
        var path = await Resolve("org/name");
        Assert.True(File.Exists(Path.Combine(path, "pytorch_model.bin")));
        _server.Files.Remove("config.json");
        Directory.Delete(_folder["models--org--name"], recursive: true);
        await Refused("org/name", "no config.json");
    }

    [Fact]
    public async Task Resolve_Cancelled_KeepsWhatArrived()
    {
        using var cancellation = new CancellationTokenSource();
        using var cache = Cache();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cache.ResolveAsync("org/name", new Canceller(cancellation), cancellation.Token));
        Assert.False(File.Exists(_folder["models--org--name/refs/main"]));
        Assert.True(new FileInfo(Directory.GetFiles(_folder["models--org--name/blobs"], "*.incomplete").Single()).Length > 0);
    }

    [Fact]
    public async Task Resolve_ReferenceThatIsNoCommit_IsRefused()
    {
        Directory.CreateDirectory(_folder["models--org--name/refs"]);
        _folder.Write("models--org--name/refs/main", "../../../etc");
        await Refused("org/name", "expected a commit of 40 digits, found '../../../etc'");
    }

    [Theory]
    [InlineData("../x")]
    [InlineData("org/..")]
    [InlineData("org/na..me")]
    [InlineData("org/name/x")]
    [InlineData("/etc/passwd")]
    [InlineData("org\\name")]
    [InlineData("org--x/name")]
    [InlineData("")]
    [InlineData("org/")]
    [InlineData("org/n%2e")]
    [InlineData("org/name?x")]
    [InlineData("org/name@")]
    [InlineData("org/name@../../x")]
    [InlineData("org/name@/x")]
    [InlineData("org/name@a//b")]
    [InlineData("org/name@a/../b")]
    [InlineData("org/name@a b")]
    [InlineData("org/name@a\\b")]
    public void Parse_NamesThatLeadElsewhere_AreUsageErrors(string name)
    {
        Assert.Equal(2, Assert.Throws<UsageException>(() => HubModel.Parse(name)).ExitCode);
        Assert.False(HubModel.IsName(name));
    }

    [Theory]
    [InlineData("openai-community/gpt2", "openai-community/gpt2", "main", "models--openai-community--gpt2")]
    [InlineData("gpt2@v1.0", "gpt2", "v1.0", "models--gpt2")]
    [InlineData("a/b_c.d@refs/pr/1", "a/b_c.d", "refs/pr/1", "models--a--b_c.d")]
    public void Parse_Names_GiveRepositoryRevisionAndFolder(string name, string repository, string revision, string folder)
    {
        Assert.True(HubModel.IsName(name));
        var model = HubModel.Parse(name);
        Assert.Equal((repository, revision, folder), (model.Repository, model.Revision, model.CacheFolder));
    }

    private HubCache Cache(bool offline = false) => new(new HubSettings(_folder.Path, _server.Endpoint, "hf_secret", offline));

    private async Task<string> Resolve(string name, IProgress<ByteProgress>? progress = null, bool offline = false)
    {
        using var cache = Cache(offline);
        return await cache.ResolveAsync(name, progress);
    }

    private async Task Refused(string name, params string[] parts)
    {
        var error = await Assert.ThrowsAsync<BadFileException>(() => Resolve(name));
        Assert.DoesNotContain('\n', error.Message);
        Assert.All(parts, part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
    }

    private sealed class Listener(List<ByteProgress> seen) : IProgress<ByteProgress>
    {
        public void Report(ByteProgress value) => seen.Add(value);
    }

    private sealed class Canceller(CancellationTokenSource cancellation) : IProgress<ByteProgress>
    {
        public void Report(ByteProgress value)
        {
            if (value.Name == "model.safetensors")
            {
                cancellation.Cancel();
            }
        }
    }
}
