using Shop.Inventory.Contracts;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Faults;
using Shop.Testing;

namespace Shop.Inventory.Tests;

/// <summary>Stock that runs out on demand, while it is sold.</summary>
internal sealed class StockOutageTests : StockFixture
{
    [Test]
    public async Task Given_units_that_are_sold_between_the_choice_and_the_removal_then_the_rest_is_taken_and_given_back()
    {
        await Reservations.OpenAsync([new OpeningStock("p", 10)]);
        // The writer is held: first an order waits for it, then the removal of all that could be sold before.
        using var release = new ManualResetEventSlim();
        Task held = Writes.WriteAsync(() =>
        {
            release.Wait();
            return WriteResult.Commit(0);
        });
        Func<Task> endAsync;
        try
        {
            _ = Reservations.ReserveAsync(new ReservationId("order", 1), [new StockLine("p", 3)]).AsTask();
            await Eventually.IsSoAsync(() => Writes.Unwritten == 2);
            endAsync = Begin();
            await Eventually.IsSoAsync(() => Writes.Unwritten == 3);
        }
        finally
        {
            release.Set();
            await held;
        }

        await Eventually.IsSoAsync(() => Store.Ledger.Levels.Find("p") is { OnHand: 3, Reserved: 3 });
        await endAsync();
        Assert.That(Store.Ledger.Levels.Find("p") is { OnHand: 10, Reserved: 3 }, Is.True,
            $"{Store.Ledger.Levels.Find("p")}");
    }

    [TestCase(1001, 1001)]
    [TestCase(5001, 5000)]
    public async Task Given_more_products_than_are_read_or_taken_at_once_then_so_many_run_out_and_all_is_given_back(
        int products, int taken)
    {
        await Reservations.OpenAsync(
            [.. Enumerable.Range(0, products).Select(n => new OpeningStock($"p{n:0000}", 1))]);
        Func<Task> endAsync = Begin();
        await Eventually.IsSoAsync(() => Store.Ledger.Levels.All.Count(level => level.OnHand == 0) == taken);
        await endAsync();
        Assert.That(Store.Ledger.Levels.All.Select(level => level.OnHand), Is.All.EqualTo(1));
    }

    /// <summary>Begins to take all stock.</summary>
    /// <returns>Ends it.</returns>
    private Func<Task> Begin()
    {
        var adjust = new AdjustStock(Store, new InventoryMetrics(Store, Files.Context));
        var outage = new StockOutage(Store, adjust, Files.Context);
        var run = new FaultRun(new Fault(StockOutage.Definition), "run", 1, DateTimeOffset.MaxValue);
        var end = new CancellationTokenSource();
        Task running = outage.RunAsync(run, end.Token);
        return async () =>
        {
            run.End(DateTimeOffset.MinValue);
            await end.CancelAsync();
            await running;
            end.Dispose();
        };
    }
}
