// Tables of text.
using Spectre.Console;

namespace Rt.Cli.Output;

/// <summary>A table: header and rows of text. Columns whose header starts with '>' are aligned right.</summary>
internal sealed class TextTable
{
    private readonly Table _table = new Table().Border(TableBorder.Simple);

    /// <param name="headers">Column headers.</param>
    public TextTable(params ReadOnlySpan<string> headers)
    {
        foreach (var header in headers)
        {
            var right = header.StartsWith('>');
            var column = new TableColumn(new Spectre.Console.Text(right ? header[1..] : header)).NoWrap();
            _table.AddColumn(right ? column.RightAligned() : column.LeftAligned());
        }
    }

    /// <summary>Adds a row.</summary>
    public void Add(params string[] cells) => Add(false, cells);

    /// <summary>Adds a row, marked where it is bad.</summary>
    public void Add(bool bad, string[] cells)
    {
        var style = bad ? new Style(Color.Red) : Style.Plain;
        _table.AddRow(cells.Select(cell => new Spectre.Console.Text(Visible(cell), style)));
    }

    /// <summary>Writes the table.</summary>
    public void Write(Streams streams)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = streams.Colour ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = streams.Colour ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(streams.Out),
            Enrichment = new ProfileEnrichment { UseDefaultEnrichers = false },
        });
        console.Profile.Width = streams.Width;
        console.Write(_table);
    }

    /// <summary>Control characters, which would break the table or the terminal, as escapes.</summary>
    private static string Visible(string cell) => cell.Any(char.IsControl)
        ? string.Concat(cell.Select(c => c == '\n' ? "\\n" : char.IsControl(c) ? $"\\u{(int)c:x4}" : c.ToString()))
        : cell;
}
