using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.ResponseCompression;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Shop.Platform.Data;
using Shop.Platform.Data.Postgres;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Faults;
using Shop.Platform.Http;
using Shop.Platform.Live;
using Shop.Platform.OpenApi;
using Shop.Platform.Pages;

namespace Shop.Platform.Modules;

/// <summary>
/// Runs modules in one host: a listener, a pipeline, a database and a registry for each. The order of these calls is
/// the order of the start: the platform, the modules, the listeners.
/// </summary>
public static class ModuleHosting
{
    /// <summary>Adds what all modules share.</summary>
    public static void AddPlatform(this WebApplicationBuilder builder, ShopSettings settings, BuildInfo build)
    {
        IServiceCollection services = builder.Services;
        services.AddSingleton(settings);
        services.AddSingleton(build);
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<ProcessMetrics>();
        services.AddSingleton<Assets>();
        services.AddSingleton<DemoTraffic>();
        services.AddSingleton<TrafficRoutes>();
        services.AddSingleton(provider => new FaultCatalogue(
            provider.GetServices<IShopModule>().SelectMany(module => module.Identity.Faults))
        {
            IsOn = settings.Faults,
            HasPostgres = settings.Connections is not null,
        });
        services.AddSingleton<FaultTraffic>();
        services.AddSingleton<FaultSwitch>();
        services.AddSingleton<FaultRoutes>();
        services.AddSingleton<ScenarioPlayer>();
        services.AddSingleton<ScenarioRoutes>();
        services.AddSingleton<TroublePanel>();
        services.AddSingleton<FaultsHealth>();
        services.AddSingleton<DatabaseConsistency>();
        services.AddSingleton<ConsistencyHealth>();
        services.AddSingleton<PipelineWarmup>();
        services.AddSingleton(MemoryBudget.OfProcess((long)settings.Ports.Count * settings.MaxConnections));
        services.AddSingleton<ClientConnections>();
        if (settings.Connections is null)
        {
            services.AddHostedService<DataDirectoryLock>();
            services.AddHostedService<SqliteLifetime>();
        }
        else
        {
            services.AddHostedService<PostgresLifetime>();
        }

        services.AddCors();
        services.AddHealthChecks();
        services.AddResponseCompression(options =>
            options.MimeTypes = [.. ResponseCompressionDefaults.MimeTypes, "application/openmetrics-text"]);
        services.ConfigureHttpJsonOptions(options =>
        {
            // The OpenAPI documents describe bodies by these options.
            options.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
            options.SerializerOptions.NumberHandling = JsonNumberHandling.Strict;
            options.SerializerOptions.TypeInfoResolverChain.Add(PlatformJson.Default);
            options.SerializerOptions.TypeInfoResolverChain.Add(FaultsJson.Default);
            options.SerializerOptions.TypeInfoResolverChain.Add(TrafficJson.Default);
            options.SerializerOptions.TypeInfoResolverChain.Add(ScenarioBodiesJson.Default);
        });
    }

