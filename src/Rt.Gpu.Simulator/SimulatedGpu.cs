// A GPU that runs PTX on the CPU, as strictly as the PTX manual allows.
// Source: PTX ISA; CUDA C++ Programming Guide, "Technical Specifications per Compute Capability".
using Rt.Gpu.Simulator.Execution;
using Rt.Gpu.Simulator.Memory;

namespace Rt.Gpu.Simulator;

/// <summary>What a <see cref="SimulatedGpu"/> is like.</summary>
public sealed record SimulatorOptions
{
    /// <summary>Device memory in bytes.</summary>
    public long MemoryBytes { get; init; } = 1L << 36;

    /// <summary>Shared memory that one group may have; 227 KiB on an H100.</summary>
    public int MaxSharedBytes { get; init; } = 227 * 1024;

    /// <summary>Order in which groups and warps run.</summary>
    public uint Seed { get; init; } = 1;

    /// <summary>Cores that run groups; 0 is all of the machine's.</summary>
    public int Threads { get; init; }

    /// <summary>The thread whose steps are written down, and where to; null for none.</summary>
    public TraceRequest? Trace { get; init; }

    /// <summary>Warp instructions after which a launch is taken to be in an endless loop.</summary>
    public long InstructionBudget { get; init; } = 20_000_000_000;
}

/// <summary>Asks for the steps of one thread: line, instruction, and the values of its registers before and after.</summary>
/// <param name="Entry">Name of the entry.</param>
/// <param name="Group">Linear index of the group.</param>
/// <param name="Thread">Index of the thread in its group.</param>
/// <param name="MaxSteps">Steps to write down.</param>
/// <param name="Write">Receives one line per step.</param>
public sealed record TraceRequest(string Entry, int Group, int Thread, int MaxSteps, Action<string> Write);

/// <summary>Device memory and launches. One host thread at a time; launches return when they are done.</summary>
/// <remarks>Every fault of a kernel is a <see cref="SimulatorException"/> that names the PTX line, the source line, the group and the thread.</remarks>
public sealed unsafe class SimulatedGpu : IDisposable
{
    private readonly GlobalMemory _memory;

    /// <summary>A device.</summary>
    public SimulatedGpu(SimulatorOptions? options = null)
    {
        Options = options ?? new SimulatorOptions();
        _memory = new GlobalMemory(Options.MemoryBytes);
    }

    /// <summary>What it was made with.</summary>
    public SimulatorOptions Options { get; }

    /// <summary>Bytes allocated now.</summary>
    public long AllocatedBytes => _memory.AllocatedBytes;

    /// <summary>Allocates device memory that nothing has written.</summary>
    /// <exception cref="SimulatorException">Out of memory: asked and free.</exception>
    public long Allocate(long bytes) => _memory.Allocate(bytes);

    /// <summary>Frees an allocation; its address is never given again.</summary>
    public void Free(long address) => _memory.Free(address);

    /// <summary>Copies from the host.</summary>
    public void Upload(ReadOnlySpan<byte> source, long address) =>
        source.CopyTo(new Span<byte>(_memory.HostRange(address, source.Length, write: true, "upload"), source.Length));

    /// <summary>Copies to the host.</summary>
    /// <exception cref="SimulatorException">Nothing wrote some of the bytes.</exception>
    public void Download(long address, Span<byte> destination)
    {
        byte* data = _memory.HostRange(address, destination.Length, write: false, "download");
        long unwritten = _memory.FirstUnwritten(address, destination.Length);
        if (unwritten >= 0)
        {
            throw new SimulatorException($"download of memory that nothing wrote: {_memory.Describe((ulong)(address + unwritten))}");
        }
        new ReadOnlySpan<byte>(data, destination.Length).CopyTo(destination);
    }

    /// <summary>Copies within the device; bytes that nothing wrote stay so. The ranges must not overlap.</summary>
    public void Copy(long source, long destination, long bytes)
    {
        byte* from = _memory.HostRange(source, bytes, write: false, "copy");
        byte* to = _memory.HostRange(destination, bytes, write: false, "copy");
        if (from < to + bytes && to < from + bytes && bytes > 0)
        {
            throw new SimulatorException($"copy of {bytes} bytes between ranges that overlap: {_memory.Describe((ulong)source)} and {_memory.Describe((ulong)destination)}");
        }
        Buffer.MemoryCopy(from, to, bytes, bytes);
        _memory.CopyWritten(source, destination, bytes);
    }

    /// <summary>Writes zeros.</summary>
    public void Clear(long address, long bytes) =>
        System.Runtime.InteropServices.NativeMemory.Clear(_memory.HostRange(address, bytes, write: true, "clear"), (nuint)bytes);

