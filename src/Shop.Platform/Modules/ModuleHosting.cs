using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.ResponseCompression;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Http;
using Shop.Platform.Live;
using Shop.Platform.OpenApi;
using Shop.Platform.Pages;
using Shop.Platform.Security;

namespace Shop.Platform.Modules;

/// <summary>Runs modules in one host: a listener, a pipeline, a database and a registry for each, and nothing between them.</summary>
public static class ModuleHosting
{
    private static readonly MinDataRate SlowestClient = new(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));

    /// <summary>Adds the modules. They start in this order, before any port is open, and stop in reverse.</summary>
    public static void AddModules(this WebApplicationBuilder builder, ShopSettings settings, BuildInfo build, IReadOnlyList<IShopModule> modules)
    {
        IServiceCollection services = builder.Services;
        services.AddSingleton(settings);
        services.AddSingleton(build);
        services.AddSingleton<ProcessMetrics>();
        services.AddSingleton<Assets>();
        services.AddSingleton<DemoTraffic>();
        services.AddSingleton(TimeProvider.System);
        services.AddHostedService<DataDirectoryLock>();
        services.AddSingleton<Books>();
        services.AddSingleton<BooksHealth>();
        services.AddSingleton<IHostedService>(provider => new BookKeeping(modules, provider));
        services.AddSingleton<PipelineWarmup>();
        services.AddSingleton(MemoryShares.OfProcess((long)modules.Count * settings.MaxConnections));
        services.AddSingleton<ClientConnections>();
        services.AddCors();
        services.AddResponseCompression(options =>
            options.MimeTypes = [.. ResponseCompressionDefaults.MimeTypes, "application/openmetrics-text"]);
        services.ConfigureHttpJsonOptions(options =>
        {
            // The OpenAPI documents describe bodies by these options.
            options.SerializerOptions.PropertyNamingPolicy = System.Text.Json.JsonNamingPolicy.SnakeCaseLower;
            options.SerializerOptions.NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.Strict;
            options.SerializerOptions.TypeInfoResolverChain.Add(PlatformJson.Default);
        });
        IHealthChecksBuilder health = services.AddHealthChecks();
        foreach (IShopModule module in modules) AddModule(services, health, module, settings, build.Version);
        services.AddHostedService(static provider => provider.GetRequiredService<PipelineWarmup>());
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // Idle connections cost memory, slow ones a place in the queue of others: each limit is a choice, and SECURITY.md says which.
            var shares = kestrel.ApplicationServices.GetRequiredService<MemoryShares>();
            kestrel.Limits.MaxConcurrentConnections = shares.Connections + ConnectionLimit.BeingRefused;
            kestrel.Limits.RequestHeadersTimeout = settings.RequestTimeout;
            kestrel.Limits.KeepAliveTimeout = ModuleListener.KeepAlive;
            kestrel.Limits.MaxRequestLineSize = 8 * 1024;
            kestrel.Limits.MaxRequestHeaderCount = 100;
            kestrel.Limits.MaxRequestHeadersTotalSize = 16 * 1024;
            // What a client sends behind a request that is being answered stays with the client. What is looked at does not count, so a longer body arrives all the same.
            kestrel.Limits.MaxRequestBufferSize = MemoryShares.RequestBuffer;
            kestrel.Limits.MaxResponseBufferSize = shares.ReplyBuffer;
            kestrel.Limits.MinRequestBodyDataRate = SlowestClient;
            kestrel.Limits.MinResponseDataRate = SlowestClient;
            // The server counts the framing of chunks too, so its limit is wider; the shop's own is exact.
            kestrel.Limits.MaxRequestBodySize = 8 * Requests.RequestBody.MaxBytes;
            foreach (ModuleListener listener in kestrel.ApplicationServices.GetServices<ModuleListener>()) listener.Listen(kestrel);
        });
    }

    /// <summary>Sends each connection's requests to the module of its listener.</summary>
    public static void UseModules(this WebApplication app)
    {
        app.Services.GetRequiredService<DiagnosticListener>().Subscribe(new RefusedByServer(), static (name, _, _) => name == RefusedByServer.EventName);
        ShopSettings settings = app.Services.GetRequiredService<ShopSettings>();
        if (settings.TrustedProxies.Count > 0) app.UseForwardedHeaders(Forwarded(settings));
        app.Run(static http => http.Features.GetRequiredFeature<ClientConnection>().AnswerAsync(http));
    }

    /// <summary>Where each module listens, once the host has started.</summary>
    public static IEnumerable<(ModuleIdentity Module, Uri Address)> ModuleAddresses(this WebApplication app) =>
        app.Services.GetServices<ModuleListener>().Select(listener => (listener.Module.Identity, listener.Address));

    /// <summary>How many writes of each module wait for its disk.</summary>
    public static IEnumerable<(ModuleIdentity Module, int Writes)> UnwrittenWrites(this WebApplication app) =>
        app.Services.GetServices<ModuleListener>().Select(listener => (listener.Module.Identity, listener.Module.Database.UnwrittenWrites));

    private static ForwardedHeadersOptions Forwarded(ShopSettings settings)
    {
        var options = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto, ForwardLimit = null };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (System.Net.IPNetwork network in settings.TrustedProxies) options.KnownIPNetworks.Add(network);
        return options;
    }

    private static void AddModule(IServiceCollection services, IHealthChecksBuilder health, IShopModule module, ShopSettings settings, string version)
    {
        ModuleIdentity identity = module.Identity;
        services.AddKeyedSingleton(identity.Name, (provider, _) => new ModuleContext(identity, settings,
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILoggerFactory>())
        {
            Books = provider.GetRequiredService<Books>(),
        });
        services.AddKeyedSingleton(identity.Name, (provider, key) => new ModuleListener(provider.GetRequiredKeyedService<ModuleContext>(key))
        {
            Connections = provider.GetRequiredService<ClientConnections>(),
        });
        services.AddSingleton(provider => provider.GetRequiredKeyedService<ModuleListener>(identity.Name));
        services.AddKeyedSingleton(identity.Name, (provider, key) =>
        {
            var context = provider.GetRequiredKeyedService<ModuleContext>(key);
            return new LiveFigures(context.Registry, provider.GetRequiredService<DemoTraffic>(), context.Clock, context.Log);
        });
        services.AddSingleton<IHostedService>(provider => new ModuleLifetime(module, provider));
        services.AddModuleDocument(identity, version);
        services.AddKeyedSingleton(identity.Name, (provider, key) => new DatabaseHealth(provider.GetRequiredKeyedService<ModuleContext>(key).Database, provider.GetRequiredService<Books>()));
        health.Add(new HealthCheckRegistration($"{identity.Name} database",
            provider => provider.GetRequiredKeyedService<DatabaseHealth>(identity.Name), HealthStatus.Unhealthy, [ServiceRoutes.HealthTag(identity)]));
        health.Add(new HealthCheckRegistration($"{identity.Name} books",
            static provider => provider.GetRequiredService<BooksHealth>(), HealthStatus.Unhealthy, [ServiceRoutes.HealthTag(identity)]));
        module.AddServices(services);
    }

    private static RequestDelegate Pipeline(IServiceProvider services, IShopModule module, ModuleListener listener)
    {
        // A builder of its own: the routes of one module are unknown to the others.
        var pipeline = new ApplicationBuilder(services);
        pipeline.UsePathBase("/api");
        pipeline.Use(MethodName.Distinguish);
        pipeline.UseRouting();
        RequestDelegate compress = Compressed(services);
        pipeline.Use(next => new RequestPipeline(listener, compress, new Admission(listener, services), next).InvokeAsync);
        pipeline.UseEndpoints(endpoints =>
        {
            var routes = new ModuleRoutes(endpoints, listener);
            module.MapRoutes(routes, services);
            ServiceRoutes.Map(endpoints, routes, listener.Module, services.GetRequiredService<BuildInfo>(), services.GetRequiredService<ProcessMetrics>(),
                (services.GetRequiredService<Assets>(), services.GetRequiredKeyedService<LiveFigures>(listener.Module.Identity.Name), services.GetRequiredService<DemoTraffic>()));
        });
        return pipeline.Build();
    }

    // A compressor takes memory as long as its client has not read: where there are many, answers go out as they are.
    private static RequestDelegate Compressed(IServiceProvider services)
    {
        const int Most = 16;
        int underWay = 0;
        var pipeline = new ApplicationBuilder(services);
        pipeline.UseResponseCompression();
        pipeline.Run(static http => http.GetEndpoint()!.RequestDelegate!(http));
        RequestDelegate compress = pipeline.Build();
        return async http =>
        {
            try
            {
                await (Interlocked.Increment(ref underWay) <= Most ? compress(http) : http.GetEndpoint()!.RequestDelegate!(http));
            }
            finally
            {
                Interlocked.Decrement(ref underWay);
            }
        };
    }

    private sealed class ModuleLifetime(IShopModule module, IServiceProvider services) : IHostedService, IAsyncDisposable
    {
        private Periodic? _purge;

        public async Task StartAsync(CancellationToken cancellationToken)
        {
            var listener = services.GetRequiredKeyedService<ModuleListener>(module.Identity.Name);
            ModuleContext context = listener.Module;
            try
            {
                await module.StartAsync(services, cancellationToken);
            }
            catch (Exception exception) when (exception is SqliteException or StoreException)
            {
                // A module's start asks others too: the file is the one that failed.
                ModuleContext failed = exception is StoreException store ? services.GetRequiredKeyedService<ModuleContext>(store.Module) : context;
                throw new ShopStartException($"The database file {failed.Database.Path} can't be used: {(exception as StoreUnreadableException)?.InnerException!.Message ?? exception.Message}", exception);
            }

            if (context.Books.Agree) _purge = new Periodic("Purging old idempotency keys", TimeSpan.FromHours(1),
                () => context.Database.Keys.PurgeAsync(context.Now()), context.Clock, context.Log);
            services.GetRequiredService<PipelineWarmup>().Begin(listener, () => Pipeline(services, module, listener));
        }

        public async Task StopAsync(CancellationToken cancellationToken)
        {
            await services.GetRequiredService<DemoTraffic>().DisposeAsync();
            await services.GetRequiredKeyedService<LiveFigures>(module.Identity.Name).DisposeAsync();
            await DisposeAsync();
            await module.DisposeAsync();
            services.GetRequiredKeyedService<ModuleContext>(module.Identity.Name).Queries.Dispose();
        }

        public ValueTask DisposeAsync() => _purge?.DisposeAsync() ?? default;
    }

    private sealed class DataDirectoryLock(ShopSettings settings) : IHostedService
    {
        private DataDirectory? _directory;

        public Task StartAsync(CancellationToken cancellationToken)
        {
            _directory = DataDirectory.Take(settings.DataDirectory);
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken)
        {
            _directory?.Dispose();
            return Task.CompletedTask;
        }
    }
}
