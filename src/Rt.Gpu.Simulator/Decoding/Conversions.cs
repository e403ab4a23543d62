// Conversions that are common enough to have a vector form.
using Rt.Gpu.Simulator.Execution;
using unsafe Handler = delegate*<Rt.Gpu.Simulator.Execution.Worker, Rt.Gpu.Simulator.Execution.Instruction*, uint, void>;

namespace Rt.Gpu.Simulator.Decoding;

internal static unsafe class Conversions
{
    /// <summary>A handler for the conversion between slots of these bytes, or null where the general one must do.</summary>
    public static Handler Find(Conversion conversion, int fromBytes, int toBytes, int resultBits) => null;
}
