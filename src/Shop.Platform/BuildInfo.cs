using System.Reflection;
using System.Runtime.InteropServices;

namespace Shop.Platform;

/// <summary>Which build this is.</summary>
/// <param name="Version">Version, as 0.1.0.</param>
/// <param name="Revision">Commit that it was built from, or <c>unknown</c>.</param>
public sealed record BuildInfo(string Version, string Revision)
{
    /// <summary>The .NET that runs it.</summary>
    public string Runtime { get; } = RuntimeInformation.FrameworkDescription;

    /// <summary>Reads the build information of an assembly.</summary>
    public static BuildInfo Of(Assembly assembly)
    {
        string text = assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
            ?? "0.0.0";
        string[] parts = text.Split('+', 2);
        return new BuildInfo(parts[0], parts.Length == 2 ? parts[1] : "unknown");
    }
}
