using Shop.Platform;
using Shop.Platform.Modules;

namespace Shop.Host;

/// <summary>Limits the time that the shop takes to stop, whatever its disk does.</summary>
internal static class Shutdown
{
    /// <summary>
    /// Aborts requests that still run some time after the shop was told to stop. The databases need the rest of the
    /// time.
    /// </summary>
    public static void SetShutdownTimeout(this WebApplicationBuilder builder, ShopSettings settings) =>
        builder.Services.Configure<HostOptions>(options =>
            options.ShutdownTimeout = TimeSpan.FromSeconds(Math.Min(3, settings.RequestTimeout.TotalSeconds / 4)));

    /// <summary>
    /// Ends the process at 0.8 of <see cref="ShopSettings.RequestTimeout"/> after it was told to stop: Docker kills a
    /// container after 10 s, the default.
    /// </summary>
    public static void ExitAfterShutdownTimeout(this WebApplication shop)
    {
        TimeSpan bound = shop.Services.GetRequiredService<ShopSettings>().RequestTimeout * 0.8;
        shop.Lifetime.ApplicationStopping.Register(() => _ = EndAfterAsync(shop, bound));
    }

    // If all goes well, the process has ended before.
    private static async Task EndAfterAsync(WebApplication shop, TimeSpan bound)
    {
        await Task.Delay(bound);
        string[] unwritten = [.. shop.UnwrittenWrites().Where(module => module.Writes > 0)
            .Select(module => $"{module.Writes} of {module.Module.Name}")];
        await Console.Error.WriteLineAsync(unwritten.Length > 0
            ? "Shop ends without waiting any longer for its disk. Writes that were neither made nor acknowledged: "
                + $"{string.Join(", ", unwritten)}."
            : "Shop ends without waiting any longer. All that was acknowledged is on disk.");
        Environment.Exit(1);
    }
}
