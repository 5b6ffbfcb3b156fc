using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Shop.Monitoring.Tests;

/// <summary>
/// Draws a dashboard's panels from a Prometheus as one SVG: lines for series over time, the newest value for the rest.
/// It is a sketch of what Grafana shows, not a picture of Grafana.
/// </summary>
internal sealed class Picture(string title)
{
    private const int Columns = 3, Width = 400, Height = 190, Gap = 14, Top = 54;

    private static readonly string[] Colours =
    [
        "#3f7fbf", "#c8553d", "#5a9f5a", "#b8860b", "#7d5ba6", "#2f8f8f", "#9c5f7a", "#6b7785",
    ];

    private readonly StringBuilder _panels = new();
    private int _count;

    public int Lines { get; private set; }

    public void Add(
        string panel, string unit, IReadOnlyList<(string Name, IReadOnlyList<(double At, double Value)> Points)> series)
    {
        int x = Gap + (_count % Columns * (Width + Gap)), y = Top + (_count / Columns * (Height + Gap));
        _count++;
        _panels.Append(Format($"<g transform='translate({x},{y})'>"))
            .Append(Format($"<rect width='{Width}' height='{Height}' rx='4' fill='#fff' stroke='#d8dde3'/>"))
            .Append("<text x='12' y='20' font-size='13' font-weight='600' fill='#1f2933'>")
            .Append(WebUtility.HtmlEncode(panel)).Append("</text>");
        (string, IReadOnlyList<(double At, double Value)>)[] drawn =
            [.. series.Where(one => one.Points.Any(point => double.IsFinite(point.Value))).Take(Colours.Length)];
        if (drawn.Length > 0) Draw(unit, drawn);
        _panels.Append("</g>");
    }

