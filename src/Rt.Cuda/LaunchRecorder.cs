// Repeated work as one graph: launches are written down first, and where the same ones were seen before, byte for byte, a graph of
// them is started instead. Nothing is assumed about what repeats; what is replayed is what would have been launched.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rt.Gpu;

namespace Rt.Cuda;

/// <summary>Defers launches while <see cref="IsRecording"/> and starts them together at the next <see cref="Flush"/>.</summary>
/// <remarks>A stretch of launches between two flushes is a section. The first time it is started launch by launch, from the second on
/// as a graph. Whoever reads results, or overwrites memory that deferred launches may read, flushes first.</remarks>
internal sealed class LaunchRecorder(ILauncher launcher) : IDisposable
{
    // Below this a graph saves nothing.
    private const int ShortestGraph = 3;

    // Sections remembered: a few batch sizes, each with a few sections.
    private const int MostSections = 32;

    private readonly List<KernelEntry?> _entries = [];
    private readonly List<Section> _sections = [];
    private byte[] _bytes = new byte[1 << 16];
    private int _length;
    private int _depth;

    private enum Kind
    {
        Launch,
        Copy,
        Clear,
        Forget,
    }

    /// <summary>Whether launches are deferred.</summary>
    public bool IsRecording => _depth > 0;

    /// <summary>Whether there are deferred launches.</summary>
    public bool HasPending => _entries.Count > 0;

    /// <summary>Sections started launch by launch.</summary>
    public long SectionsLaunched { get; private set; }

    /// <summary>Sections started as a graph.</summary>
    public long SectionsReplayed { get; private set; }

    /// <summary>Called when a section has been started.</summary>
    public Action? Flushed { get; set; }

    /// <summary>Begins to defer; may nest.</summary>
    public void Enter() => _depth++;

    /// <summary>Ends it and starts what is deferred.</summary>
    public void Leave()
    {
        if (--_depth == 0)
        {
            Flush();
        }
    }

    /// <summary>Ends it and forgets what is deferred: the work has failed.</summary>
    public void Abandon()
    {
        _depth = 0;
        Reset();
    }

    /// <summary>Ends it, and makes a graph of what is deferred instead of starting it.</summary>
    public ILaunchGraph LeaveWithGraph()
    {
        _depth = 0;
        var graph = launcher.Capture(Start);
        Reset();
        Flushed?.Invoke();
        return graph;
    }

    /// <summary>Defers a launch.</summary>
    public void Launch(KernelEntry entry, GridSize grid, int sharedBytes, ReadOnlySpan<byte> arguments)
    {
        _entries.Add(entry);
        Write(new Header(Kind.Launch, grid, sharedBytes, arguments.Length), arguments);
    }

    /// <summary>Defers a copy on the device.</summary>
    public void Copy(long source, long destination, long bytes)
    {
        _entries.Add(null);
        Write(new Header(Kind.Copy, default, 0, 3 * sizeof(long)), MemoryMarshal.AsBytes([source, destination, bytes]));
    }

    /// <summary>Defers a clear.</summary>
    public void Clear(long address, long bytes)
    {
        _entries.Add(null);
        Write(new Header(Kind.Clear, default, 0, 2 * sizeof(long)), MemoryMarshal.AsBytes([address, bytes]));
    }

    /// <summary>Defers a forgetting.</summary>
    public void Forget(long address, long bytes)
    {
        _entries.Add(null);
        Write(new Header(Kind.Forget, default, 0, 2 * sizeof(long)), MemoryMarshal.AsBytes([address, bytes]));
    }

    /// <summary>Starts what is deferred.</summary>
    public void Flush()
    {
        if (_entries.Count == 0)
        {
            return;
        }

        try
        {
            StartSection();
        }
        finally
        {
            // What failed is not started again.
            Reset();
            Flushed?.Invoke();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var section in _sections)
        {
            section.Graph?.Dispose();
        }

        _sections.Clear();
    }

    private void StartSection()
    {
        var section = _entries.Count < ShortestGraph ? null : Find();
        if (section is not null)
        {
            section.Graph ??= launcher.Capture(Start);
            section.Graph.Launch();
            SectionsReplayed++;
            return;
        }

        Start();
        SectionsLaunched++;
        if (_entries.Count >= ShortestGraph)
        {
            Remember();
        }
    }

    private void Write(Header header, ReadOnlySpan<byte> payload)
    {
        var end = _length + Unsafe.SizeOf<Header>() + payload.Length;
        if (end > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(end, 2 * _bytes.Length));
        }

        MemoryMarshal.Write(_bytes.AsSpan(_length), in header);
        payload.CopyTo(_bytes.AsSpan(_length + Unsafe.SizeOf<Header>()));
        _length = end;
    }

    private void Reset()
    {
        _entries.Clear();
        _length = 0;
    }

    /// <summary>The section that equals what is deferred, moved to the front.</summary>
    private Section? Find()
    {
        var entries = CollectionsMarshal.AsSpan(_entries);
        for (var i = 0; i < _sections.Count; i++)
        {
            var section = _sections[i];
            if (section.Bytes.AsSpan().SequenceEqual(_bytes.AsSpan(0, _length)) && entries.SequenceEqual(section.Entries))
            {
                _sections.RemoveAt(i);
                _sections.Insert(0, section);
                return section;
            }
        }

        return null;
    }

    private void Remember()
    {
        if (_sections.Count == MostSections)
        {
            _sections[^1].Graph?.Dispose();
            _sections.RemoveAt(MostSections - 1);
        }

        _sections.Insert(0, new Section([.. _entries], _bytes.AsSpan(0, _length).ToArray()));
    }

    private void Start()
    {
        var at = 0;
        foreach (var entry in _entries)
        {
            var header = MemoryMarshal.Read<Header>(_bytes.AsSpan(at));
            var payload = _bytes.AsSpan(at + Unsafe.SizeOf<Header>(), header.PayloadBytes);
            at += Unsafe.SizeOf<Header>() + header.PayloadBytes;
            if (header.Kind == Kind.Launch)
            {
                launcher.Launch(entry!, header.Grid, header.SharedBytes, payload);
                continue;
            }

            var numbers = MemoryMarshal.Cast<byte, long>(payload);
            switch (header.Kind)
            {
                case Kind.Copy: launcher.Copy(numbers[0], numbers[1], numbers[2]); break;
                case Kind.Clear: launcher.Clear(numbers[0], numbers[1]); break;
                default: launcher.Forget(numbers[0], numbers[1]); break;
            }
        }
    }

    private readonly record struct Header(Kind Kind, GridSize Grid, int SharedBytes, int PayloadBytes);

    private sealed class Section(KernelEntry?[] entries, byte[] bytes)
    {
        public KernelEntry?[] Entries { get; } = entries;

        public byte[] Bytes { get; } = bytes;

        public ILaunchGraph? Graph { get; set; }
    }
}
