// The Hugging Face cache: finds models in it and downloads those that are absent, in the layout that huggingface_hub shares.
// Layout: huggingface_hub, "Understand caching": models--org--name/{blobs,refs,snapshots}.
using System.Text.Json;
using Rt.Core;

namespace Rt.Formats;

/// <summary>Resolves <c>org/name[@revision]</c> to a folder with the model's files.</summary>
public sealed class HubCache(HubSettings settings) : IDisposable
{
    private const string Weights = "model.safetensors";
    private const string WeightsIndex = "model.safetensors.index.json";
    private const string TorchWeights = "pytorch_model.bin";
    private const string TorchIndex = "pytorch_model.bin.index.json";

    private static readonly string[] SmallFiles =
    [
        "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
    ];

    private readonly HubClient _client = new(settings);

    /// <summary>The folder of a model, from the cache where it is complete there, else downloaded.</summary>
    /// <remarks>Fetches the config, tokenizer and generation settings and the safetensors (or, where a repository has none, its
    /// pytorch_model.bin, which `rt convert` reads). What is complete in the cache costs no request.</remarks>
    /// <param name="name">org/name or org/name@revision.</param>
    /// <param name="progress">Told as bytes arrive, with the file's name.</param>
    /// <param name="cancellation">Cancelling keeps what has arrived of a file for the next time.</param>
    /// <exception cref="UsageException">The name or revision is malformed.</exception>
    /// <exception cref="BadFileException">Absent while HF_HUB_OFFLINE is set, unreachable, refused, or damaged on the way.</exception>
    public async Task<string> ResolveAsync(string name, IProgress<ByteProgress>? progress = null, CancellationToken cancellation = default)
    {
        var model = HubModel.Parse(name);
        if (Find(model) is { } folder)
        {
            return folder;
        }

        if (settings.Offline)
        {
            throw new BadFileException(model.ToString(), $"not complete in {settings.CacheFolder}, and HF_HUB_OFFLINE forbids downloading it");
        }

        try
        {
            return await DownloadAsync(model, progress, cancellation);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadFileException(settings.CacheFolder, $"cannot be written: {e.Message}", e);
        }
    }