    /// <summary>
    /// Adds a module. Modules start in the order of these calls, before any port is open, and stop in reverse.
    /// </summary>
    public static void AddModule(this WebApplicationBuilder builder, IShopModule module)
    {
        IServiceCollection services = builder.Services;
        ModuleIdentity identity = module.Identity;
        string name = identity.Name;
        services.AddSingleton(module);
        services.AddKeyedSingleton(name, (provider, _) => new ModuleContext(identity,
            provider.GetRequiredService<ShopSettings>(), provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILoggerFactory>())
        {
            Consistency = provider.GetRequiredService<DatabaseConsistency>(),
            Faults = provider.GetRequiredService<FaultCatalogue>(),
        });
        services.AddKeyedSingleton(name, static (provider, key) => new ModuleListener(Context(provider, key))
        {
            Connections = provider.GetRequiredService<ClientConnections>(),
        });
        services.AddSingleton(provider => provider.GetRequiredKeyedService<ModuleListener>(name));
        services.AddKeyedSingleton(name, static (provider, key) =>
        {
            ModuleContext context = Context(provider, key);
            return new LiveMetrics(context.Registry, provider.GetRequiredService<DemoTraffic>(), context.Clock,
                context.Log, context.Identity, provider.GetRequiredService<BuildInfo>())
            {
                Faults = context.Faults,
            };
        });
        services.AddKeyedSingleton<IHealthCheck>(name, static (provider, key) => Context(provider, key).UsesPostgres
            ? new PostgresHealth(Context(provider, key).Postgres, Context(provider, key).Log)
            : new DatabaseHealth(Context(provider, key).Database, provider.GetRequiredService<DatabaseConsistency>()));
        string tag = ServiceRoutes.HealthTag(identity);
        services.AddHealthChecks()
            .Add(new HealthCheckRegistration($"{name} database",
                provider => provider.GetRequiredKeyedService<IHealthCheck>(name), HealthStatus.Unhealthy, [tag]))
            .Add(new HealthCheckRegistration($"{name} books",
                static provider => provider.GetRequiredService<ConsistencyHealth>(), HealthStatus.Unhealthy, [tag]))
            .Add(new HealthCheckRegistration($"{name} faults",
                static provider => provider.GetRequiredService<FaultsHealth>(), HealthStatus.Unhealthy, [tag]));
        services.AddModuleDocument(identity);
        services.AddSingleton<IHostedService>(provider => new ModuleLifetime(module, provider));
        module.AddServices(services);
    }

    /// <summary>
    /// Adds a listener for each module. No port is open before the pipelines of all modules are built.
    /// </summary>
    public static void AddListeners(this WebApplicationBuilder builder, ShopSettings settings)
    {
        builder.Services.AddHostedService(static provider => provider.GetRequiredService<PipelineWarmup>());
        builder.Services.AddHostedService(static provider => provider.GetRequiredService<FaultSwitch>());
        builder.Services.AddHostedService(static provider => provider.GetRequiredService<ScenarioPlayer>());
        builder.WebHost.ConfigureListeners(settings);
    }

    /// <summary>Sends each connection's requests to the module of its listener.</summary>
    public static void UseModules(this WebApplication app)
    {
        app.Services.GetRequiredService<DiagnosticListener>()
            .Subscribe(new ServerRefusalObserver(), static (name, _, _) => name == ServerRefusalObserver.EventName);
        ShopSettings settings = app.Services.GetRequiredService<ShopSettings>();
        if (settings.TrustedProxies.Count > 0) app.UseForwardedHeaders(Forwarded(settings));
        app.Run(static http => http.Features.GetRequiredFeature<ClientConnection>().AnswerAsync(http));
    }

    /// <summary>Where each module listens, once the host has started.</summary>
    public static IEnumerable<(ModuleIdentity Module, Uri Address)> ModuleAddresses(this WebApplication app) =>
        app.Services.GetServices<ModuleListener>().Select(listener => (listener.Module.Identity, listener.Address));

    /// <summary>How many writes of each module are not on disk yet.</summary>
    public static IEnumerable<(ModuleIdentity Module, int Writes)> UnwrittenWrites(this WebApplication app) =>
        app.Services.GetServices<ModuleListener>()
            .Select(listener => (listener.Module.Identity, listener.Module.OwnDatabase.UnwrittenWrites));

    private static ForwardedHeadersOptions Forwarded(ShopSettings settings)
    {
        var options = new ForwardedHeadersOptions
        {
            ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto,
            ForwardLimit = null,
        };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (System.Net.IPNetwork network in settings.TrustedProxies) options.KnownIPNetworks.Add(network);
        return options;
    }

    private static ModuleContext Context(IServiceProvider services, object? name) =>
        services.GetRequiredKeyedService<ModuleContext>(name);
}
