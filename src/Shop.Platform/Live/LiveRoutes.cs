using System.Net;
using AspNetCoreGeneratedDocument;
using Microsoft.AspNetCore.Http;
using Shop.Platform.Http;
using Shop.Platform.Pages;
using Shop.Platform.Security;

namespace Shop.Platform.Live;

/// <summary>The console of a service, and the button for demo traffic.</summary>
internal static class LiveRoutes
{
    public static void Map(ModuleRoutes routes, LiveFigures figures, DemoTraffic traffic)
    {
        routes.Page("/live", async http => new Page("Live",
            new Pages_Live { Model = new LiveModel(await figures.ReadAsync(), figures.Points(), traffic.Rate, IsFromHere(http)) }), Access.Figures);
        routes.Form("/live/traffic", http => TrafficAsync(http, traffic));
        routes.Stream("/live/events", figures.EventsAsync, Access.Figures);
    }

    private static async ValueTask<IResult> TrafficAsync(HttpContext http, DemoTraffic traffic)
    {
        if (!IsFromHere(http)) return new Problem(StatusCodes.Status403Forbidden, "Demo traffic is started from the shop's own machine alone.");
        IFormCollection form = await http.Request.ReadFormAsync();
        if (form["action"] == "stop") traffic.Stop();
        else if (int.TryParse(form["rate"], out int rate) && rate is >= 1 and <= DemoTraffic.MaxRate) traffic.Start(rate);
        return Page.SeeOther("/live");
    }

    private static bool IsFromHere(HttpContext http) => http.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address);
}

/// <summary>What the console shows at first, and all it shows without a script.</summary>
internal sealed record LiveModel(LiveReading Reading, LivePoint[] Points, int TrafficRate, bool MayStartTraffic)
{
    public LivePoint Last => Points.Length > 0 ? Points[^1] : new LivePoint(default, 0, 0, 0, 0, 0);
}
