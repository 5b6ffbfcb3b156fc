using System.Diagnostics;
using Shop.Host;

namespace Shop.Testing;

/// <summary>
/// The program that tests start: the one they were built with, or the file that <c>SHOP_PROGRAM</c> names.
/// </summary>
internal static class ShopProgram
{
    /// <summary>The file that <c>SHOP_PROGRAM</c> names; null if it names none.</summary>
    public static string? Other { get; } =
        Environment.GetEnvironmentVariable("SHOP_PROGRAM") is { Length: > 0 } file ? Path.GetFullPath(file) : null;

    /// <summary>Whether it is compiled for the processor, and runs without the .NET runtime.</summary>
    public static bool IsNative => Other?.EndsWith(".dll", StringComparison.Ordinal) == false;

    /// <summary>
    /// Turns profile-guided optimization on, as users have it: the settings of the tests turn it off. For a process
    /// whose memory or speed a test judges.
    /// </summary>
    public static (string Name, string Value) ProfileGuided => ("DOTNET_TieredPGO", "1");

    /// <summary>The command that runs it with these arguments.</summary>
    public static string[] Command(params ReadOnlySpan<string> arguments)
    {
        string file = Other ?? typeof(ShopHost).Assembly.Location;
        return file.EndsWith(".dll", StringComparison.Ordinal) ? ["dotnet", file, .. arguments] : [file, .. arguments];
    }

    /// <summary>How to start it with these arguments, its output read by the test.</summary>
    public static ProcessStartInfo Start(params ReadOnlySpan<string> arguments) => Piped(Command(arguments));

    /// <summary>How to start a command, its output read by the test.</summary>
    public static ProcessStartInfo Piped(string[] command) => new(command[0], command[1..])
    {
        UseShellExecute = false,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    };
}
