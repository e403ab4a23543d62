// Kernels loaded into the context: one module per entry, assembled by the driver when it is first started, then kept.
// Source: NVIDIA, CUDA Driver API reference, cuModuleLoadDataEx and cuFuncSetAttribute.
using System.Text;
using Rt.Core;
using Rt.Gpu;

namespace Rt.Cuda.Driver;

/// <summary>Entries and their functions.</summary>
internal sealed class KernelModules(ICudaDriver driver, CudaErrors errors)
{
    // What a function may use without asking for more.
    private const int DefaultSharedBytes = 48 << 10;
    private const int LogBytes = 16 << 10;

    private readonly Dictionary<KernelEntry, Loaded> _loaded = [];

    /// <summary>The function of an entry, allowed to use that much dynamic shared memory.</summary>
    /// <exception cref="DeviceException">The GPU cannot run it, or the driver's assembler refuses it: its log.</exception>
    public nint Function(KernelEntry entry, int dynamicSharedBytes, string target, int maxSharedBytes)
    {
        var loaded = Load(entry, target);
        if (dynamicSharedBytes > loaded.DynamicLimit)
        {
            if (entry.SharedBytes + dynamicSharedBytes > maxSharedBytes)
            {
                throw new DeviceException(
                    $"{errors.Device}: {entry.Name} asks for {entry.SharedBytes + dynamicSharedBytes:N0} shared bytes, the GPU has {maxSharedBytes:N0} per group");
            }

            errors.Check(
                driver.FuncSetAttribute(loaded.Function, FunctionAttribute.MaxDynamicSharedBytes, dynamicSharedBytes),
                "cuFuncSetAttribute", $"{entry.Name}, {dynamicSharedBytes:N0} dynamic shared bytes");
            loaded.DynamicLimit = dynamicSharedBytes;
        }

        return loaded.Function;
    }

    /// <summary>Registers per thread and local bytes of an entry.</summary>
    public (int Registers, int LocalBytes) Resources(KernelEntry entry, string target, int maxSharedBytes)
    {
        var function = Function(entry, 0, target, maxSharedBytes);
        errors.Check(driver.FuncGetAttribute(out var registers, FunctionAttribute.Registers, function), "cuFuncGetAttribute", entry.Name);
        errors.Check(driver.FuncGetAttribute(out var local, FunctionAttribute.LocalBytes, function), "cuFuncGetAttribute", entry.Name);
        return (registers, local);
    }

    /// <summary>Unloads everything.</summary>
    public void Release()
    {
        foreach (var (entry, loaded) in _loaded)
        {
            errors.Check(driver.ModuleUnload(loaded.Module), "cuModuleUnload", entry.Name);
        }

        _loaded.Clear();
    }

    private Loaded Load(KernelEntry entry, string target)
    {
        if (_loaded.TryGetValue(entry, out var loaded))
        {
            return loaded;
        }

        if (!Targets.Runs(entry.Target, target))
        {
            throw new DeviceException($"{errors.Device}: {entry.Name} is compiled for {entry.Target}, the GPU runs {target}");
        }

        // The assembler reads to a terminating zero.
        var image = new byte[entry.Ptx.Length + 1];
        entry.Ptx.CopyTo(image);
        var info = new byte[LogBytes];
        var error = new byte[LogBytes];
        var result = driver.ModuleLoadDataEx(out var module, image, info, error);
        if (result != 0)
        {
            errors.Check(result, "cuModuleLoadDataEx", $"{entry.Name}: {Line(error)}{Line(info)}");
        }

        errors.Check(driver.ModuleGetFunction(out var function, module, entry.Name), "cuModuleGetFunction", entry.Name);
        loaded = new Loaded(module, function) { DynamicLimit = Math.Max(0, DefaultSharedBytes - entry.SharedBytes) };
        _loaded.Add(entry, loaded);
        return loaded;
    }

    /// <summary>A log as one line.</summary>
    private static string Line(ReadOnlySpan<byte> log)
    {
        var end = log.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? log : log[..end]).Replace("\r", "").Replace('\n', ' ').Trim();
    }

    private sealed class Loaded(nint module, nint function)
    {
        public nint Module { get; } = module;

        public nint Function { get; } = function;

        public int DynamicLimit { get; set; }
    }
}
