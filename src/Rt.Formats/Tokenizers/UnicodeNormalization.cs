// NFC, NFD, NFKC and NFKD of UTF-8 text. .NET leaves text as it is in invariant globalization mode, so they are written out here.
// Source: Unicode Standard Annex 15 and chapter 3.12 (Hangul); tables made by generate_unicode_normalization.py.
using System.Buffers.Binary;

namespace Rt.Formats.Tokenizers;

/// <summary>The four normalization forms, with tables of one Unicode version that are part of the program.</summary>
internal static class UnicodeNormalization
{
    private const int HangulBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TrailBase = 0x11A7;
    private const int LeadCount = 19, VowelCount = 21, TrailCount = 28, HangulCount = LeadCount * VowelCount * TrailCount;

    // Below this code point every character is its own NFC and begins a new composition.
    private const int FirstComposing = 0x300;

    private static readonly Lazy<Tables> Loaded = new(Tables.Load);

    /// <summary>The Unicode version of the tables, such as 14.0.0.</summary>
    public static Version Version => Loaded.Value.Version;

    /// <summary>Appends the chosen form of sound UTF-8 text.</summary>
    /// <param name="text">The text, UTF-8.</param>
    /// <param name="compatibility">True for the K forms.</param>
    /// <param name="compose">True for the C forms.</param>
    /// <param name="output">Receives the normalized text.</param>
    public static void Normalize(ReadOnlySpan<byte> text, bool compatibility, bool compose, SpanList<byte> output)
    {
        if (IsUnchanged(text, compatibility, compose))
        {
            output.AddRange(text);
            return;
        }

        Tables tables = Loaded.Value;
        var points = new SpanList<int>(text.Length);
        var classes = new SpanList<byte>(text.Length);
        for (int i = 0; i < text.Length;)
        {
            Decompose(UnicodeText.CodePointAt(text, i, out int length), compatibility, tables, points, classes);
            i += length;
        }

        Reorder(points.Span, classes.Span);
        ReadOnlySpan<int> result = compose ? Compose(points.Span, classes.Span, tables) : points.Span;
        foreach (int point in result)
        {
            UnicodeText.Append(output, point);
        }
    }

    private static bool IsUnchanged(ReadOnlySpan<byte> text, bool compatibility, bool compose)
    {
        // U+0300 begins with 0xCC: a text without higher lead bytes is NFC as it stands. The other forms change Latin-1.
        return compose && !compatibility
            ? !text.ContainsAnyInRange((byte)0xCC, (byte)0xFF)
            : System.Text.Ascii.IsValid(text);
    }

    private static void Decompose(int point, bool compatibility, Tables tables, SpanList<int> points, SpanList<byte> classes)
    {
        int hangul = point - HangulBase;
        if ((uint)hangul < HangulCount)
        {
            points.Add(LeadBase + (hangul / (VowelCount * TrailCount)));
            points.Add(VowelBase + (hangul % (VowelCount * TrailCount) / TrailCount));
            if (hangul % TrailCount != 0)
            {
                points.Add(TrailBase + (hangul % TrailCount));
            }

            classes.Extend(points.Count - classes.Count).Clear();
            return;
        }

        ReadOnlySpan<int> parts = tables.Decomposition(point, compatibility);
        if (parts.IsEmpty)
        {
            points.Add(point);
            classes.Add(tables.CombiningClass(point));
            return;
        }

        foreach (int part in parts)
        {
            points.Add(part);
            classes.Add(tables.CombiningClass(part));
        }
    }

    // Canonical ordering: each run of marks (class above 0) is sorted by class, equal classes in their order.
    private static void Reorder(Span<int> points, Span<byte> classes)
    {
        for (int start = 0; start < points.Length;)
        {
            if (classes[start] == 0)
            {
                start++;
                continue;
            }

            int end = start + 1;
            bool sorted = true;
            for (; end < points.Length && classes[end] != 0; end++)
            {
                sorted &= classes[end] >= classes[end - 1];
            }

            if (!sorted)
            {
                SortRun(points[start..end], classes[start..end]);
            }

            start = end;
        }
    }

    private static void SortRun(Span<int> points, Span<byte> classes)
    {
        var keys = new long[points.Length];
        for (int i = 0; i < keys.Length; i++)
        {
            keys[i] = ((long)classes[i] << 32) | (uint)i;
        }

        Array.Sort(keys);
        int[] before = points.ToArray();
        for (int i = 0; i < keys.Length; i++)
        {
            points[i] = before[(int)(keys[i] & int.MaxValue)];
            classes[i] = (byte)(keys[i] >> 32);
        }
    }

