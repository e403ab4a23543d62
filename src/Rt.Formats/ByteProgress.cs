// How far a long transfer or conversion has come.
namespace Rt.Formats;

/// <summary>Progress of a transfer.</summary>
/// <param name="Name">The file or tensor being worked on.</param>
/// <param name="Done">Bytes done.</param>
/// <param name="Total">Bytes in all; 0 while unknown.</param>
public readonly record struct ByteProgress(string Name, long Done, long Total);
