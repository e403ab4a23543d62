// The errors a user can cause or meet. Each carries the exit code of the command line.
namespace Rt.Core;

/// <summary>An error with a one-line message for the user and the exit code that `rt` ends with.</summary>
public abstract class RtException(string message, int exitCode, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Exit code of `rt`: 2 usage, 3 bad file, 4 unsupported, 5 device, 6 numerics.</summary>
    public int ExitCode { get; } = exitCode;
}

/// <summary>The call is wrong: an unknown option, a prompt longer than the positions, a layer that does not exist. Exit code 2.</summary>
public sealed class UsageException(string message, Exception? inner = null) : RtException(message, 2, inner);

/// <summary>A model or data file is missing or malformed. Exit code 3.</summary>
/// <remarks>The message names the file, the tensor or field, what was expected and what was found.</remarks>
public sealed class BadFileException(string file, string problem, Exception? inner = null)
    : RtException($"{file}: {problem}", 3, inner)
{
    /// <summary>The file or folder at fault.</summary>
    public string File { get; } = file;
}

/// <summary>The files are sound but name an architecture, rope type or key that this runtime does not compute. Exit code 4.</summary>
public sealed class UnsupportedModelException(string message) : RtException(message, 4);

/// <summary>A device is absent, failed, or ran out of memory. Exit code 5.</summary>
public sealed class DeviceException(string message, Exception? inner = null) : RtException(message, 5, inner);

/// <summary>Results differ from the reference by more than the tolerance. Exit code 6.</summary>
public sealed class NumericsException(string message) : RtException(message, 6);

/// <summary>Two tensors of an op do not fit together; a mistake in the calling code, not of a user.</summary>
public sealed class ShapeException(string message) : Exception(message);
