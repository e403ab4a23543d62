// The algorithmic tasks of the task-vector paper, generated. Source: arXiv:2310.15916 and its published code.
namespace Rt.Eval;

/// <summary>Tasks that are rules.</summary>
internal static class AlgorithmicTasks
{
    private const ulong ListSeed = 2310_15916;
    private const int Lists = 500;
    private const int LetterCount = 26;

    /// <summary>Name and examples of every task.</summary>
    public static IReadOnlyDictionary<string, Func<IReadOnlyList<EvalExample>>> All { get; } = new Dictionary<string, Func<IReadOnlyList<EvalExample>>>
    {
        ["next_letter"] = () => Letters(0, 25, letter => (char)(letter + 1)),
        ["prev_letter"] = () => Letters(1, 26, letter => (char)(letter - 1)),
        ["to_upper"] = () => Letters(0, 26, char.ToUpperInvariant),
        ["to_lower"] = () => [.. Letters(0, 26, char.ToUpperInvariant).Select(pair => new EvalExample(pair.Output, pair.Input))],
        ["list_first"] = () => [.. RandomLists().Select(list => new EvalExample(Join(list), $"{list[0]}"))],
        ["list_last"] = () => [.. RandomLists().Select(list => new EvalExample(Join(list), $"{list[^1]}"))],
    };

    private static EvalExample[] Letters(int from, int to, Func<char, char> rule) =>
        [.. Enumerable.Range(from, to - from).Select(i => (char)('a' + i)).Select(letter => new EvalExample($"{letter}", $"{rule(letter)}"))];

    /// <summary>Different lists of two to four letters, the same for every task over lists.</summary>
    private static List<char[]> RandomLists()
    {
        var random = new SeededRandom(ListSeed);
        var lists = new List<char[]>();
        var seen = new HashSet<string>();
        while (lists.Count < Lists)
        {
            var list = new char[2 + random.Next(3)];
            for (var i = 0; i < list.Length; i++)
            {
                list[i] = (char)('a' + random.Next(LetterCount));
            }

            if (seen.Add(Join(list)))
            {
                lists.Add(list);
            }
        }

        return lists;
    }

    private static string Join(char[] list) => string.Join(',', list);
}
