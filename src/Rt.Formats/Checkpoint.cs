// The weights of a model folder: one safetensors file, or the shards that an index names.
using Rt.Core;

namespace Rt.Formats;

/// <summary>All tensors of a model folder, memory-mapped. Tensors are views and die with this object.</summary>
/// <remarks>Looks for <c>model.safetensors</c>, then <c>model.safetensors.index.json</c>, then a single other safetensors file.
/// In a sharded checkpoint the index decides: tensors that it does not name are not reachable, and a warning counts them.</remarks>
public sealed class Checkpoint : IDisposable
{
    private const string Single = "model.safetensors";
    private const string Index = "model.safetensors.index.json";

    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, SafetensorsFile> _tensors = new(StringComparer.Ordinal);
    private readonly List<string> _warnings = [];

    private Checkpoint(string folder) => Folder = folder;

    /// <summary>The model folder.</summary>
    public string Folder { get; }

    /// <summary>The open files, in order of their names.</summary>
    public IReadOnlyList<SafetensorsFile> Files => _files;

    /// <summary>Names of all tensors.</summary>
    public IReadOnlyCollection<string> Names => _tensors.Keys;

    /// <summary>What is odd about the checkpoint but does no harm, a sentence each.</summary>
    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>Bytes of all tensors together.</summary>
    public long ByteLength => _tensors.Sum(tensor => tensor.Value.Entries[tensor.Key].ByteLength);

    /// <summary>Opens the weights of a folder, or one safetensors file by its own path.</summary>
    /// <exception cref="BadFileException">There are no safetensors, several without an index, or a file breaks a rule of its format.</exception>
    public static Checkpoint Open(string folder)
    {
        var checkpoint = new Checkpoint(folder);
        try
        {
            checkpoint.Load();
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>Whether there is a tensor of this name.</summary>
    public bool Contains(string name) => _tensors.ContainsKey(name);

    /// <summary>Type, shape and place of a tensor.</summary>
    /// <exception cref="BadFileException">There is no such tensor.</exception>
    public SafetensorsEntry Entry(string name) => FileOf(name).Entry(name);

    /// <summary>A view of a tensor's data; see <see cref="SafetensorsFile.Tensor"/>.</summary>
    /// <exception cref="BadFileException">There is no such tensor, or it cannot be viewed.</exception>
    public Tensor Tensor(string name) => FileOf(name).Tensor(name);

    /// <summary>The file that holds a tensor, for messages about it.</summary>
    /// <exception cref="BadFileException">There is no such tensor.</exception>
    public SafetensorsFile FileOf(string name) => _tensors.TryGetValue(name, out var file)
        ? file
        : throw new BadFileException(_files.Count == 1 ? _files[0].Path : Folder, $"tensor {MessageText.Quote(name)} is missing");

    /// <summary>Fails when a file no longer has the length it was opened with.</summary>
    /// <exception cref="BadFileException">A file was cut or grew since.</exception>
    public void CheckLength() => _files.ForEach(file => file.CheckLength());

    /// <summary>Asks the kernel to read all files ahead.</summary>
    public void Prefetch() => _files.ForEach(file => file.Prefetch());

    /// <inheritdoc/>
    public void Dispose() => _files.ForEach(file => file.Dispose());

    private void Load()
    {
        if (File.Exists(Folder))
        {
            OpenSingle(Folder);
            return;
        }

        if (!Directory.Exists(Folder))
        {
            throw new BadFileException(Folder, "no such model folder");
        }

        if (File.Exists(Path.Combine(Folder, Single)))
        {
            OpenSingle(Path.Combine(Folder, Single));
        }
        else if (File.Exists(Path.Combine(Folder, Index)))
        {
            OpenShards(Path.Combine(Folder, Index));
        }
        else
        {
            OpenSingle(OnlyFile());
        }
    }

    private string OnlyFile()
    {
        var files = List("*.safetensors");
        if (files.Length == 1 && !files[0].Contains("-of-", StringComparison.Ordinal))
        {
            return files[0];
        }

        if (files.Length > 0)
        {
            throw new BadFileException(Folder, $"{files.Length} safetensors files (the first is {MessageText.Quote(Path.GetFileName(files[0]))}) but no {Index}");
        }

        throw new BadFileException(Folder, List("pytorch_model*.bin") is [var first, ..]
            ? $"holds {MessageText.Quote(Path.GetFileName(first))} but no safetensors; run `rt convert {Folder}` first"
            : $"expected {Single} or {Index}, found neither");
    }

    private string[] List(string pattern)
    {
        try
        {
            var files = Directory.GetFiles(Folder, pattern);
            Array.Sort(files, StringComparer.Ordinal);
            return files;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadFileException(Folder, $"cannot be read: {e.Message}", e);
        }
    }

    private void OpenSingle(string path)
    {
        var file = SafetensorsFile.Open(path);
        _files.Add(file);
        foreach (var name in file.Entries.Keys)
        {
            _tensors.Add(name, file);
        }
    }

    private void OpenShards(string indexPath)
    {
        var index = CheckpointIndex.Read(indexPath);
        foreach (var shard in index.Shards)
        {
            _files.Add(SafetensorsFile.Open(shard));
        }

        foreach ((var name, var shard) in index.WeightMap)
        {
            if (!_files[shard].Entries.ContainsKey(name))
            {
                throw new BadFileException(indexPath, $"tensor {MessageText.Quote(name)} is mapped to {MessageText.Quote(Path.GetFileName(_files[shard].Path))}, which does not hold it");
            }

            _tensors.Add(name, _files[shard]);
        }

        CheckShards(indexPath, index);
    }

    private void CheckShards(string indexPath, CheckpointIndex index)
    {
        var seen = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        var extra = new List<string>();
        var total = 0L;
        foreach (var file in _files)
        {
            foreach ((var name, var entry) in file.Entries)
            {
                if (!seen.TryAdd(name, file))
                {
                    throw new BadFileException(indexPath, $"tensor {MessageText.Quote(name)} lies in both {MessageText.Quote(Path.GetFileName(seen[name].Path))} and {MessageText.Quote(Path.GetFileName(file.Path))}");
                }

                if (!_tensors.ContainsKey(name))
                {
                    extra.Add(name);
                }

                total += entry.ByteLength;
            }
        }

        if (extra.Count > 0)
        {
            _warnings.Add($"{indexPath}: {extra.Count} tensors of the shards are not in the index and are ignored; the first is {MessageText.Quote(extra[0])}");
        }

        if (index.TotalSize is { } claimed && claimed != total)
        {
            _warnings.Add($"{indexPath}: field 'metadata.total_size': expected {total} (what the shards hold), found {claimed}");
        }
    }
}
