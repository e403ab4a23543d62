// Kinds of options, and the parsers of their values.
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Rt.Core;

namespace Rt.Cli;

/// <summary>Makes options that check their values.</summary>
internal static class OptionKinds
{
    /// <summary>An option for a finite number, written with a point.</summary>
    public static Option<double> Number(string name, string description, double defaultValue) => new(name)
    {
        Description = description,
        DefaultValueFactory = _ => defaultValue,
        CustomParser = ParseNumber,
        HelpName = "X",
    };

    /// <summary>An option for a whole number of at least <paramref name="min"/>.</summary>
    public static Option<int> Whole(string name, string description, int defaultValue, int min = 0)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => defaultValue, HelpName = "N" };
        option.Validators.Add(result =>
        {
            if (result.Errors.Any() || result.Tokens.Count == 0)
            {
                return;
            }

            if (!int.TryParse(result.Tokens[0].Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) || value < min)
            {
                result.AddError($"{name}: expected a whole number of at least {min}, found '{result.Tokens[0].Value}'");
            }
        });
        return option;
    }

    /// <summary>An option that may be given several times, and holds lists.</summary>
    public static Option<string[]> List(string name, string description, string defaultValue) => new(name)
    {
        Description = description,
        HelpName = "LIST",
        AllowMultipleArgumentsPerToken = false,
        DefaultValueFactory = _ => [defaultValue],
    };

    /// <summary>An option that may be given several times.</summary>
    public static Option<string[]> Several(string name, string description, string helpName) => new(name)
    {
        Description = description + " (may be repeated)",
        HelpName = helpName,
        AllowMultipleArgumentsPerToken = false,
        DefaultValueFactory = _ => [],
    };

    /// <summary>Token ids separated by commas or spaces.</summary>
    /// <exception cref="UsageException">Something else.</exception>
    public static int[] TokenIds(string text)
    {
        var parts = text.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var ids = new int[parts.Length];
        for (var i = 0; i < ids.Length; i++)
        {
            if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out ids[i]))
            {
                throw new UsageException($"--token-ids: expected numbers separated by commas, found '{parts[i]}'");
            }
        }

        return ids.Length > 0 ? ids : throw new UsageException("--token-ids: expected at least one token id, found none");
    }

    /// <summary>A set of layers such as <c>0-5,8</c>.</summary>
    /// <param name="text">The set.</param>
    /// <param name="layers">Layers of the model.</param>
    /// <exception cref="UsageException">Malformed, or a layer does not exist.</exception>
    public static IReadOnlySet<int> Layers(string text, int layers)
    {
        var set = new SortedSet<int>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            var ends = part.Split('-');
            if (ends.Length > 2 || !int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
                || !int.TryParse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out var last) || first > last || last >= layers)
            {
                throw new UsageException($"layers '{text}': expected a list such as 0-5,8 within 0 to {layers - 1}, found '{part}'");
            }

            set.UnionWith(Enumerable.Range(first, last - first + 1));
        }

        return set;
    }

    private static double ParseNumber(ArgumentResult result)
    {
        if (double.TryParse(result.Tokens[0].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value))
        {
            return value;
        }

        result.AddError($"{(result.Parent as OptionResult)?.Option.Name}: expected a number such as 0.01, found '{result.Tokens[0].Value}'");
        return 0;
    }
}
