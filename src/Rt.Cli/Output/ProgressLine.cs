// Progress of a long piece of work: a bar on a terminal, a plain line every few seconds elsewhere.
using System.Diagnostics;

namespace Rt.Cli.Output;

/// <summary>One line of progress with rate and remaining time.</summary>
internal sealed class ProgressLine : IDisposable
{
    private const int BarWidth = 24;
    private const double TerminalSeconds = 0.1;
    private const double PipedSeconds = 5;

    private readonly TextWriter? _writer;
    private readonly bool _terminal;
    private readonly string _what;
    private readonly string _unit;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Lock _gate = new();
    private double _lastSeconds;
    private bool _drawn;

    /// <param name="writer">Receives the lines; null for none.</param>
    /// <param name="terminal">Whether one line can be drawn again and again.</param>
    /// <param name="what">What is done.</param>
    /// <param name="unit">What is counted; <c>B</c> for bytes.</param>
    public ProgressLine(TextWriter? writer, bool terminal, string what, string unit)
    {
        _writer = writer;
        _terminal = terminal;
        _what = what;
        _unit = unit;
    }

    /// <summary>Tells how far the work is.</summary>
    /// <param name="done">Done so far.</param>
    /// <param name="total">In all; 0 while unknown.</param>
    /// <param name="detail">What is at work now.</param>
    public void Report(long done, long total, string? detail = null)
    {
        if (_writer is null)
        {
            return;
        }

        lock (_gate)
        {
            var seconds = _clock.Elapsed.TotalSeconds;
            if (seconds - _lastSeconds < (_terminal ? TerminalSeconds : PipedSeconds))
            {
                return;
            }

            _lastSeconds = seconds;
            _writer.Write(_terminal ? $"\r{Line(done, total, seconds, detail)}\x1b[K" : Line(done, total, seconds, detail) + Environment.NewLine);
            _writer.Flush();
            _drawn = _terminal;
        }
    }

    /// <summary>Removes the bar.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_drawn)
            {
                _writer!.Write("\r\x1b[K");
                _writer.Flush();
                _drawn = false;
            }
        }
    }

    private string Line(long done, long total, double seconds, string? detail)
    {
        var rate = done / Math.Max(seconds, 1e-9);
        var bytes = _unit == "B";
        var counts = bytes
            ? $"{Text.Bytes(done)}{(total > 0 ? $" of {Text.Bytes(total)}" : "")}, {Text.Bytes((long)rate)}/s"
            : $"{done}{(total > 0 ? $"/{total}" : "")} {_unit}, {Text.Number(rate)} {_unit}/s";
        var left = total > 0 && done > 0 ? $", {Text.Duration((total - done) / rate)} left" : "";
        var bar = _terminal && total > 0
            ? $" [{new string('#', (int)(BarWidth * Math.Min(done, total) / total)).PadRight(BarWidth, '.')}]"
            : ":";
        return $"{_what}{bar} {counts}{left}{(detail is null ? "" : $" ({detail})")}";
    }
}
