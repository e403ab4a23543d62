// A hub on the loopback interface: answers what the real one answers, and misbehaves on request.
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Rt.Formats.Tests;

/// <summary>Serves one repository, <c>org/name</c> at commit <see cref="Commit"/>.</summary>
internal sealed class HubServer : IDisposable
{
    public const string Commit = "0123456789abcdef0123456789abcdef01234567";

    private readonly HttpListener _listener = new();
    private readonly Task _loop;

    public HubServer()
    {
        // The listener cannot pick a free port itself; one that was free a moment ago may be taken, so a few are tried.
        for (var tries = 0; ; tries++)
        {
            using (var probe = new TcpListener(IPAddress.Loopback, 0))
            {
                probe.Start();
                Port = ((IPEndPoint)probe.LocalEndpoint).Port;
            }

            _listener.Prefixes.Clear();
            _listener.Prefixes.Add($"http://127.0.0.1:{Port}/");
            _listener.Prefixes.Add($"http://localhost:{Port}/");
            try
            {
                _listener.Start();
                break;
            }
            catch (HttpListenerException) when (tries < 10)
            {
            }
        }

        _loop = Task.Run(LoopAsync);
    }

    public int Port { get; }

    public Uri Endpoint => new($"http://127.0.0.1:{Port}/");

    public Dictionary<string, byte[]> Files { get; } = [];

    /// <summary>Files that are stored by SHA-256 and served by another host, as large files are.</summary>
    public HashSet<string> Large { get; } = [];

    /// <summary>Requests seen, as "METHOD path [range] [auth]".</summary>
    public List<string> Requests { get; } = [];

    /// <summary>Status for every request, when not null.</summary>
    public int? Status { get; set; }

    /// <summary>How often a body breaks off in the middle before one arrives whole.</summary>
    public int Breaks { get; set; }

    /// <summary>Whether Range is understood.</summary>
    public bool Ranges { get; set; } = true;

    /// <summary>Sent instead of the real bytes of a file, with the real hash.</summary>
    public Dictionary<string, byte[]> Forged { get; } = [];

    public void Dispose()
    {
        _listener.Close();
        _loop.Wait(TimeSpan.FromSeconds(5));
    }

    public static string BlobHash(byte[] bytes) =>
#pragma warning disable CA5350 // git's own names of blobs
        Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {bytes.Length}\0"), .. bytes]));
#pragma warning restore CA5350

    private async Task LoopAsync()
    {
        while (true)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            try
            {
                Answer(context.Request, context.Response);
                context.Response.Close();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException or IOException)
            {
                // The client went away, or the answer was meant to break.
                context.Response.Abort();
            }
        }
    }

    private void Answer(HttpListenerRequest request, HttpListenerResponse response)
    {
        var path = request.RawUrl!;
        lock (Requests)
        {
            Requests.Add(string.Join(' ', new[] { request.HttpMethod, request.UserHostName!.Split(':')[0], path, request.Headers["Range"], request.Headers["Authorization"] }.Where(text => text is not null)));
        }

        if (Status is { } status)
        {
            response.StatusCode = status;
        }
        else if (path.StartsWith("/api/models/org/name/revision/", StringComparison.Ordinal))
        {
            var siblings = string.Join(',', Files.Keys.Select(name => $$"""{"rfilename":"{{name}}"}"""));
            var body = Encoding.UTF8.GetBytes($$"""{"sha":"{{Commit}}","siblings":[{{siblings}}]}""");
            response.ContentLength64 = body.Length;
            response.OutputStream.Write(body);
        }
        else if (path.StartsWith($"/org/name/resolve/{Commit}/", StringComparison.Ordinal) && Files.TryGetValue(path.Split('/')[^1], out var bytes))
        {
            AnswerFile(request, response, path.Split('/')[^1], bytes);
        }
        else if (path.StartsWith("/store/", StringComparison.Ordinal))
        {
            Send(request, response, path.Split('/')[^1]);
        }
        else
        {
            response.StatusCode = 404;
        }
    }

    private void AnswerFile(HttpListenerRequest request, HttpListenerResponse response, string name, byte[] bytes)
    {
        if (Large.Contains(name))
        {
            response.StatusCode = 302;
            response.Headers["X-Linked-Etag"] = $"\"{Convert.ToHexStringLower(SHA256.HashData(bytes))}\"";
            response.Headers["X-Linked-Size"] = bytes.Length.ToString(CultureInfo.InvariantCulture);
            response.Headers["Location"] = $"http://localhost:{Port}/store/{name}";
            return;
        }

        response.Headers["ETag"] = $"W/\"{BlobHash(bytes)}\"";
        Send(request, response, name);
    }

    private void Send(HttpListenerRequest request, HttpListenerResponse response, string name)
    {
        var bytes = Forged.GetValueOrDefault(name, Files[name]);
        var start = 0;
        if (Ranges && request.Headers["Range"] is { } range)
        {
            start = int.Parse(range["bytes=".Length..^1], CultureInfo.InvariantCulture);
            response.StatusCode = 206;
            response.Headers["Content-Range"] = $"bytes {start}-{bytes.Length - 1}/{bytes.Length}";
        }

        response.ContentLength64 = bytes.Length - start;
        if (request.HttpMethod == "HEAD")
        {
            return;
        }

        var length = bytes.Length - start;
        if (Breaks > 0)
        {
            Breaks--;
            response.OutputStream.Write(bytes, start, length / 2);
            response.OutputStream.Flush();
            throw new IOException("broken off on purpose");
        }

        response.OutputStream.Write(bytes, start, length);
    }
}
