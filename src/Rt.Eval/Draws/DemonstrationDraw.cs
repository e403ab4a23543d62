// Draws of demonstration sets and queries. Sources: arXiv:2305.13016 (stratified), arXiv:2310.15916 (a set per query, dummies).
using System.Text;
using Rt.Core;

namespace Rt.Eval;

/// <summary>Draws demonstration sets.</summary>
/// <remarks>A draw depends on the seed, the task's name and the settings alone: not on the other tasks, nor on the machine.</remarks>
public static class DemonstrationDraw
{
    private const double DevShare = 0.25;

    /// <summary>Draws the sets of one task and seed.</summary>
    /// <remarks>Without a test split a quarter of the inputs is set aside for development queries, so that no input serves both.
    /// Small tasks give fewer queries per set than asked for; what was drawn says how many.</remarks>
    /// <exception cref="UsageException">The task has too few examples.</exception>
    public static IReadOnlyList<DemonstrationSet> Draw(EvalTask task, DrawSettings settings, ulong seed)
    {
        var random = new SeededRandom(Mix(seed, task.Name));
        var train = task.Train.DistinctBy(example => example.Input).ToArray();
        var wantedDummies = Math.Max(settings.Dummies, 1);
        var (devPool, testPool) = Pools(task, settings, train, random);
        var queries = task.Test is not null && settings.Queries == 0 ? testPool.Length : settings.Queries;
        var sets = Math.Max(1, Math.Min(settings.Sets, queries));
        var devEach = Math.Min((settings.Dev + sets - 1) / sets, devPool.Length);
        var room = task.Test is null ? train.Length - settings.Shots - devEach : int.MaxValue;
        var drawn = new List<DemonstrationSet>();
        var (nextQuery, nextDev) = (0, 0);
        for (var i = 0; i < sets; i++)
        {
            var share = queries / sets + (i < queries % sets ? 1 : 0);
            var each = Math.Min(Math.Min(share, testPool.Length), room);
            if (each < 1 || train.Length < settings.Shots + wantedDummies)
            {
                throw new UsageException(
                    $"task '{task.Name}' has {train.Length} inputs: too few for {settings.Shots} shots beside test and development queries");
            }

            var own = Walk(testPool, ref nextQuery, each);
            var dev = Walk(devPool, ref nextDev, devEach);
            drawn.Add(Around(task, train, settings, random, seed, i, own, dev));
        }

        return drawn;
    }

    /// <summary>Draws demonstrations and dummies of another task around given queries, which stay hidden from it.</summary>
    /// <param name="task">Drawn from.</param>
    /// <param name="settings">Numbers.</param>
    /// <param name="around">Whose queries are asked; its development queries too.</param>
    /// <exception cref="UsageException">The task does not hold the queries' inputs, or has too few examples.</exception>
    public static DemonstrationSet DrawAround(EvalTask task, DrawSettings settings, DemonstrationSet around)
    {
        var random = new SeededRandom(Mix(around.Seed, $"{task.Name} around {around.Index}"));
        var byInput = task.Train.DistinctBy(example => example.Input).ToDictionary(example => example.Input);
        return Around(
            task, [.. byInput.Values], settings, random, around.Seed, around.Index,
            [.. around.Queries.Select(query => byInput[query.Input])], [.. around.Dev.Select(query => byInput[query.Input])]);
    }

    /// <summary>The same sets with the outputs of their demonstrations exchanged among each other: a control.</summary>
    /// <remarks>Some output changes place wherever a set has two different ones.</remarks>
    public static DemonstrationSet ShuffleLabels(DemonstrationSet set)
    {
        var outputs = set.Demonstrations.Select(example => example.Output).ToArray();
        var random = new SeededRandom(Mix(set.Seed, $"shuffled labels {set.Index}"));
        var shuffled = outputs;
        while (outputs.Distinct().Count() > 1 && shuffled.SequenceEqual(outputs))
        {
            shuffled = random.Sample(outputs, outputs.Length);
        }

        return set with { Demonstrations = [.. set.Demonstrations.Select((example, i) => example with { Output = shuffled[i] })] };
    }

