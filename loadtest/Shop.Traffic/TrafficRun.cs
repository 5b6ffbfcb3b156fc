using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Spectre.Console;

namespace Shop.Traffic;

/// <summary>A run: requests at their rate, live figures, and at the end the books.</summary>
internal sealed class TrafficRun(TrafficOptions options, IAnsiConsole console)
{
    private const int MaxUnderWay = 5000;

    private readonly Tally _tally = new();
    private readonly Ledger _ledger = new();
    private int _underWay;

    /// <returns>0 if the shop's books agree with what was acknowledged here; 1 if they don't, or the shop can't be reached.</returns>
    public async Task<int> RunAsync(CancellationToken stop)
    {
        using var shop = new ShopClient(options);
        if (await shop.WrongAddressAsync() is { } wrong)
        {
            console.MarkupLineInterpolated($"[red]{wrong}[/]");
            return 1;
        }

        Audit audit;
        try
        {
            audit = await Audit.OpenAsync(shop);
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException or JsonException)
        {
            console.MarkupLineInterpolated($"[red]The shop's books can't be read:[/] {exception.Message}");
            return 1;
        }

        console.MarkupLineInterpolated($"{options.Rate:N0} requests a second to {options.Products}, {options.Orders}, {options.Inventory}. Ctrl-C stops.");
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        if (options.Duration is { } duration) ending.CancelAfter(duration);
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(SendAsync(new Mix(shop, _ledger, _tally), start, ending.Token), ShowAsync(start, ending.Token));
        return await CloseBooksAsync(audit, Stopwatch.GetElapsedTime(start));
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
            if (Volatile.Read(ref _underWay) >= MaxUnderWay) _tally.NotSent();
            else underWay.Add(VisitAsync(mix, start, due));
            if (underWay.Count > 2 * MaxUnderWay) underWay.RemoveAll(static visit => visit.IsCompletedSuccessfully);
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

    private async Task<int> CloseBooksAsync(Audit audit, TimeSpan time)
    {
        Latencies all = _tally.All();
        console.WriteLine();
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{all.Count:N0} answers in {time.TotalSeconds:N1} s, {all.Count / time.TotalSeconds:N1} a second; from when each was due: p50 {Number(all.P50)} ms, p95 {Number(all.P95)} ms, p99 {Number(all.P99)} ms."));
        console.WriteLine($"{_tally.Failed} errors, of which {_tally.Unanswered} had no answer; {_tally.Refused} orders refused for want of stock, {_tally.Retries} retries, {_tally.Unsent} requests not sent because too many were under way.");
        try
        {
            Findings found = await SettledAsync(audit);
            Verdict(found.Lost.Count == 0, $"Orders: {found.Acknowledged} acknowledged here, {(found.Lost.Count == 0 ? "each is there" : $"{found.Lost.Count} of them not there: {Some(found.Lost)}")}{(found.Unacknowledged == 0 ? "" : $"; {found.Unacknowledged} more are there, whose answers never came")}.");
            Verdict(found.Wrong.Count == 0 && found.Unreceived == 0, $"Units: {(found.Wrong.Count == 0 ? "the stock's movements show those of each order" : $"the stock's movements do not show those of {found.Wrong.Count} orders: {Some(found.Wrong)}")}, and {(found.Unreceived == 0 ? "all that was taken in" : $"not {found.Unreceived} receipts that were acknowledged")}.");
            if (found.Others > 0) console.WriteLine($"Others were at work meanwhile: {found.Others} movements of stock are not of this run. They are not counted against the shop.");
            return found.Agree ? 0 : 1;
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException or JsonException)
        {
            console.MarkupLineInterpolated($"[red]The books can't be compared:[/] the shop does not answer any more. {exception.Message}");
            return 1;
        }
    }

    // What a cancelled order held comes back behind its answer.
    private async Task<Findings> SettledAsync(Audit audit)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            Findings found = await audit.CompareAsync(_ledger, _tally);
            if (found.Agree || Stopwatch.GetElapsedTime(start) > TimeSpan.FromSeconds(5)) return found;
        }
    }

    private static string Some(IReadOnlyList<string> ids) => ids.Count > 3 ? $"{string.Join(", ", ids.Take(3))}, …" : string.Join(", ", ids);

    private void Verdict(bool agrees, string line) => console.MarkupLineInterpolated(agrees ? $"[green]agrees[/]   {line}" : (FormattableString)$"[red]differs[/]  {line}");

    private static string Number(double millis) => millis.ToString(millis < 10 ? "0.0" : "0", CultureInfo.InvariantCulture);
}
