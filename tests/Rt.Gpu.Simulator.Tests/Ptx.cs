// Small PTX kernels for tests, and a device to run them on.
using System.Runtime.InteropServices;

namespace Rt.Gpu.Simulator.Tests;

/// <summary>A kernel with 64-bit parameters p0, p1, ... and registers of every kind.</summary>
internal static class Ptx
{
    public const string Registers = """
            .reg .pred %p<8>;
            .reg .b16 %h<16>;
            .reg .b32 %r<64>;
            .reg .f32 %f<64>;
            .reg .b64 %rd<32>;
            .reg .f64 %d<16>;
        """;

    /// <summary>The text of an entry "k".</summary>
    public static string Text(string body, int groupSize = 32, int parameters = 1, string module = "", string target = "sm_80", string version = "7.0") => $$"""
        .version {{version}}
        .target {{target}}
        .address_size 64
        .file 1 "kernels/Sample.cs"
        {{module}}
        .visible .entry k({{string.Join(", ", Enumerable.Range(0, parameters).Select(i => $".param .u64 p{i}"))}})
        .reqntid {{groupSize}}
        {
        {{Registers}}
        .loc 1 7 1
        {{body}}
        }
        """;

    /// <summary>Parameter i into %rd(10 + i).</summary>
    public static string Parameters(int count) => string.Concat(Enumerable.Range(0, count).Select(i => $"ld.param.u64 %rd{10 + i}, [p{i}];\n"));

    /// <summary>Address of element tid of a parameter, by element size, into %rd(20 + i).</summary>
    public static string Elements(int count, int bytes) => "mov.u32 %r60, %tid.x;\n"
        + string.Concat(Enumerable.Range(0, count).Select(i => $"mad.wide.u32 %rd{20 + i}, %r60, {bytes}, %rd{10 + i};\n"));

    public static byte[] Arguments(params long[] values) => MemoryMarshal.AsBytes(values.AsSpan()).ToArray();
}

/// <summary>A device with memory that tests fill and read.</summary>
internal sealed class Device(SimulatorOptions? options = null) : IDisposable
{
    public SimulatedGpu Gpu { get; } = new(options);

    public long Give<T>(params T[] values) where T : unmanaged
    {
        var bytes = MemoryMarshal.AsBytes(values.AsSpan());
        long address = Gpu.Allocate(bytes.Length);
        Gpu.Upload(bytes, address);
        return address;
    }

    public long Room<T>(int count) where T : unmanaged => Gpu.Allocate((long)count * Marshal.SizeOf<T>());

    public T[] Take<T>(long address, int count) where T : unmanaged
    {
        var values = new T[count];
        Gpu.Download(address, MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    public LaunchCounters Run(string text, int gridX = 1, int sharedBytes = 0, params long[] arguments) =>
        Gpu.Launch(PtxModule.Parse(text), "k", gridX, 1, 1, sharedBytes, Ptx.Arguments(arguments));

    public void Dispose() => Gpu.Dispose();
}
