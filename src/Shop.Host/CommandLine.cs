using Shop.Platform;
using Shop.Platform.Requests;

namespace Shop.Host;

/// <summary>The arguments of the program: help, version, a verb, and settings as <c>--Shop:Orders:Port=0</c>.</summary>
internal static class CommandLine
{
    // The shop's own settings, connection strings, and logging. Any other has no effect, so it must be a mistake.
    private static readonly string[] Sections = ["Shop:", "ConnectionStrings:", "Logging:"];

    public static bool AsksForHelp(string[] args) => args.Any(arg => arg is "--help" or "-h" or "-?");

    public static bool AsksForVersion(string[] args) => args.Contains("--version");

    public static int PrintHelp()
    {
        Console.WriteLine("""
            A small e-commerce back end that is built to be watched.

              Shop.Host [settings]                    runs the shop until Ctrl-C
            """);
        foreach (Verb verb in Verb.All)
            Console.WriteLine($"  {$"Shop.Host {verb.Name} {verb.Arguments}",-38}  {verb.Summary}");
        Console.WriteLine("""
              Shop.Host --help, --version             prints this, or the version

            A setting is an argument as --Shop:Orders:Port=6002, or an environment variable as Shop__Orders__Port=6002.
            Logging:LogLevel:Default (Information, Warning, …) says how much is logged.
            README.md explains each of the others:

            """);
        foreach (string key in ShopSettings.Keys([.. ShopHost.Modules().Select(module => module.Identity)]))
            Console.WriteLine($"  {key}");
        return 0;
    }

    public static int PrintVersion()
    {
        var build = BuildInfo.Of(typeof(ShopHost).Assembly);
        Console.WriteLine($"Shop {build.Version} (revision {build.Revision}, {build.Runtime})");
        return 0;
    }

    /// <summary>An argument for a message: an address without what may be a password.</summary>
    public static string Shown(string argument) =>
        argument.IndexOf("://", StringComparison.Ordinal) is >= 0 and int at ? $"{argument[..at]}://…" : argument;

    /// <summary>
    /// Refuses an argument that is not a setting with a value. Names of settings are checked when they are read.
    /// </summary>
    /// <exception cref="ShopStartException">
    /// There is such an argument. The message leaves out its value: it may be a key.
    /// </exception>
    public static void Check(string[] args)
    {
        for (int i = 0; i < args.Length; i++)
        {
            string name = args[i].Split('=', 2)[0];
            string key = name.TrimStart('-');
            if (!name.StartsWith("--", StringComparison.Ordinal)
                || !Sections.Any(section => key.StartsWith(section, StringComparison.OrdinalIgnoreCase)))
            {
                IReadOnlyCollection<string> known = ShopSettings.Keys(
                    [.. ShopHost.Modules().Select(module => module.Identity)]);
                string? meant = NameSuggestion.Nearest(key, known) ?? NameSuggestion.Nearest($"Shop:{key}", known);
                string hint = meant is null ? "a setting looks like --Shop:Orders:Port=6002"
                    : $"did you mean --{meant}?";
                throw new ShopStartException($"'{Shown(name)}' is not a setting; {hint} (--help lists them)");
            }

            if (args[i].Contains('=')) continue;
            if (++i == args.Length || args[i].StartsWith("--", StringComparison.Ordinal))
                throw new ShopStartException($"{key} has no value: write {name}=value");
        }
    }
}
