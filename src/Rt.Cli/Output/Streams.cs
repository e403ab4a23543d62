// Where a command reads and writes, and whether a person is watching.
namespace Rt.Cli.Output;

/// <summary>Standard streams of a command, possibly redirected by a test.</summary>
internal sealed class Streams(TextWriter output, TextWriter error, TextReader input)
{
    private const int Unlimited = 10_000;

    /// <summary>Data.</summary>
    public TextWriter Out { get; } = output;

    /// <summary>Notes, progress, warnings, errors.</summary>
    public TextWriter Error { get; } = error;

    /// <summary>Text given with `-`.</summary>
    public TextReader In { get; } = input;

    /// <summary>Whether data go to a terminal.</summary>
    public bool OutIsTerminal { get; } = ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected;

    /// <summary>Whether notes go to a terminal.</summary>
    public bool ErrorIsTerminal { get; } = ReferenceEquals(error, Console.Error) && !Console.IsErrorRedirected;

    /// <summary>Whether colours may be used: a terminal, and NO_COLOR unset (no-color.org).</summary>
    public bool Colour => OutIsTerminal && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));

    /// <summary>Columns of the output; wide where nobody watches, so that lines stay whole.</summary>
    public int Width
    {
        get
        {
            try
            {
                return OutIsTerminal && Console.WindowWidth > 20 ? Console.WindowWidth : Unlimited;
            }
            catch (IOException)
            {
                return Unlimited;
            }
        }
    }
}
