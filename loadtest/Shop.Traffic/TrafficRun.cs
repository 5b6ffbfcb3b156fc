using System.Diagnostics;
using System.Globalization;
using System.Net;
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

    /// <returns>0 if the shop's books agree with what was acknowledged here; 1 if they don't, or the
    /// shop can't be reached.</returns>
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
            string hint = exception is HttpRequestException { StatusCode: HttpStatusCode.Unauthorized }
                ? " The shop needs a key that it knows: --key KEY." : "";
            console.MarkupLineInterpolated($"[red]The shop's books can't be read:[/] {exception.Message}{hint}");
            return 1;
        }

        LoadProfile profile = options.Profile;
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{(profile.Name == "constant" ? "" : $"{profile.Name}: up to ")}{profile.Peak:N0} requests a second to "
            + $"{options.Products}, {options.Orders}, {options.Inventory}. Ctrl-C stops."));
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        if (profile.Length is { } length) ending.CancelAfter(length);
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(SendAsync(new Mix(shop, _ledger, _tally), start, ending.Token),
            ShowAsync(start, ending.Token));
        return await CloseBooksAsync(audit, Stopwatch.GetElapsedTime(start), shop.FirstError);
    }

    /// <summary>An open model: each request has its time, however slow those before it are.</summary>
    private async Task SendAsync(Mix mix, long start, CancellationToken stop)
    {
        var underWay = new List<Task>();
        for (long number = 0; !stop.IsCancellationRequested; number++)
        {
            if (options.Profile.DueAt(number) is not { } due)
            {
                // Nothing more is due, but the time is not over.
                await Task.Delay(Timeout.Infinite, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                break;
            }

            TimeSpan early = due - Stopwatch.GetElapsedTime(start);
            if (early > TimeSpan.FromMilliseconds(1))
                await Task.Delay(early, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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
        var view = new TrafficView(options.Profile, _tally);
        if (!console.Profile.Capabilities.Interactive)
        {
            while (await TickAsync(view, start, stop)) console.WriteLine(view.Line());
            return;
        }

        await console.Live(Text.Empty).StartAsync(async live =>
        {
            while (await TickAsync(view, start, stop)) live.UpdateTarget(view.Panel());
        });
    }

    private async Task<bool> TickAsync(TrafficView view, long start, CancellationToken stop)
    {
        await Task.Delay(TimeSpan.FromSeconds(1), stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (stop.IsCancellationRequested) return false;
        view.Tick(Stopwatch.GetElapsedTime(start), Volatile.Read(ref _underWay));
        return true;
    }

    private async Task<int> CloseBooksAsync(Audit audit, TimeSpan time, string? firstError)
    {
        Latencies all = _tally.All();
        console.WriteLine();
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{all.Count:N0} answers in {time.TotalSeconds:N1} s, {all.Count / time.TotalSeconds:N1} a second; from "
            + $"when each was due: p50 {TrafficView.Number(all.P50)} ms, p95 {TrafficView.Number(all.P95)} ms, "
            + $"p99 {TrafficView.Number(all.P99)} ms."));
        Style errors = _tally.Failed > 0 ? new Style(Color.Red) : Style.Plain;
        console.WriteLine($"{_tally.Failed} errors, of which {_tally.Unanswered} had no answer; "
            + $"{_tally.Refused} orders refused for want of stock, {_tally.Retries} retries, "
            + $"{_tally.Unsent} requests not sent because too many were under way.", errors);
        if (firstError is not null) console.WriteLine($"The first error was {firstError}.", errors);
        try
        {
            Findings found = await SettledAsync(audit);
            string lost = found.Lost.Count == 0
                ? "each is there" : $"{found.Lost.Count} of them not there: {Some(found.Lost)}";
            string unacknowledged = found.Unacknowledged == 0
                ? "" : $"; {found.Unacknowledged} more are there, whose answers never came";
            Verdict(found.Lost.Count == 0, $"Orders: {found.Acknowledged} acknowledged here, {lost}{unacknowledged}.");
            string moved = found.Wrong.Count == 0
                ? "the stock's movements show those of each order"
                : $"the stock's movements do not show those of {found.Wrong.Count} orders: {Some(found.Wrong)}";
            string received = found.Unreceived == 0
                ? "all that was received" : $"not {found.Unreceived} receipts that were acknowledged";
            Verdict(found.Wrong.Count == 0 && found.Unreceived == 0, $"Units: {moved}, and {received}.");
            if (found.Others > 0)
            {
                console.WriteLine(
                    $"Others were at work meanwhile: {found.Others} movements of stock are not of this run. "
                        + "They are not counted against the shop.");
            }

            return found.Agree ? 0 : 1;
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException or JsonException)
        {
            console.MarkupLineInterpolated(
                $"[red]The books can't be compared:[/] the shop does not answer any more. {exception.Message}");
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

    private static string Some(IReadOnlyList<string> ids) =>
        ids.Count > 3 ? $"{string.Join(", ", ids.Take(3))}, …" : string.Join(", ", ids);

    private void Verdict(bool agrees, string line) => console.MarkupLineInterpolated(
        agrees ? $"[green]agrees[/]   {line}" : (FormattableString)$"[red]differs[/]  {line}");
}
