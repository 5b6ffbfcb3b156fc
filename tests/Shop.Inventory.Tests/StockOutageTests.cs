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
        var metrics = new InventoryMetrics(Store, Files.Context);
        var outage = new StockOutage(Store, new AdjustStock(Store, metrics), Files.Context);
        var run = new FaultRun(new Fault(StockOutage.Definition), "run", 1, DateTimeOffset.MaxValue);
        using var end = new CancellationTokenSource();

        // The writer is held: first an order waits for it, then the removal of all that could be sold before.
        using var release = new ManualResetEventSlim();
        Task held = Writes.WriteAsync(() =>
        {
            release.Wait();
            return WriteResult.Commit(0);
        });
        Task sold = Reservations.ReserveAsync(new ReservationId("order", 1), [new StockLine("p", 3)]).AsTask();
        await Eventually.IsSoAsync(() => Writes.Unwritten == 2);
        Task running = outage.RunAsync(run, end.Token);
        await Eventually.IsSoAsync(() => Writes.Unwritten == 3);
        release.Set();
        await held;
        await sold;
        await Eventually.IsSoAsync(() => Store.Ledger.Levels.Find("p") is { OnHand: 3, Reserved: 3 });
        run.End(DateTimeOffset.MinValue);
        await end.CancelAsync();
        await running;
        Assert.That(Store.Ledger.Levels.Find("p") is { OnHand: 10, Reserved: 3 }, Is.True,
            $"{Store.Ledger.Levels.Find("p")}");
    }
}
