// Reads small JSON files (config, index, tokenizer settings) under guards: size, encoding, depth, duplicate keys.
using System.Text.Json;
using System.Text.Unicode;
using Rt.Core;

namespace Rt.Formats;

/// <summary>Guarded reading of JSON files.</summary>
public static class JsonFile
{
    /// <summary>A bound that ordinary config files stay far below: 4 MiB.</summary>
    public const long ConfigMaxBytes = 4 << 20;

    private const int MaxDepth = 64;

    /// <summary>Reads and parses a file; dispose the result.</summary>
    /// <param name="path">The file; UTF-8, with or without a byte-order mark.</param>
    /// <param name="maxBytes">Longest file accepted.</param>
    /// <exception cref="BadFileException">Missing, too long, not UTF-8, not JSON (the line is named), nested deeper than 64, or a
    /// property that appears twice in one object.</exception>
    public static JsonDocument Read(string path, long maxBytes = ConfigMaxBytes) => Parse(path, ReadBytes(path, maxBytes));

    /// <summary>Reads a file of bounded size.</summary>
    /// <exception cref="BadFileException">Missing, unreadable, no regular file, or longer than <paramref name="maxBytes"/>.</exception>
    public static byte[] ReadBytes(string path, long maxBytes)
    {
        try
        {
            FilePaths.CheckRegular(path);
            using var handle = File.OpenHandle(path);
            var length = RandomAccess.GetLength(handle);
            if (length > maxBytes)
            {
                throw new BadFileException(path, $"expected at most {maxBytes:N0} bytes, found {length:N0}");
            }

            var bytes = new byte[length];
            var read = 0;
            while (read < bytes.Length && RandomAccess.Read(handle, bytes.AsSpan(read), read) is > 0 and var count)
            {
                read += count;
            }

            return read == bytes.Length ? bytes : throw new BadFileException(path, "the file was cut while it was read");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new BadFileException(path, $"cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Parses bytes under the same guards; <paramref name="path"/> is for messages.</summary>
    /// <exception cref="BadFileException">As for <see cref="Read"/>.</exception>
    public static JsonDocument Parse(string path, ReadOnlyMemory<byte> json)
    {
        if (json.Span.StartsWith("\uFEFF"u8))
        {
            json = json[3..];
        }

        if (!Utf8.IsValid(json.Span))
        {
            throw new BadFileException(path, "expected UTF-8, found other bytes");
        }

        try
        {
            return JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = MaxDepth, AllowDuplicateProperties = false });
        }
        catch (JsonException e)
        {
            throw new BadFileException(path, Problem(json.Span, e), e);
        }
        catch (InvalidOperationException e)
        {
            throw new BadFileException(path, "a property name holds an incomplete surrogate pair", e);
        }
    }

    // The parser's own message quotes the file without bound and calls lines from zero, so the place is put into words here.
    private static string Problem(ReadOnlySpan<byte> json, JsonException e)
    {
        if (e.LineNumber is { } line)
        {
            return $"not valid JSON (or nested deeper than {MaxDepth}) at line {line + 1}, byte {e.BytePositionInLine + 1}";
        }

        try
        {
            return DuplicateName(json) is { } name ? $"field {MessageText.Quote(name)} appears twice" : "a field appears twice";
        }
        catch (InvalidOperationException)
        {
            return "a field appears twice, and a property name holds an incomplete surrogate pair";
        }
    }

    private static string? DuplicateName(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
        var open = new Stack<HashSet<string>>();
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject:
                    open.Push(new HashSet<string>(StringComparer.Ordinal));
                    break;
                case JsonTokenType.EndObject:
                    open.Pop();
                    break;
                case JsonTokenType.PropertyName when !open.Peek().Add(reader.GetString()!):
                    return reader.GetString();
            }
        }

        return null;
    }
}