    /// <summary>
    /// Draws a dashboard. Where SHOP_PICTURES names a folder, the picture stays there: monitoring/pictures does that.
    /// </summary>
    public static async Task DrawAsync(string dashboard, WatchedShop watched, string instance)
    {
        var picture = new Picture((string)Dashboards.All[dashboard]["title"]!);
        Panel[] panels = [.. Dashboards.Panels.Where(
            panel => panel.Dashboard == dashboard && panel.Type is "timeseries" or "stat" or "bargauge")];
        foreach (Panel panel in panels)
        {
            var series = new List<(string, IReadOnlyList<(double, double)>)>();
            foreach (JsonNode? target in panel.Json["targets"]!.AsArray())
            {
                string query = Dashboards.Filled(
                    (string)target!["expr"]!, dashboard == "overview" ? ".*" : "order-service", instance);
                series.AddRange(await watched.RangeAsync(query, (string)target["legendFormat"]!));
            }

            picture.Add(panel.Title, (string)panel.Json["fieldConfig"]!["defaults"]!["unit"]!, series);
        }

        Assert.That(picture.Lines, Is.GreaterThanOrEqualTo(panels.Length), dashboard);
        string folder = Directory.CreateDirectory(Environment.GetEnvironmentVariable("SHOP_PICTURES")
            ?? Path.Combine(TestContext.CurrentContext.WorkDirectory, "pictures")).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, $"{dashboard}.svg"), picture.ToSvg());
    }

    public string ToSvg()
    {
        int width = Gap + (Math.Min(Columns, _count) * (Width + Gap)),
            height = Top + ((_count + Columns - 1) / Columns * (Height + Gap));
        return Format($"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' ")
            + Format($"viewBox='0 0 {width} {height}' font-family='sans-serif'>")
            + "<rect width='100%' height='100%' fill='#f2f4f7'/>"
            + Format($"<text x='{Gap}' y='34' font-size='20' font-weight='700' fill='#1f2933'>")
            + $"{WebUtility.HtmlEncode(title)}</text>{_panels}</svg>\n";
    }

    private void Draw(string unit, (string Name, IReadOnlyList<(double At, double Value)> Points)[] series)
    {
        const int Left = 58, Right = Width - 12, Upper = 34, Lower = 128;
        (double At, double Value)[] all = [.. series.SelectMany(one => one.Points)
            .Where(point => double.IsFinite(point.Value))];
        double from = all.Min(point => point.At), to = Math.Max(from + 1, all.Max(point => point.At));
        double least = Math.Min(0, all.Min(point => point.Value)), most = all.Max(point => point.Value);
        if (most <= least) most = least + 1;
        foreach (double level in new[] { least, (least + most) / 2, most })
        {
            double y = Lower - ((level - least) / (most - least) * (Lower - Upper));
            _panels.Append(Format($"<line x1='{Left}' x2='{Right}' y1='{y:0.#}' y2='{y:0.#}' stroke='#e6e9ed'/>"))
                .Append(Format($"<text x='{Left - 6}' y='{y + 4:0.#}' font-size='10' text-anchor='end' "))
                .Append($"fill='#66727f'>{Value(level, unit)}</text>");
        }

        for (int i = 0; i < series.Length; i++)
        {
            string points = string.Join(' ', series[i].Points.Where(point => double.IsFinite(point.Value))
                .Select(point => (X: Left + ((point.At - from) / (to - from) * (Right - Left)),
                    Y: Lower - ((point.Value - least) / (most - least) * (Lower - Upper))))
                .Select(point => Format($"{point.X:0.#},{point.Y:0.#}")));
            _panels.Append(
                Format($"<polyline points='{points}' fill='none' stroke='{Colours[i]}' stroke-width='1.6'/>"));
            int x = 12 + (i % 2 * 194), y = 146 + (i / 2 * 13);
            string name = series[i].Name.Length > 22 ? series[i].Name[..21] + "…" : series[i].Name;
            _panels.Append(Format($"<rect x='{x}' y='{y - 8}' width='9' height='9' fill='{Colours[i]}'/>"))
                .Append(Format($"<text x='{x + 13}' y='{y}' font-size='10' fill='#3e4c59'>"))
                .Append($"{WebUtility.HtmlEncode(name)}  {Value(series[i].Points[^1].Value, unit)}</text>");
            Lines++;
        }
    }

    private static string Value(double value, string unit) => unit switch
    {
        "s" => value >= 1 ? Format($"{value:0.#} s") : Format($"{value * 1000:0.##} ms"),
        "dtdurations" => Format($"{value:0} s"),
        "percentunit" => Format($"{value * 100:0.#} %"),
        "bytes" or "Bps" => value >= 1e9
            ? Format($"{value / 1e9:0.#} GB")
            : value >= 1e6 ? Format($"{value / 1e6:0.#} MB") : Format($"{value / 1e3:0.#} kB"),
        _ => Math.Abs(value) >= 1e6
            ? Format($"{value / 1e6:0.##} M")
            : Math.Abs(value) >= 1e4 ? Format($"{value / 1e3:0.#} k") : Format($"{value:0.##}"),
    };

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

[Category("CI")]
internal sealed class PictureTests
{
    [Test]
    public async Task Given_a_shop_in_use_then_each_dashboard_can_be_drawn_from_what_Prometheus_has()
    {
        await using WatchedShop watched = await WatchedShop.StartAsync();
        await using var traffic = new Traffic(watched.Shop);
        await UntilScrapedAsync(35);
        await watched.Shop.Products.SendJsonAsync(
            HttpMethod.Put, "/faults/slow_commits", new { intensity = 0.05 }); // something to see
        await UntilScrapedAsync(70);
        string instance = (await watched.QueryAsync("node_uname_info"))[0].Labels["instance"];
        foreach (string name in Dashboards.All.Keys.Where(name => name != Dashboards.LoadTest))
            await Picture.DrawAsync(name, watched, instance);

        Task UntilScrapedAsync(int times) => WatchedShop.UntilAsync(
            async () => (await watched.QueryAsync("count_over_time(up[2m])")).Any(sample => sample.Value > times),
            () => Task.FromResult("Prometheus scrapes too slowly."));
    }
}
