using System.Diagnostics;
using Microsoft.Extensions.Logging.Console;
using Shop.Platform;
using Shop.Platform.Modules;

namespace Shop.Host;

/// <summary>One line an event: readable on a terminal, JSON in a container.</summary>
internal static class ShopLogging
{
    public static void AddShopLogging(this WebApplicationBuilder builder)
    {
        bool isContainer = bool.TryParse(builder.Configuration["DOTNET_RUNNING_IN_CONTAINER"], out bool says) && says;
        ILoggingBuilder logging = builder.Logging;
        logging.ClearProviders();
        if (isContainer)
        {
            logging.AddJsonConsole(options =>
            {
                options.UseUtcTimestamp = true;
                options.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ";
            });
        }
        else
        {
            logging.AddSimpleConsole(options =>
            {
                options.SingleLine = true;
                options.TimestampFormat = "HH:mm:ss.fff ";
            });
        }

        ServiceDescriptor console = builder.Services.Single(
            service => service.ImplementationType == typeof(ConsoleLoggerProvider));
        builder.Services.Remove(console);
        builder.Services.AddSingleton<ConsoleLoggerProvider>();
        builder.Services.AddSingleton<ILoggerProvider, RateLimitedConsole>();
        // A full console must never hold up a request.
        builder.Services.Configure<ConsoleLoggerOptions>(options =>
            options.QueueFullMode = ConsoleLoggerQueueFullMode.DropWrite);
        // The shop logs a failed request itself, in one line; with these off, a successful request costs no Activity
        // either.
        logging.AddFilter("Microsoft", LogLevel.Warning);
        logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        // A line for each connection over the limit would be a flood of its own.
        logging.AddFilter("Microsoft.AspNetCore.Server.Kestrel.Connections", LogLevel.Error);
        // A failed start is one line of the shop's own.
        logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None);
    }

    /// <summary>Logs the addresses.</summary>
    public static void Announce(this WebApplication shop)
    {
        ILogger log = shop.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Shop");
        var (settings, build) = (shop.Services.GetRequiredService<ShopSettings>(),
            shop.Services.GetRequiredService<BuildInfo>());
        using var process = Process.GetCurrentProcess();
        double seconds = (DateTime.Now - process.StartTime).TotalSeconds;
        log.LogInformation("Shop {Version} is ready after {Seconds:0.00} s; its data is in {Data}",
            build.Version, seconds,
            settings.Connections is null ? Path.GetFullPath(settings.DataDirectory) : "PostgreSQL");
        foreach ((ModuleIdentity module, Uri address) in shop.ModuleAddresses()
            .OrderBy(module => module.Module.DefaultPort))
            log.LogInformation("{Page,-10} {Service,-17} {Address}  console {Console}  docs {Docs}  metrics {Metrics}",
                module.NavigationTitle, module.Service, address.GetLeftPart(UriPartial.Authority),
                new Uri(address, "/live"), new Uri(address, "/docs"), new Uri(address, "/metrics"));
    }
}
