// A PTX module, read and decoded once.
using Rt.Gpu.Simulator.Decoding;
using Rt.Gpu.Simulator.Text;

namespace Rt.Gpu.Simulator;

/// <summary>PTX text made ready to run on a <see cref="SimulatedGpu"/>. Immutable; may be shared by devices.</summary>
public sealed class PtxModule
{
    private readonly Dictionary<string, EntryProgram> _programs = [];

    private PtxModule(string version, string target)
    {
        Version = version;
        Target = target;
    }

    /// <summary>The version the text asks for.</summary>
    public string Version { get; }

    /// <summary>The architecture the text asks for: sm_80, sm_90 or sm_90a.</summary>
    public string Target { get; }

    /// <summary>Names of the entries.</summary>
    public IReadOnlyCollection<string> Entries => _programs.Keys;

    /// <summary>Reads and decodes PTX text.</summary>
    /// <param name="text">The whole module.</param>
    /// <exception cref="SimulatorException">Names what is not known or not well-formed, and the line.</exception>
    public static PtxModule Parse(string text)
    {
        var parsed = PtxParser.Read(text);
        var module = new PtxModule(parsed.Version, parsed.Target);
        foreach (var entry in parsed.Entries)
        {
            if (!module._programs.TryAdd(entry.Name, EntryDecoder.Decode(entry)))
            {
                throw new SimulatorException($"entry {entry.Name} is here twice", entry.Line);
            }
        }
        return module;
    }

    /// <summary>Threads per group of an entry.</summary>
    public int GroupSize(string entry) => Program(entry).GroupSize;

    /// <summary>Bytes of an entry's arguments.</summary>
    public int ArgumentBytes(string entry) => Program(entry).ArgumentBytes;

    internal EntryProgram Program(string entry) => _programs.TryGetValue(entry, out var program)
        ? program
        : throw new SimulatorException($"the module has no entry {entry}; it has {string.Join(", ", _programs.Keys)}");
}
