using System.Diagnostics;
using System.Globalization;
using Spectre.Console;

namespace Shop.Traffic;

/// <summary>A run: requests at their rate, live figures, and at the end the books.</summary>
internal sealed class TrafficRun(TrafficOptions options, IAnsiConsole console)
{
    private const int MostUnderWay = 5000;

    private readonly Tally _tally = new();
    private int _underWay;

    /// <returns>0 where the shop's books agree with what was counted here; 1 where they don't, or the shop can't be reached.</returns>
    public async Task<int> RunAsync(CancellationToken stop)
    {
        using var shop = new ShopClient(options);
        (long Orders, long Units) opening;
        try
        {
            opening = (await shop.OrdersCreatedAsync(), await shop.UnitsInStockAsync());
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException or FormatException)
        {
            console.MarkupLineInterpolated($"[red]No shop at {options.Orders} and {options.Inventory}:[/] {exception.Message}");
            return 1;
        }

        console.MarkupLineInterpolated($"{options.Rate:N0} requests a second to {options.Products}, {options.Orders}, {options.Inventory}. Ctrl-C stops.");
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        if (options.Duration is { } duration) ending.CancelAfter(duration);
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(SendAsync(new Mix(shop, _tally), start, ending.Token), ShowAsync(start, ending.Token));
        return await CloseBooksAsync(shop, opening, Stopwatch.GetElapsedTime(start));
    }

    /// <summary>An open model: each request has its time, however slow those before it are.</summary>
    private async Task SendAsync(Mix mix, long start, CancellationToken stop)
    {
        var underWay = new List<Task>();
        for (long number = 0; !stop.IsCancellationRequested; number++)
        {
            TimeSpan due = TimeSpan.FromSeconds(number / options.Rate);
            TimeSpan early = due - Stopwatch.GetElapsedTime(start);
            if (early > TimeSpan.FromMilliseconds(1)) await Task.Delay(early, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (stop.IsCancellationRequested) break;
            if (Volatile.Read(ref _underWay) >= MostUnderWay) _tally.NotSent();
            else underWay.Add(VisitAsync(mix, start, due));
            if (underWay.Count > 2 * MostUnderWay) underWay.RemoveAll(static visit => visit.IsCompletedSuccessfully);
        }

        await Task.WhenAll(underWay);
    }

    private async Task VisitAsync(Mix mix, long start, TimeSpan due)
    {
        Interlocked.Increment(ref _underWay);
        try
        {
            Ending ending = await mix.VisitAsync();
            _tally.Ended(ending, Stopwatch.GetElapsedTime(start) - due);
        }
        finally
        {
            Interlocked.Decrement(ref _underWay);
        }
    }

    private async Task ShowAsync(long start, CancellationToken stop)
    {
        if (!console.Profile.Capabilities.Interactive)
        {
            while (await TickAsync(stop)) console.WriteLine(string.Join("  ", Figures(start).Select(static figure => $"{figure.What} {figure.Figure}")));
            return;
        }

        await console.Live(Text.Empty).StartAsync(async live =>
        {
            while (await TickAsync(stop))
            {
                var grid = new Grid().AddColumn().AddColumn(new GridColumn().RightAligned());
                foreach ((string what, string figure) in Figures(start)) grid.AddRow(new Text(what, new Style(Color.Grey)), new Text(figure));
                live.UpdateTarget(new Panel(grid).Header("Shop traffic"));
            }
        });
    }

    private static async Task<bool> TickAsync(CancellationToken stop)
    {
        await Task.Delay(TimeSpan.FromSeconds(1), stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return !stop.IsCancellationRequested;
    }

    private IEnumerable<(string What, string Figure)> Figures(long start)
    {
        Latencies lately = _tally.Lately();
        return
        [
            ("time", Stopwatch.GetElapsedTime(start).ToString(@"hh\:mm\:ss", CultureInfo.InvariantCulture)),
            ("answers/s", lately.Count.ToString("N0", CultureInfo.InvariantCulture)),
            ("p50 ms", Number(lately.P50)),
            ("p95 ms", Number(lately.P95)),
            ("p99 ms", Number(lately.P99)),
            ("under way", $"{_underWay}"),
            ("orders", _tally.Orders.ToString("N0", CultureInfo.InvariantCulture)),
            ("refused", $"{_tally.Refused}"),
            ("errors", $"{_tally.Failed}"),
        ];
    }

    private async Task<int> CloseBooksAsync(ShopClient shop, (long Orders, long Units) opening, TimeSpan time)
    {
        long created = await shop.OrdersCreatedAsync() - opening.Orders;
        long gone = opening.Units - await shop.UnitsInStockAsync();
        Latencies all = _tally.All();
        console.WriteLine();
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{all.Count:N0} answers in {time.TotalSeconds:N1} s, {all.Count / time.TotalSeconds:N1} a second; from when each was due: p50 {Number(all.P50)} ms, p95 {Number(all.P95)} ms, p99 {Number(all.P99)} ms."));
        console.WriteLine($"{_tally.Failed} errors, {_tally.Refused} orders refused for want of stock, {_tally.Retries} retries, {_tally.Unsent} requests not sent because too many were under way.");

        bool ordersAgree = created >= _tally.Orders && created <= _tally.Orders + _tally.OrdersWithoutAnswer;
        bool unitsAgree = gone == _tally.UnitsGone || _tally.OrdersWithoutAnswer + _tally.ChangesWithoutAnswer > 0;
        Verdict(ordersAgree, $"Orders: {_tally.Orders} acknowledged here, {created} created there{Unknown(_tally.OrdersWithoutAnswer)}.");
        Verdict(unitsAgree, $"Units in stock: {-_tally.UnitsGone:+0;-0;0} by what was answered here, {-gone:+0;-0;0} there{Unknown(_tally.OrdersWithoutAnswer + _tally.ChangesWithoutAnswer)}.");
        return ordersAgree && unitsAgree ? 0 : 1;
    }

    private void Verdict(bool agrees, string line) => console.MarkupLineInterpolated(agrees ? $"[green]agrees[/]   {line}" : (FormattableString)$"[red]differs[/]  {line}");

    private static string Unknown(long count) => count == 0 ? "" : $" ({count} got no answer, so they may count or not)";

    private static string Number(double millis) => millis.ToString(millis < 10 ? "0.0" : "0", CultureInfo.InvariantCulture);
}
