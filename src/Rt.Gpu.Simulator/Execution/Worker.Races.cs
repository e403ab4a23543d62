// Races in global memory, between groups of a launch and between threads of a group.
using Rt.Gpu.Simulator.Memory;

namespace Rt.Gpu.Simulator.Execution;

internal sealed unsafe partial class Worker
{
    private bool TryReadRun(Instruction* i, ulong address, Allocation* allocation, long offset, int bytes) => true;

    private bool TryReadOne(Instruction* i, ulong address, Allocation* allocation, long offset, int bytes) => true;

    private bool TryWriteRun(Instruction* i, ulong address, Allocation* allocation, long offset, int bytes) => true;

    private void ReadLane(Instruction* i, int lane, Allocation* allocation, long offset, int bytes)
    {
    }

    private void WriteLane(Instruction* i, int lane, Allocation* allocation, long offset, int bytes)
    {
    }
}