    /// <summary>The snapshot folder of a model when config and all weight files are there, else null. Asks no server.</summary>
    public string? Find(HubModel model)
    {
        var root = Path.Combine(settings.CacheFolder, model.CacheFolder);
        var commit = model.Revision;
        if (!HubModel.IsCommit(commit))
        {
            var reference = Path.Combine(root, "refs", Path.Combine(model.Revision.Split('/')));
            if (!File.Exists(reference))
            {
                return null;
            }

            commit = System.Text.Encoding.UTF8.GetString(JsonFile.ReadBytes(reference, 4096)).Trim();
            if (!HubModel.IsCommit(commit))
            {
                throw new BadFileException(reference, $"expected a commit of 40 digits, found {MessageText.Quote(commit)}");
            }
        }

        var snapshot = Path.Combine(root, "snapshots", commit);
        return File.Exists(Path.Combine(snapshot, "config.json")) && HasWeights(snapshot) ? snapshot : null;
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private static bool HasWeights(string snapshot)
    {
        bool Has(string name) => File.Exists(Path.Combine(snapshot, name));
        if (Has(Weights))
        {
            return true;
        }

        // A torch file counts only where the repository has no safetensors index that is still incomplete.
        return Has(WeightsIndex) ? ShardNames(Path.Combine(snapshot, WeightsIndex)).All(Has)
            : Has(TorchWeights) || (Has(TorchIndex) && ShardNames(Path.Combine(snapshot, TorchIndex)).All(Has));
    }

    private async Task<string> DownloadAsync(HubModel model, IProgress<ByteProgress>? progress, CancellationToken cancellation)
    {
        var (commit, present) = await ListAsync(model, cancellation);
        var root = Path.Combine(settings.CacheFolder, model.CacheFolder);
        var snapshot = Path.Combine(root, "snapshots", commit);
        Directory.CreateDirectory(snapshot);
        Directory.CreateDirectory(Path.Combine(root, "blobs"));
        if (!present.Contains("config.json"))
        {
            throw new BadFileException(model.ToString(), "the repository has no config.json: not a model this runtime can load");
        }

        foreach (var name in SmallFiles.Where(present.Contains))
        {
            await FetchAsync(model, commit, name, root, snapshot, progress, cancellation);
        }

        var single = present.Contains(Weights) ? Weights : present.Contains(WeightsIndex) ? null : present.Contains(TorchWeights) ? TorchWeights : null;
        var index = present.Contains(WeightsIndex) ? WeightsIndex : present.Contains(TorchIndex) ? TorchIndex : null;
        if (single is not null)
        {
            await FetchAsync(model, commit, single, root, snapshot, progress, cancellation);
        }
        else if (index is not null)
        {
            await FetchAsync(model, commit, index, root, snapshot, progress, cancellation);
            foreach (var shard in ShardNames(Path.Combine(snapshot, index)))
            {
                await FetchAsync(model, commit, shard, root, snapshot, progress, cancellation);
            }
        }
        else
        {
            throw new BadFileException(model.ToString(), $"the repository has neither {Weights} nor {TorchWeights}");
        }

        // Written last: whoever finds the reference finds a complete snapshot.
        if (model.Revision != commit)
        {
            var reference = Path.Combine(root, "refs", Path.Combine(model.Revision.Split('/')));
            Directory.CreateDirectory(Path.GetDirectoryName(reference)!);
            AtomicFile.Write(reference, stream => stream.Write(System.Text.Encoding.ASCII.GetBytes(commit)));
        }

        return snapshot;
    }

    private async Task<(string Commit, HashSet<string> Files)> ListAsync(HubModel model, CancellationToken cancellation)
    {
        var path = $"api/models/{model.Repository}/revision/{Uri.EscapeDataString(model.Revision)}";
        using var document = JsonFile.Parse($"{model}/{path}", await _client.GetSmallAsync(model, path, cancellation));
        var fields = new JsonFields($"{model}/{path}", document.RootElement);
        var commit = fields.String("sha");
        if (!HubModel.IsCommit(commit))
        {
            throw fields.Wrong("sha", "a commit of 40 digits", MessageText.Quote(commit));
        }

        var files = new HashSet<string>(StringComparer.Ordinal);
        if (fields.Raw("siblings") is { ValueKind: JsonValueKind.Array } siblings)
        {
            foreach (var sibling in siblings.EnumerateArray())
            {
                files.Add(new JsonFields(fields.File, sibling).String("rfilename"));
            }
        }

        return (commit, files);
    }

    private async Task FetchAsync(HubModel model, string commit, string name, string root, string snapshot, IProgress<ByteProgress>? progress, CancellationToken cancellation)
    {
        var link = Path.Combine(snapshot, name);
        if (File.Exists(link))
        {
            return;
        }

        var file = await _client.HeadAsync(model, commit, name, cancellation);
        var blob = Path.Combine(root, "blobs", file.ETag);
        if (!File.Exists(blob))
        {
            var incomplete = blob + ".incomplete";
            await _client.DownloadAsync(model, name, file, incomplete, progress, cancellation);
            File.Move(incomplete, blob, overwrite: true);
        }

        // A link that leads nowhere would be in the way.
        File.Delete(link);
        try
        {
            File.CreateSymbolicLink(link, Path.Combine("..", "..", "blobs", file.ETag));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException && OperatingSystem.IsWindows())
        {
            // Without the right to make links the file itself takes its place, as huggingface_hub does.
            File.Move(blob, link);
        }
    }

    // The names come from a downloaded file and become paths, so they must be plain names.
    private static string[] ShardNames(string index)
    {
        using var document = JsonFile.Read(index, CheckpointIndex.MaxBytes);
        var map = new JsonFields(index, document.RootElement).Object("weight_map");
        var names = map.Element.EnumerateObject().Select(property => property.Name).ToArray();
        var shards = Array.ConvertAll(names, name => map.String(name)).Distinct(StringComparer.Ordinal).ToArray();
        return shards.FirstOrDefault(shard => !FilePaths.IsPlainName(shard)) is { } bad
            ? throw new BadFileException(index, $"field 'weight_map': expected the name of a file in this folder, found {MessageText.Quote(bad)}")
            : shards;
    }
}