    private static ReadOnlySpan<int> Compose(Span<int> points, Span<byte> classes, Tables tables)
    {
        int written = 0, starter = -1;
        int lastClass = -1;
        for (int i = 0; i < points.Length; i++)
        {
            int point = points[i];
            int pointClass = classes[i];

            // A mark is blocked from the starter by a mark of its own or a higher class between them.
            if (starter >= 0 && lastClass < pointClass && tables.Composite(points[starter], point) is int composite and >= 0)
            {
                points[starter] = composite;
                continue;
            }

            if (pointClass == 0)
            {
                starter = written;
                lastClass = -1;
            }
            else
            {
                lastClass = pointClass;
            }

            points[written++] = point;
        }

        return points[..written];
    }

    private sealed class Tables
    {
        private const int PageBits = 8, PageSize = 1 << PageBits;
        private readonly byte[]?[] _classPages = new byte[0x110000 >> PageBits][];
        private readonly ushort[]?[] _canonicalPages = new ushort[0x110000 >> PageBits][];
        private readonly ushort[]?[] _compatibilityPages = new ushort[0x110000 >> PageBits][];
        private readonly List<int[]> _decompositions = [[]];
        private readonly Dictionary<long, int> _composites = [];

        public Version Version { get; private init; } = new();

        public byte CombiningClass(int point) =>
            point < FirstComposing ? (byte)0 : _classPages[point >> PageBits]?[point & (PageSize - 1)] ?? 0;

        public ReadOnlySpan<int> Decomposition(int point, bool compatibility)
        {
            if (point < 0x80)
            {
                return [];
            }

            int index = compatibility ? _compatibilityPages[point >> PageBits]?[point & (PageSize - 1)] ?? 0 : 0;
            if (index == 0)
            {
                index = _canonicalPages[point >> PageBits]?[point & (PageSize - 1)] ?? 0;
            }

            return _decompositions[index];
        }

        public int Composite(int first, int second)
        {
            if (second < FirstComposing)
            {
                return -1;
            }

            int lead = first - LeadBase, vowel = second - VowelBase;
            if ((uint)lead < LeadCount && (uint)vowel < VowelCount)
            {
                return HangulBase + (((lead * VowelCount) + vowel) * TrailCount);
            }

            int syllable = first - HangulBase, trail = second - TrailBase;
            if ((uint)syllable < HangulCount && syllable % TrailCount == 0 && trail is > 0 and < TrailCount)
            {
                return first + trail;
            }

            return _composites.TryGetValue(((long)first << 32) | (uint)second, out int composite) ? composite : -1;
        }

        public static Tables Load()
        {
            using Stream stream = typeof(Tables).Assembly.GetManifestResourceStream("unicode-normalization.bin")
                ?? throw new InvalidOperationException("the program was built without unicode-normalization.bin");
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            if (!bytes.AsSpan(0, 4).SequenceEqual("UNRM"u8))
            {
                throw new InvalidOperationException("unicode-normalization.bin does not begin with UNRM");
            }

            var tables = new Tables { Version = new Version(bytes[4], bytes[5], bytes[6]) };
            int position = 8;
            for (int count = ReadCount(bytes, ref position); count > 0; count--)
            {
                int point = ReadPoint(bytes, ref position);
                (tables._classPages[point >> PageBits] ??= new byte[PageSize])[point & (PageSize - 1)] = bytes[position++];
            }

            tables.ReadDecompositions(bytes, ref position, tables._canonicalPages);
            tables.ReadDecompositions(bytes, ref position, tables._compatibilityPages);
            for (int count = ReadCount(bytes, ref position); count > 0; count--)
            {
                long first = ReadPoint(bytes, ref position);
                uint second = (uint)ReadPoint(bytes, ref position);
                tables._composites[(first << 32) | second] = ReadPoint(bytes, ref position);
            }

            return tables;
        }

        private void ReadDecompositions(byte[] bytes, ref int position, ushort[]?[] pages)
        {
            for (int count = ReadCount(bytes, ref position); count > 0; count--)
            {
                int point = ReadPoint(bytes, ref position);
                var parts = new int[bytes[position++]];
                for (int i = 0; i < parts.Length; i++)
                {
                    parts[i] = ReadPoint(bytes, ref position);
                }

                (pages[point >> PageBits] ??= new ushort[PageSize])[point & (PageSize - 1)] = checked((ushort)_decompositions.Count);
                _decompositions.Add(parts);
            }
        }

        private static int ReadCount(byte[] bytes, ref int position)
        {
            position += 4;
            return BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(position - 4));
        }

        private static int ReadPoint(byte[] bytes, ref int position)
        {
            position += 3;
            return bytes[position - 3] | (bytes[position - 2] << 8) | (bytes[position - 1] << 16);
        }
    }
}
