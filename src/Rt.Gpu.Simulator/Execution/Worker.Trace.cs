// Writes down the steps of one thread.
using System.Globalization;
using Rt.Gpu.Simulator.Decoding;

namespace Rt.Gpu.Simulator.Execution;

internal sealed unsafe partial class Worker
{
    private int _steps;

    /// <summary>The bit of the lane that is followed in this warp; 0 for none.</summary>
    private uint FollowedLane(Warp warp) =>
        _launch.Trace is { } trace && trace.Group == Group && trace.Thread >> 5 == warp.Index && _steps < trace.MaxSteps ? 1u << (trace.Thread & 31) : 0;

    /// <summary>Runs an instruction and writes down what it did to the followed lane.</summary>
    private void Follow(Instruction* i, uint mask)
    {
        var line = _program.Lines[i->Index];
        int lane = _launch.Trace!.Thread & 31;
        string before = Values(line.Reads, lane);
        i->Handler(this, i, mask);
        if (line.Kind == InstructionKind.None || _steps++ >= _launch.Trace.MaxSteps)
        {
            return;
        }
        string after = Values(line.Writes, lane);
        string arrow = after.Length > 0 ? " -> " : "";
        _launch.Trace.Write($"{line.Line}: {line.Text}  [{before}{arrow}{after}] {line.Source}".TrimEnd());
    }

    private string Values(RegisterPlace[] registers, int lane) => string.Join(", ", registers.Select(register => $"{register.Name} = {Value(register, lane)}"));

    private string Value(RegisterPlace register, int lane) => (register.Type, register.Bits) switch
    {
        (_, 1) => (Predicates[register.Place] >> lane & 1) != 0 ? "true" : "false",
        (".f32", _) => ((float*)(Registers + register.Place))[lane].ToString("R", CultureInfo.InvariantCulture),
        (".f64", _) => ((double*)(Registers + register.Place))[lane].ToString("R", CultureInfo.InvariantCulture),
        (_, 64) => $"0x{((ulong*)(Registers + register.Place))[lane]:x}",
        _ => $"0x{((uint*)(Registers + register.Place))[lane]:x}",
    };
}
