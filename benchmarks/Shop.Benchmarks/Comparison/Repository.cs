using System.Runtime.InteropServices;

namespace Shop.Benchmarks.Comparison;

/// <summary>Where things are.</summary>
internal static class Repository
{
    public static string Root { get; } = Find(AppContext.BaseDirectory);

    public static string PathOf(params string[] parts) => Path.Combine([Root, .. parts]);

    /// <summary>The program of a project, built for release.</summary>
    public static string Program(params string[] project) =>
        PathOf([.. project, "bin", "Release", "net10.0", $"{project[^1]}.dll"]);

    /// <summary>The native program, published by its profile.</summary>
    public static string NativeProgram { get; } =
        PathOf("publish", $"linux-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}", "Shop.Host");

    private static string Find(string folder) =>
        File.Exists(Path.Combine(folder, "Shop.sln")) ? folder : Find(
            Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("This is no clone of the shop."));
}
