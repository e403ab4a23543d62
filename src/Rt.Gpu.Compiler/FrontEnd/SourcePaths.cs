// Paths of source files as they appear in PTX and in catalogs.
namespace Rt.Gpu.Compiler.FrontEnd;

/// <param name="root">Folder that paths are relative to; empty for file names only.</param>
internal readonly record struct SourcePaths(string Root)
{
    public string Relative(string path)
    {
        path = path.Replace('\\', '/');
        var root = Root.Replace('\\', '/').TrimEnd('/');
        return root.Length > 0 && path.StartsWith(root + "/", StringComparison.Ordinal)
            ? path.Substring(root.Length + 1)
            : path.Substring(path.LastIndexOf('/') + 1);
    }
}