    /// <summary>Forgets that bytes were written: scratch memory that is used again should not be read before it is written again.</summary>
    public void MarkUnwritten(long address, long bytes) => _memory.MarkUnwritten(address, bytes);

    /// <summary>Runs a kernel to its end.</summary>
    /// <param name="module">The module.</param>
    /// <param name="entry">Name of the entry.</param>
    /// <param name="gridX">Groups along x.</param>
    /// <param name="gridY">Groups along y, up to 65535.</param>
    /// <param name="gridZ">Groups along z, up to 65535.</param>
    /// <param name="dynamicSharedBytes">Dynamic shared memory.</param>
    /// <param name="arguments">The parameters, laid out as a C struct.</param>
    /// <exception cref="SimulatorException">The launch passes a limit, or the kernel is at fault.</exception>
    public LaunchCounters Launch(
        PtxModule module, string entry, int gridX, int gridY, int gridZ, int dynamicSharedBytes, ReadOnlySpan<byte> arguments)
    {
        var program = module.Program(entry);
        var layout = CheckLaunch(program, gridX, gridY, gridZ, dynamicSharedBytes, arguments.Length);
        var launch = new Launch(program, layout, gridX, gridY, gridZ, arguments.ToArray(), Options.InstructionBudget, _memory.NextLaunch(),
            Options.Trace is { } trace && trace.Entry == entry ? trace : null);
        int cores = Options.Threads > 0 ? Options.Threads : Environment.ProcessorCount;
        int count = (int)Math.Min(cores, launch.Groups);
        var workers = new Worker[count];
        for (int w = 0; w < count; w++)
        {
            workers[w] = new Worker(launch, _memory);
        }
        try
        {
            new GroupSchedule(launch, Options.Seed).Run(workers);
            return LaunchCounters.Of(launch, workers);
        }
        finally
        {
            foreach (var worker in workers)
            {
                worker.Dispose();
            }
        }
    }

    private SharedLayout CheckLaunch(Decoding.EntryProgram program, int gridX, int gridY, int gridZ, int dynamicSharedBytes, int argumentBytes)
    {
        if (gridX < 1 || gridY is < 1 or > 65535 || gridZ is < 1 or > 65535 || (long)gridX * gridY * gridZ > int.MaxValue)
        {
            throw new SimulatorException(
                $"launch of {program.Name}: grid {gridX} x {gridY} x {gridZ}; each side is at least 1, y and z at most 65535, all together at most {int.MaxValue}");
        }
        if (program.GroupSize is < 1 or > 1024)
        {
            throw new SimulatorException($"launch of {program.Name}: {program.GroupSize} threads per group; at most 1024");
        }
        if (argumentBytes != program.ArgumentBytes)
        {
            throw new SimulatorException($"launch of {program.Name}: {argumentBytes} bytes of arguments, expected {program.ArgumentBytes}");
        }
        bool dynamic = program.Shared.Any(variable => variable.Dynamic);
        if (dynamicSharedBytes < 0 || (dynamicSharedBytes > 0 && !dynamic))
        {
            throw new SimulatorException($"launch of {program.Name}: {dynamicSharedBytes} bytes of dynamic shared memory, but the entry declares none");
        }
        if (dynamic && dynamicSharedBytes == 0)
        {
            throw new SimulatorException($"launch of {program.Name}: the entry uses dynamic shared memory, and the launch gives none");
        }
        var variables = new List<(int Start, int Bytes, string Name)>();
        long compact = 0;
        foreach (var variable in program.Shared.OrderBy(variable => variable.Dynamic))
        {
            compact = (compact + variable.Alignment - 1) / variable.Alignment * variable.Alignment;
            int bytes = variable.Dynamic ? dynamicSharedBytes : variable.Bytes;
            variables.Add((checked((int)compact + (variables.Count * SharedLayout.Gap)), bytes, variable.Name));
            compact += variable.Dynamic ? 0 : bytes;
        }
        compact += dynamicSharedBytes;
        if (compact > Options.MaxSharedBytes)
        {
            throw new SimulatorException($"launch of {program.Name}: {compact} bytes of shared memory; a group may have {Options.MaxSharedBytes}");
        }
        int end = variables.Count == 0 ? 0 : variables.Max(variable => variable.Start + variable.Bytes);
        // Constants name variables by their place in the declarations.
        var inOrder = program.Shared.Select(variable => variables.Find(placed => placed.Name == variable.Name)).ToList();
        return new SharedLayout(end, inOrder);
    }

    /// <summary>Frees all memory.</summary>
    public void Dispose() => _memory.Dispose();
}
