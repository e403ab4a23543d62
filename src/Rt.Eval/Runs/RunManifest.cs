// What a run is: written before its first unit, the same in all of its shards.
namespace Rt.Eval;

/// <summary>The model and device of a run, for the reports.</summary>
/// <param name="Name">As given on the command line.</param>
/// <param name="ModelType">Family.</param>
/// <param name="Layers">Blocks.</param>
/// <param name="HiddenSize">Width of the residual stream.</param>
/// <param name="Dtype">Of the weights.</param>
/// <param name="Identity">Digest of the weights and the config.</param>
/// <param name="Device">Device that computed.</param>
/// <param name="ActivationDtype">Of activations.</param>
public sealed record RunModel(
    string Name, string ModelType, int Layers, int HiddenSize, string Dtype, string Identity, string Device, string ActivationDtype);

/// <summary>A task as the reports name it.</summary>
/// <param name="Name">Name.</param>
/// <param name="Group">Family.</param>
/// <param name="Source">Where its examples come from.</param>
/// <param name="Template">How they are put into words.</param>
/// <param name="Separator">Ends every demonstration.</param>
/// <param name="Digest">Hash of its examples.</param>
/// <param name="HasOptions">Whether the answer is one of options.</param>
public sealed record RunTask(string Name, string Group, string Source, string Template, string Separator, string Digest, bool HasOptions);

/// <summary>The manifest of a run.</summary>
public sealed record RunManifest
{
    /// <summary>The format of manifests and unit records.</summary>
    public const string CurrentFormat = "rt-eval-run-1";

    /// <summary>Names the format and its version.</summary>
    public required string Format { get; init; }

    /// <summary>Hash of everything the measurements depend on.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>Version of the program.</summary>
    public required string Version { get; init; }

    /// <summary>The model.</summary>
    public required RunModel Model { get; init; }

    /// <summary>What is measured.</summary>
    public required EvalSettings Settings { get; init; }

    /// <summary>How it is read.</summary>
    public required ReadingSettings Reading { get; init; }

    /// <summary>Tasks, in order; those of conflicting pairs too.</summary>
    public required IReadOnlyList<RunTask> Tasks { get; init; }

    /// <summary>Ids of all units, in order.</summary>
    public required IReadOnlyList<string> Units { get; init; }

    /// <summary>The manifest of a planned run.</summary>
    public static RunManifest Of(EvalPlan plan, RunModel model, EvalSettings settings, ReadingSettings reading, string version) => new()
    {
        Format = CurrentFormat,
        Fingerprint = plan.Fingerprint,
        Version = version,
        Model = model,
        Settings = settings,
        Reading = reading,
        Tasks = [.. plan.Units.SelectMany(unit => unit.Written is null ? [unit.Task] : new[] { unit.Task, unit.Written }).DistinctBy(task => task.Name)
            .Select(task => new RunTask(
                task.Name, task.Group, task.Source, task.Template.Pattern, task.Template.Separator, task.Digest(), task.HasOptions))],
        Units = [.. plan.Units.Select(unit => unit.Id)],
    };
}
