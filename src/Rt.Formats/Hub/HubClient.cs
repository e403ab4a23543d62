// HTTP access to the hub: listings, small files, and large files with resume and hash check.
// Protocol: huggingface_hub, file_download.py and hf_api.py.
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Rt.Core;

namespace Rt.Formats;

/// <summary>What the hub says of one file.</summary>
/// <param name="Url">Where to ask for its bytes; redirects, whose signatures expire, are followed anew for each try.</param>
/// <param name="ETag">SHA-256 of a large file, git blob hash of a small one; also its name in the cache.</param>
/// <param name="ByteLength">Size in bytes, or null when not said.</param>
internal readonly record struct HubFile(Uri Url, string ETag, long? ByteLength);

/// <summary>Requests to one hub.</summary>
/// <remarks>The token goes to the endpoint's own host only: redirects are followed by hand, since large files lie elsewhere.</remarks>
internal sealed class HubClient : IDisposable
{
    private const int MaxRedirects = 8;
    private const int MaxTries = 4;
    private const int MaxListingBytes = 8 << 20;
    private static readonly TimeSpan StallLimit = TimeSpan.FromSeconds(60);

    private readonly HubSettings _settings;
    private readonly HttpClient _http;

    public HubClient(HubSettings settings)
    {
        _settings = settings;
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, ConnectTimeout = TimeSpan.FromSeconds(30), AutomaticDecompression = DecompressionMethods.None };
        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("rt", "0.1"));
    }

    public void Dispose() => _http.Dispose();

    /// <summary>The bytes of a small document of the hub's interface.</summary>
    /// <exception cref="BadFileException">The hub cannot be reached, refuses, or answers with too much.</exception>
    public async Task<byte[]> GetSmallAsync(HubModel model, string path, CancellationToken cancellation)
    {
        return await Guarded(model, path, cancellation, async token =>
        {
            using var response = await SendAsync(HttpMethod.Get, new Uri(_settings.Endpoint, path), null, token);
            Check(model, path, response);
            await using var body = await response.Content.ReadAsStreamAsync(token);
            using var bytes = new MemoryStream();
            var buffer = new byte[1 << 16];
            while (await ReadAsync(body, buffer, token) is > 0 and var read)
            {
                if (bytes.Length + read > MaxListingBytes)
                {
                    throw new BadFileException($"{model}/{path}", $"expected at most {MaxListingBytes} bytes");
                }

                bytes.Write(buffer, 0, read);
            }

            return bytes.ToArray();
        });
    }

    /// <summary>Asks for a file's hash and size without its bytes.</summary>
    /// <exception cref="BadFileException">The file cannot be reached, or the answer names no usable hash.</exception>
    public async Task<HubFile> HeadAsync(HubModel model, string commit, string name, CancellationToken cancellation)
    {
        return await Guarded(model, name, cancellation, async token =>
        {
            var start = new Uri(_settings.Endpoint, $"{model.Repository}/resolve/{commit}/{name}");
            var url = start;
            string? tag = null;
            long? size = null;
            for (var hops = 0; tag is null; hops++)
            {
                using var response = await SendOnceAsync(HttpMethod.Head, url, null, token);
                // The store behind a redirect to another host has hashes of its own, so the hub's word on the way there counts.
                tag = Header(response, "X-Linked-Etag");
                size = long.TryParse(Header(response, "X-Linked-Size"), NumberStyles.None, CultureInfo.InvariantCulture, out var linked) ? linked : null;
                if (Redirect(url, response, hops) is { } next)
                {
                    url = next;
                    continue;
                }

                Check(model, name, response);
                tag ??= response.Headers.ETag?.Tag ?? "";
                size ??= response.Content.Headers.ContentLength;
            }

            var etag = tag.Replace("W/", "", StringComparison.Ordinal).Trim('"');
            return etag.Length is > 0 and <= 128 && etag.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_')
                ? new HubFile(start, etag, size)
                : throw new BadFileException($"{model}/{name}", $"expected a hash in the ETag, found {MessageText.Quote(etag)}");
        });
    }

    /// <summary>Downloads a file into <paramref name="path"/>, going on where an earlier try left off, and checks size and hash.</summary>
    /// <exception cref="BadFileException">The hub cannot be reached, or the bytes are not those it announced; a wrong file is emptied.</exception>
    public async Task DownloadAsync(HubModel model, string name, HubFile file, string path, IProgress<ByteProgress>? progress, CancellationToken cancellation)
    {
        await Guarded(model, name, cancellation, async token =>
        {
            // Held to the end, so that two downloads do not write the same file.
            await using var output = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1 << 16);
            var resumed = output.Length > 0;
            await FetchAsync(model, name, file, output, progress, token);
            var problem = await ProblemAsync(file, output, token);
            if (problem is not null && resumed)
            {
                // What was left from before may have belonged to something else.
                output.SetLength(0);
                await FetchAsync(model, name, file, output, progress, token);
                problem = await ProblemAsync(file, output, token);
            }

            if (problem is not null)
            {
                output.SetLength(0);
                throw new BadFileException($"{model}/{name}", $"download is damaged: {problem}");
            }

            output.Flush(flushToDisk: true);
            return true;
        });
    }

    private async Task FetchAsync(HubModel model, string name, HubFile file, FileStream output, IProgress<ByteProgress>? progress, CancellationToken cancellation)
    {
        for (var attempt = 1; ; attempt++)
        {
            if (file.ByteLength is { } size && output.Length >= size)
            {
                // All there already, or more than there should be, which the check reports.
                return;
            }

            try
            {
                await FetchOnceAsync(model, name, file, output, progress, cancellation);
                if (file.ByteLength is not { } expected || output.Length >= expected)
                {
                    return;
                }
            }
            catch (Exception e) when (attempt < MaxTries && e is HttpRequestException { StatusCode: null } or HttpIOException or TimeoutException)
            {
                // The connection broke; what has arrived stays.
            }

            if (attempt >= MaxTries)
            {
                throw new BadFileException($"{model}/{name}", $"the connection broke {MaxTries} times; {output.Length} bytes are kept, run again to go on");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100 * attempt * attempt), cancellation);
        }
    }

    private async Task FetchOnceAsync(HubModel model, string name, HubFile file, FileStream output, IProgress<ByteProgress>? progress, CancellationToken cancellation)
    {
        var start = output.Length;
        using var response = await SendAsync(HttpMethod.Get, file.Url, start > 0 ? new RangeHeaderValue(start, null) : null, cancellation);
        if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            output.SetLength(0);
            return;
        }

        Check(model, name, response);
        if (response.StatusCode != HttpStatusCode.PartialContent || response.Content.Headers.ContentRange?.From != start)
        {
            // The server sends the whole file.
            output.SetLength(0);
        }

        output.Seek(0, SeekOrigin.End);
        await using var body = await response.Content.ReadAsStreamAsync(cancellation);
        var buffer = new byte[1 << 18];
        while (await ReadAsync(body, buffer, cancellation) is > 0 and var read)
        {
            if (file.ByteLength is { } size && output.Position + read > size)
            {
                throw new BadFileException($"{model}/{name}", $"the server sends more than the {size} bytes announced");
            }

            await output.WriteAsync(buffer.AsMemory(0, read), cancellation);
            progress?.Report(new ByteProgress(name, output.Position, file.ByteLength ?? 0));
        }

        await output.FlushAsync(cancellation);
    }

    private static async Task<string?> ProblemAsync(HubFile file, FileStream content, CancellationToken cancellation)
    {
        if (file.ByteLength is { } size && content.Length != size)
        {
            return $"expected {size} bytes, found {content.Length}";
        }

        content.Position = 0;
        // 64 digits are SHA-256 of the content, 40 digits git's SHA-1 of "blob LENGTH\0" and the content.
        string hash;
        if (file.ETag.Length == 64)
        {
            hash = Convert.ToHexStringLower(await SHA256.HashDataAsync(content, cancellation));
        }
        else if (HubModel.IsCommit(file.ETag))
        {
#pragma warning disable CA5350 // git names blobs by SHA-1; nothing else is known of small files
            using var sha1 = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
#pragma warning restore CA5350
            sha1.AppendData(Encoding.ASCII.GetBytes($"blob {content.Length}\0"));
            var buffer = new byte[1 << 18];
            while (await content.ReadAsync(buffer, cancellation) is > 0 and var read)
            {
                sha1.AppendData(buffer, 0, read);
            }

            hash = Convert.ToHexStringLower(sha1.GetHashAndReset());
        }
        else
        {
            return null;
        }

        return hash == file.ETag ? null : $"expected hash {file.ETag}, found {hash}";
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, Uri url, RangeHeaderValue? range, CancellationToken cancellation)
    {
        for (var hops = 0; ; hops++)
        {
            var response = await SendOnceAsync(method, url, range, cancellation);
            if (Redirect(url, response, hops) is not { } next)
            {
                return response;
            }

            response.Dispose();
            url = next;
        }
    }

    private async Task<HttpResponseMessage> SendOnceAsync(HttpMethod method, Uri url, RangeHeaderValue? range, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, url);
        request.Headers.Range = range;
        request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));
        if (_settings.Token is not null && url.Host == _settings.Endpoint.Host && url.Port == _settings.Endpoint.Port && url.Scheme == _settings.Endpoint.Scheme)
        {
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {_settings.Token}");
        }

        return await Stalling(token => _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token), cancellation);
    }

    private static Uri? Redirect(Uri from, HttpResponseMessage response, int hops)
    {
        if (response.StatusCode is not (HttpStatusCode.Moved or HttpStatusCode.Found or HttpStatusCode.SeeOther or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect)
            || response.Headers.Location is not { } location)
        {
            return null;
        }

        var next = new Uri(from, location);
        return hops < MaxRedirects && next.Scheme is "https" or "http" && (next.Scheme == "https" || from.Scheme == "http")
            ? next
            : throw new HttpRequestException("the hub redirects in a circle or to an address that is not https");
    }

    private static async Task<int> ReadAsync(Stream body, Memory<byte> buffer, CancellationToken cancellation) =>
        await Stalling(async token => await body.ReadAsync(buffer, token), cancellation);

    private static async Task<T> Stalling<T>(Func<CancellationToken, Task<T>> step, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(StallLimit);
        try
        {
            return await step(limit.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new TimeoutException($"nothing received for {StallLimit.TotalSeconds} seconds");
        }
    }

    private static void Check(HubModel model, string name, HttpResponseMessage response)
    {
        if (!response.IsSuccessStatusCode)
        {
            throw new BadFileException($"{model}/{name}", response.StatusCode switch
            {
                HttpStatusCode.NotFound => "not found on the hub (404): no such repository, revision or file, or a private one without HF_TOKEN",
                HttpStatusCode.Unauthorized => "the hub asks for access (401): set HF_TOKEN, and check the name of the repository",
                HttpStatusCode.Forbidden => "the hub refuses (403): accept the model's terms on its page with the account of HF_TOKEN",
                var code => $"the hub answers {(int)code}",
            });
        }
    }

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? values.First() : null;

    private static async Task<T> Guarded<T>(HubModel model, string name, CancellationToken cancellation, Func<CancellationToken, Task<T>> work)
    {
        try
        {
            return await work(cancellation);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or TimeoutException or UnauthorizedAccessException or UriFormatException or InvalidOperationException)
        {
            throw new BadFileException($"{model}/{name}", $"cannot be downloaded: {e.Message}", e);
        }
    }
}
