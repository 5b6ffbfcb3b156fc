using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Faults;
using Shop.Platform.Http;
using Shop.Platform.Live;
using Shop.Platform.Pages;
using Shop.Platform.Security;

namespace Shop.Platform.Modules;

/// <summary>
/// The pipeline of a module: its own routing, so that the routes of one module are unknown to the others.
/// </summary>
internal static class ModulePipeline
{
    /// <summary>
    /// The pipelines of modules are built at the same time, and <c>UseEndpoints</c> adds the routes of each to one list
    /// of the host. That list is not thread-safe, and the OpenAPI documents are made from it.
    /// </summary>
    private static readonly Lock Endpoints = new();

    public static RequestDelegate Build(IServiceProvider services, IShopModule module, ModuleListener listener)
    {
        var pipeline = new ApplicationBuilder(services);
        pipeline.UsePathBase("/api");
        pipeline.Use(MethodName.Distinguish);
        pipeline.UseRouting();
        RequestDelegate compress = LimitedCompression.Build(services);
        pipeline.Use(next =>
            new RequestPipeline(listener, compress, new Admission(listener, services), next).InvokeAsync);
        lock (Endpoints) pipeline.UseEndpoints(endpoints => Map(endpoints, services, module, listener));
        return pipeline.Build();
    }

    private static void Map(
        IEndpointRouteBuilder endpoints, IServiceProvider services, IShopModule module, ModuleListener listener)
    {
        var routes = new ModuleRoutes(endpoints, listener);
        module.MapRoutes(routes, services);
        services.GetRequiredService<TrafficRoutes>().Map(routes);
        if (listener.Module.Faults.IsOn)
        {
            services.GetRequiredService<FaultRoutes>().Map(routes);
            services.GetRequiredService<ScenarioRoutes>().Map(routes);
            services.GetRequiredService<TroublePanel>().Map(routes);
        }

        ServiceRoutes.Map(endpoints, routes, listener.Module, services.GetRequiredService<BuildInfo>(),
            services.GetRequiredService<ProcessMetrics>(),
            (services.GetRequiredService<Assets>(),
                services.GetRequiredKeyedService<LiveMetrics>(listener.Module.Identity.Name),
                services.GetRequiredService<DemoTraffic>(), services.GetRequiredService<TroublePanel>()));
    }
}
