using System.Globalization;
using AspNetCoreGeneratedDocument;
using Microsoft.AspNetCore.Http;
using RazorSlices;
using Shop.Platform.Faults;
using Shop.Platform.Http;
using Shop.Platform.Pages;
using Shop.Platform.Security;

namespace Shop.Platform.Live;

/// <summary>The console of a service, and the button for demo traffic.</summary>
internal static class LiveRoutes
{
    public static void Map(
        ModuleRoutes routes, LiveFigures figures, DemoTraffic traffic, TroublePanel trouble, ShopSettings settings)
    {
        routes.Page("/live", async http =>
        {
            LiveReading reading = await figures.ReadAsync();
            var model = new LiveModel(reading, figures.Points(), traffic.Rate, WhyNotTraffic(http, settings))
            {
                Trouble = trouble.For(http),
            };
            return new Page("Live", new Pages_Live { Model = model });
        }, Access.Figures, Caching.NoStoreCompressed);
        routes.Form("/live/traffic", http => TrafficAsync(http, traffic, settings));
        routes.Stream("/live/events", figures.Feed, Access.Figures);
    }

    private static async ValueTask<IResult> TrafficAsync(HttpContext http, DemoTraffic traffic, ShopSettings settings)
    {
        if (WhyNotTraffic(http, settings) is { } why) return new Problem(StatusCodes.Status403Forbidden, why);
        IFormCollection form = await http.Request.ReadFormAsync();
        bool isRate = int.TryParse(form["rate"], NumberStyles.None, CultureInfo.InvariantCulture, out int rate)
            && rate is >= 1 and <= DemoTraffic.MaxRate;
        if (form["action"] == "stop") traffic.Stop();
        else if (form["action"] != "start") return Invalid("The action must be start or stop.");
        else if (!isRate) return Invalid($"The rate must be a whole number from 1 to {DemoTraffic.MaxRate}.");
        else traffic.Start(rate, http.Request.Headers.Authorization);
        return Page.SeeOther("/live");

        static Problem Invalid(string error) => new(StatusCodes.Status400BadRequest, error);
    }

    /// <summary>
    /// Why a client may not start demo traffic; null if it may. With keys, whoever may write may; without, only
    /// somebody at the shop's own machine.
    /// </summary>
    private static string? WhyNotTraffic(HttpContext http, ShopSettings settings)
    {
        if (settings.ApiKeys.Any)
            return Site.Of(http).TakesForms ? null : "Demo traffic is started with a key that may write.";
        return OwnMachine.Sent(http, settings) ? null
            : "Demo traffic is started from the shop's own machine alone, not through a proxy or into a container. "
                + "loadtest/Shop.Traffic makes some from anywhere.";
    }
}

/// <summary>What the console shows at first, and all it shows without a script.</summary>
internal sealed record LiveModel(LiveReading Reading, LivePoint[] Points, int TrafficRate, string? WhyNotTraffic)
{
    /// <summary>The panel of faults; null if the settings allow none.</summary>
    public RazorSlice? Trouble { get; init; }

    /// <summary>A figure of the last second.</summary>
    public string Last(Func<LivePoint, double?> figure) =>
        Points.Length > 0 && figure(Points[^1]) is { } value
            ? value.ToString("0.##", CultureInfo.InvariantCulture)
            : "–";
}
