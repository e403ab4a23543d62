// From what the user calls a model to the folder that holds it.
using Rt.Core;
using Rt.Formats;

namespace Rt.Cli;

/// <summary>Finds models.</summary>
internal static class ModelFolder
{
    /// <summary>The folder of a model: a folder wins over a name; a name is looked up in the Hugging Face cache and downloaded when absent.</summary>
    /// <param name="model">A folder, or org/name[@revision].</param>
    /// <param name="progress">Told as bytes arrive.</param>
    /// <param name="cancellation">Stops a download; what has arrived is kept for the next time.</param>
    /// <exception cref="BadFileException">Neither a folder nor a name, or the download failed.</exception>
    public static async Task<string> ResolveAsync(string model, IProgress<ByteProgress>? progress, CancellationToken cancellation)
    {
        if (Directory.Exists(model))
        {
            return model;
        }

        if (!HubModel.IsName(model))
        {
            throw new BadFileException(model, "expected a model folder or org/name[@revision], found nothing");
        }

        using var hub = new HubCache(HubSettings.FromEnvironment());
        return await hub.ResolveAsync(model, progress, cancellation);
    }
}
