// What the simulator reports: text it refuses and faults of a running kernel, each with the place.
namespace Rt.Gpu.Simulator;

/// <summary>PTX that the simulator refuses, a launch outside the limits, or a fault of a running kernel.</summary>
public sealed class SimulatorException : Exception
{
    /// <summary>Refused text or a refused launch.</summary>
    /// <param name="problem">What was expected and what was found.</param>
    /// <param name="ptxLine">Line of the PTX text, from 1; 0 when it is not about one.</param>
    public SimulatorException(string problem, int ptxLine = 0)
        : base(ptxLine > 0 ? $"PTX line {ptxLine}: {problem}" : problem)
    {
        Problem = problem;
        PtxLine = ptxLine;
    }

    internal SimulatorException(string problem, int ptxLine, string instruction, string? source, int group, int thread, string place)
        : base($"{problem}; at PTX line {ptxLine} \"{instruction}\"{(source is null ? "" : $", {source}")}, {place}")
    {
        Problem = problem;
        PtxLine = ptxLine;
        Source = source;
        GroupIndex = group;
        ThreadIndex = thread;
    }

    /// <summary>What was expected and what was found, without the place.</summary>
    public string Problem { get; }

    /// <summary>Line of the PTX text, from 1; 0 when it is not about one.</summary>
    public int PtxLine { get; }

    /// <summary>Linear index of the group at fault; -1 when no kernel ran.</summary>
    public int GroupIndex { get; } = -1;

    /// <summary>Index of the thread in its group; -1 when no kernel ran.</summary>
    public int ThreadIndex { get; } = -1;
}
