// Where the hub and its cache are, from the environment variables that huggingface_hub reads (its constants.py).
namespace Rt.Formats;

/// <summary>Settings of hub access.</summary>
/// <param name="CacheFolder">The folder that holds models--org--name folders.</param>
/// <param name="Endpoint">Address of the hub.</param>
/// <param name="Token">Access token, sent to the endpoint only; null for none.</param>
/// <param name="Offline">Whether the network is off limits.</param>
public sealed record HubSettings(string CacheFolder, Uri Endpoint, string? Token, bool Offline)
{
    /// <summary>HF_HUB_CACHE, or HF_HOME/hub, or ~/.cache/huggingface/hub; HF_ENDPOINT; HF_TOKEN; HF_HUB_OFFLINE.</summary>
    /// <exception cref="Rt.Core.UsageException">HF_ENDPOINT is no http address.</exception>
    public static HubSettings FromEnvironment()
    {
        var home = Variable("HF_HOME") ?? Path.Combine(
            Variable("XDG_CACHE_HOME") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"), "huggingface");
        var endpoint = Variable("HF_ENDPOINT") ?? "https://huggingface.co";
        return Uri.TryCreate(endpoint.TrimEnd('/') + "/", UriKind.Absolute, out var uri) && uri.Scheme is ("https" or "http")
            ? new HubSettings(
                Variable("HF_HUB_CACHE") ?? Path.Combine(home, "hub"),
                uri,
                Variable("HF_TOKEN"),
                Variable("HF_HUB_OFFLINE")?.ToUpperInvariant() is "1" or "ON" or "YES" or "TRUE")
            : throw new Rt.Core.UsageException($"HF_ENDPOINT: expected an http or https address, found {MessageText.Quote(endpoint)}");
    }

    private static string? Variable(string name) =>
        Environment.GetEnvironmentVariable(name) is { } value && value.Trim() is { Length: > 0 } text ? text : null;
}
