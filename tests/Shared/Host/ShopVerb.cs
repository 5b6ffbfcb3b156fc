using System.Diagnostics;

namespace Shop.Testing;

/// <summary>A verb of the program, run to its end.</summary>
internal static class ShopVerb
{
    /// <returns>Its exit code, and all that it printed.</returns>
    public static async Task<(int Code, string Output)> RunAsync(params string[] arguments)
    {
        using var process = Process.Start(ShopProgram.Start(arguments))!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + await errors);
    }
}
