// Entries whose names meet: a catalog finds an entry by its name, so each may exist once.
using System.Collections.Immutable;

namespace Rt.Gpu.Compiler;

/// <summary>Names that more than one entry has, and the report for each entry after the first.</summary>
internal sealed record DuplicateEntries(EquatableArray<string> Names, EquatableArray<DiagnosticModel> Diagnostics)
{
    /// <summary>The duplicates among all entries. Names that differ in case alone would share one generated file, and count as one.</summary>
    public static DuplicateEntries Of(ImmutableArray<EntryPlace> places)
    {
        var first = new Dictionary<string, EntryPlace>(StringComparer.OrdinalIgnoreCase);
        var names = new SortedSet<string>(StringComparer.Ordinal);
        var diagnostics = new List<DiagnosticModel>();
        foreach (var place in places)
        {
            if (!first.TryGetValue(place.Name, out var other))
            {
                first.Add(place.Name, place);
                continue;
            }

            names.Add(place.Name);
            names.Add(other.Name);
            diagnostics.Add(place.Diagnostic with { Arguments = new EquatableArray<string>([place.Name, other.Method, place.Method]) });
        }

        return new DuplicateEntries(new EquatableArray<string>([.. names]), new EquatableArray<DiagnosticModel>([.. diagnostics]));
    }
}
