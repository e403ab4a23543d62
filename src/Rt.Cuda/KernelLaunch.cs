// The arguments of one launch, laid out as the kernel's parameters are and checked against them.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rt.Core;
using Rt.Gpu;

namespace Rt.Cuda;

/// <summary>Builds the arguments of a launch and starts it: <c>Start(entry).Add(tensor).Add(width).Run(groups)</c>.</summary>
/// <remarks>A device has one, used again for every launch: nothing is allocated. Kinds, element sizes and their number are checked
/// against <see cref="KernelEntry.Parameters"/>; a misfit is a mistake of the calling code.</remarks>
public sealed class KernelLaunch
{
    // The parameter space of sm_80 and sm_90.
    private const int MostBytes = 4096;

    private readonly GpuDevice _device;
    private readonly byte[] _arguments = new byte[MostBytes];
    private KernelEntry _entry = null!;
    private int _next;
    private int _length;

    internal KernelLaunch(GpuDevice device) => _device = device;

    /// <summary>Begins a launch; an unfinished one is forgotten.</summary>
    internal KernelLaunch Begin(KernelEntry entry)
    {
        _entry = entry;
        _next = 0;
        _length = 0;
        return this;
    }

    /// <summary>A view: from the tensor's first element to the end of its storage.</summary>
    public KernelLaunch Add(in Tensor tensor)
    {
        var elementBytes = tensor.DType.Bytes();
        Expect(ParameterKind.View, elementBytes);
        var storage = _device.Memory(tensor);
        return View(storage.Address + tensor.Offset * elementBytes, storage.ByteLength / elementBytes - tensor.Offset);
    }

    /// <summary>A view, empty where there is no tensor.</summary>
    public KernelLaunch Add(in Tensor? tensor)
    {
        if (tensor is { } present)
        {
            return Add(present);
        }

        Expect(ParameterKind.View, 0);
        return View(0, 0);
    }

    /// <summary>The bytes of a tensor, whatever its dtype; empty where there is none.</summary>
    public KernelLaunch AddBytes(in Tensor? tensor)
    {
        Expect(ParameterKind.View, 1);
        if (tensor is not { } present)
        {
            return View(0, 0);
        }

        var storage = _device.Memory(present);
        var start = present.Offset * present.DType.Bytes();
        return View(storage.Address + start, storage.ByteLength - start);
    }

    /// <summary>A tensor [a, b, width] with strided rows: a view and the strides of its first two axes.</summary>
    public KernelLaunch AddRows(in Tensor tensor) => Add(tensor).Add(tensor.Stride0).Add(tensor.Stride1);

    /// <summary>An int.</summary>
    public KernelLaunch Add(int value) => Number(ParameterKind.Int32, value);

    /// <summary>A uint.</summary>
    public KernelLaunch Add(uint value) => Number(ParameterKind.Int32, value);

    /// <summary>A long.</summary>
    public KernelLaunch Add(long value) => Number(ParameterKind.Int64, value);

    /// <summary>A ulong.</summary>
    public KernelLaunch Add(ulong value) => Number(ParameterKind.Int64, value);

    /// <summary>A float.</summary>
    public KernelLaunch Add(float value) => Number(ParameterKind.Float32, value);

    /// <summary>A double.</summary>
    public KernelLaunch Add(double value) => Number(ParameterKind.Float64, value);

    /// <summary>A bool.</summary>
    public KernelLaunch Add(bool value) => Number(ParameterKind.Bool, (byte)(value ? 1 : 0));

    /// <summary>Starts the kernel; a grid without groups starts nothing.</summary>
    /// <param name="gridX">Groups along x.</param>
    /// <param name="gridY">Groups along y.</param>
    /// <param name="gridZ">Groups along z.</param>
    /// <param name="sharedBytes">Dynamic shared memory.</param>
    public void Run(int gridX, int gridY = 1, int gridZ = 1, int sharedBytes = 0)
    {
        if (_next != _entry.Parameters.Count)
        {
            throw new InvalidOperationException($"{_entry.Name}: {_next} of {_entry.Parameters.Count} arguments were given");
        }

        if (sharedBytes > 0 && !_entry.UsesDynamicShared)
        {
            throw new InvalidOperationException($"{_entry.Name}: {sharedBytes} shared bytes were given, it uses none");
        }

        if (gridX > 0 && gridY > 0 && gridZ > 0)
        {
            _device.Launch(_entry, new GridSize(gridX, gridY, gridZ), sharedBytes, _arguments.AsSpan(0, _length));
        }
    }

    private KernelLaunch View(long address, long length)
    {
        Write(address, 8);
        Write(length, 8);
        return this;
    }

    private KernelLaunch Number<T>(ParameterKind kind, T value) where T : unmanaged
    {
        Expect(kind, 0);
        Write(value, Unsafe.SizeOf<T>());
        return this;
    }

    private void Write<T>(T value, int alignment) where T : unmanaged
    {
        var start = (_length + alignment - 1) & -alignment;
        _arguments.AsSpan(_length, start - _length).Clear();
        MemoryMarshal.Write(_arguments.AsSpan(start), in value);
        _length = start + Unsafe.SizeOf<T>();
    }

    private void Expect(ParameterKind kind, int elementBytes)
    {
        if (_next >= _entry.Parameters.Count)
        {
            throw new InvalidOperationException($"{_entry.Name} takes {_entry.Parameters.Count} arguments, another was given");
        }

        var parameter = _entry.Parameters[_next++];
        if (parameter.Kind != kind || (elementBytes != 0 && parameter.ElementBytes != elementBytes))
        {
            var given = elementBytes == 0 ? $"{kind}" : $"{kind} of {elementBytes}-byte elements";
            throw new InvalidOperationException(
                $"{_entry.Name}: parameter '{parameter.Name}' is {parameter.Kind} of {parameter.ElementBytes}-byte elements, {given} was given");
        }
    }
}