    /// <summary>The same sets with their demonstrations in another order; order 1 is the drawn one.</summary>
    public static DemonstrationSet Reorder(DemonstrationSet set, int order) => order == 1
        ? set
        : set with { Demonstrations = new SeededRandom(Mix(set.Seed, $"order {order} of {set.Index}")).Sample(set.Demonstrations, set.Demonstrations.Count) };

    private static (EvalExample[] Dev, EvalExample[] Test) Pools(EvalTask task, DrawSettings settings, EvalExample[] train, SeededRandom random)
    {
        var shuffled = random.Sample(train, train.Length);
        if (task.Test is { } test)
        {
            var held = new HashSet<string>(test.Select(example => example.Input));
            return (settings.Dev == 0 ? [] : [.. shuffled.Where(example => !held.Contains(example.Input))], random.Sample(test, test.Count));
        }

        var dev = settings.Dev == 0 ? 0 : (int)Math.Ceiling(DevShare * shuffled.Length);
        return (shuffled[..dev], shuffled[dev..]);
    }

    private static DemonstrationSet Around(
        EvalTask task, EvalExample[] train, DrawSettings settings, SeededRandom random, ulong seed, int index, EvalExample[] queries, EvalExample[] dev)
    {
        var asked = new HashSet<string>(queries.Concat(dev).Select(example => example.Input));
        var free = train.Where(example => !asked.Contains(example.Input)).ToArray();
        if (free.Length < Math.Max(settings.Shots, 1))
        {
            throw new UsageException($"task '{task.Name}': {free.Length} inputs are left for {settings.Shots} shots beside test and development queries");
        }

        var stratified = settings.Kind switch
        {
            DrawKind.Stratified when !task.HasOptions => throw new UsageException($"task '{task.Name}' has no options to stratify by"),
            DrawKind.Auto => task.HasClasses,
            var kind => kind == DrawKind.Stratified,
        };
        return new DemonstrationSet
        {
            Seed = seed,
            Index = index,
            Demonstrations = stratified ? Stratified(free, settings.Shots, random) : random.Sample(free, settings.Shots),
            Dummies = random.Sample(free, Math.Min(Math.Max(settings.Dummies, 1), free.Length)),
            Queries = queries,
            Dev = dev,
        };
    }

    /// <summary>As many of each answer as of any other; what is left over falls to answers drawn at random. Then shuffled.</summary>
    private static EvalExample[] Stratified(EvalExample[] free, int shots, SeededRandom random)
    {
        var classes = free.GroupBy(example => example.Output).Select(group => group.ToArray()).ToArray();
        classes = random.Sample(classes, classes.Length);
        var chosen = new List<EvalExample>();
        var queues = classes.Select(group => new Queue<EvalExample>(random.Sample(group, group.Length))).ToArray();
        while (chosen.Count < shots)
        {
            foreach (var queue in queues)
            {
                if (chosen.Count < shots && queue.TryDequeue(out var example))
                {
                    chosen.Add(example);
                }
            }
        }

        return random.Sample(chosen, chosen.Count);
    }

    /// <summary>The next items of a list that begins again at its end.</summary>
    private static EvalExample[] Walk(EvalExample[] pool, ref int next, int count)
    {
        var items = new EvalExample[count];
        for (var i = 0; i < count; i++)
        {
            items[i] = pool[next++ % pool.Length];
        }

        return items;
    }

    /// <summary>A seed of its own for every seed and name: FNV-1a (Fowler, Noll and Vo) over both.</summary>
    private static ulong Mix(ulong seed, string name)
    {
        const ulong Prime = 0x100000001B3;
        var hash = 0xCBF29CE484222325;
        foreach (var b in BitConverter.GetBytes(seed).Concat(Encoding.UTF8.GetBytes(name)))
        {
            hash = (hash ^ b) * Prime;
        }

        return hash;
    }
}
