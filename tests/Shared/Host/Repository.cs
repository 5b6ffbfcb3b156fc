namespace Shop.Testing;

/// <summary>The files of this repository.</summary>
internal static class Repository
{
    public static string Root { get; } = Find(AppContext.BaseDirectory);

    public static string PathOf(params string[] parts) => Path.Combine([Root, .. parts]);

    public static string Text(params string[] parts) => File.ReadAllText(PathOf(parts));

    private static string Find(string folder) =>
        File.Exists(Path.Combine(folder, "Shop.sln")) ? folder : Find(Path.GetDirectoryName(folder)!);
}
