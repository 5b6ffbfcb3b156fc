using System.Globalization;
using AspNetCoreGeneratedDocument;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Faults;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Pages;
using Shop.Platform.Security;

namespace Shop.Platform.Live;

/// <summary>The console of a service, and the button for demo traffic.</summary>
internal static class LiveRoutes
{
    /// <summary>The console of all services, on each of them.</summary>
    private const string WholeShop = "/live/shop";

    public static void Map(
        ModuleRoutes routes, LiveMetrics figures, DemoTraffic traffic, TroublePanel trouble, ShopSettings settings)
    {
        ModuleIdentity module = figures.Module;
        routes.Page("/live", async http =>
        {
            var model = new LiveModel(Panel(figures, "", settings, isWhole: true), await figures.ReadAsync(),
                Traffic(http, traffic, "/live"), Tools(http, module))
            {
                Trouble = trouble.For(http),
            };
            return new Page($"Live: {module.NavigationTitle}", new Pages_Live { Model = model }) { IsConsole = true };
        }, Access.Figures, Caching.NoStoreCompressed);
        routes.Page(WholeShop, http =>
        {
            LivePanel[] panels = [.. Site.Of(http).Services.Select(service => Panel(
                http.RequestServices.GetRequiredKeyedService<LiveMetrics>(service.Module.Name),
                service.Module == module ? "" : service.Url, settings, isWhole: false))];
            var model = new LiveShopModel(
                panels, Traffic(http, traffic, WholeShop), Tools(http, null), trouble.For(http) is not null);
            return ValueTask.FromResult<IResult>(
                new Page("Live: the whole shop", new Pages_LiveShop { Model = model })
                {
                    IsConsole = true,
                    WatchesOtherServices = true,
                });
        }, Access.Figures, Caching.NoStoreCompressed);
        routes.Form("/live/traffic", http => TrafficAsync(http, traffic));
        routes.Stream("/live/events", new EventStream(figures.Feed, isForAllServices: true), Access.Figures);
    }

    private static LivePanel Panel(LiveMetrics figures, string address, ShopSettings settings, bool isWhole)
    {
        ConsoleChart business = ConsoleCharts.Business(figures.Module.BusinessMetrics);
        IReadOnlyList<ConsoleChart> charts = isWhole ? [.. ConsoleCharts.OfEveryService, business]
            : [ConsoleCharts.Requests, ConsoleCharts.Latency, business];
        return new LivePanel(figures.Module, address, settings.Currency, figures.LastPoint, charts);
    }

    private static LiveTraffic Traffic(HttpContext http, DemoTraffic traffic, string page) =>
        new(traffic.State, RefusalReasonOf(http), page);

    private static LiveTools Tools(HttpContext http, ModuleIdentity? module) =>
        new(Site.Of(http), module, http.RequestServices.GetRequiredService<Assets>());

    private static async ValueTask<IResult> TrafficAsync(HttpContext http, DemoTraffic traffic)
    {
        IFormCollection form = await http.Request.ReadFormAsync();
        bool isRate = int.TryParse(form["rate"], NumberStyles.None, CultureInfo.InvariantCulture, out int rate)
            && rate is >= 1 and <= DemoTraffic.MaxRate;
        if (form["action"] == "stop") traffic.Stop();
        else if (form["action"] != "start") return Invalid("The action must be start or stop.");
        else if (!isRate) return Invalid($"The rate must be a whole number from 1 to {DemoTraffic.MaxRate}.");
        else if ((form["shape"] is [{ } name] ? TrafficShape.Find(name) : TrafficShape.Constant) is not { } shape)
            return Invalid($"The shape must be one of {string.Join(", ", TrafficShape.Names)}.");
        else traffic.Start(rate, http.Request.Headers.Authorization, shape);
        return Page.SeeOther(form["page"] == WholeShop ? WholeShop : "/live");

        static Problem Invalid(string error) => new(StatusCodes.Status400BadRequest, error);
    }

    // Any client that may write may start it: demo traffic is no more than that client could send, and it ends by
    // itself.
    private static string? RefusalReasonOf(HttpContext http) =>
        Site.Of(http).AcceptsForms ? null : "Demo traffic needs a key that may write.";
}
