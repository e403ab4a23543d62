// A simulated GPU for one test: gives arrays, runs an entry, takes arrays back.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rt.Gpu.Simulator;

namespace Rt.Gpu.Compiler.Tests;

internal sealed class Device : IDisposable
{
    private readonly SimulatedGpu _gpu = new(new SimulatorOptions { MemoryBytes = 1L << 20 });

    public View<T> Give<T>(T[] values)
        where T : unmanaged
    {
        var view = Room<T>(values.Length);
        _gpu.Upload(MemoryMarshal.AsBytes(values.AsSpan()), view.Address);
        return view;
    }

    public View<T> Room<T>(int length)
        where T : unmanaged => new(_gpu.Allocate((long)length * Unsafe.SizeOf<T>()), length);

    public T[] Take<T>(View<T> view)
        where T : unmanaged
    {
        var values = new T[view.Length];
        _gpu.Download(view.Address, MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    /// <summary>Arguments are views and ints, ints last.</summary>
    public void Run(KernelEntry entry, int groups, params object[] arguments)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        foreach (var argument in arguments)
        {
            if (argument is IView view)
            {
                writer.Write(view.Address);
                writer.Write((long)view.Length);
            }
            else
            {
                writer.Write((int)argument);
            }
        }

        _gpu.Launch(PtxModule.Parse(entry.PtxText), entry.Name, groups, 1, 1, 0, bytes.ToArray());
    }

    public void Dispose() => _gpu.Dispose();

    public interface IView
    {
        long Address { get; }

        int Length { get; }
    }

    public readonly record struct View<T>(long Address, int Length) : IView
        where T : unmanaged;
}
