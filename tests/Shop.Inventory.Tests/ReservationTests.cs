using CsCheck;
using Shop.Inventory.Contracts;
using Shop.Platform.Data.Sqlite;

namespace Shop.Inventory.Tests;

internal sealed class ReservationTests : StockFixture
{
    private const string Commits = """db_commit_batch_size_count{service="inventory-service"}""";
    private const string OpenReservations = """inventory_reservations_open{service="inventory-service"}""";

    [Test]
    public async Task Given_lines_of_which_one_is_short_when_reserved_then_none_is_held_and_every_short_one_is_named()
    {
        await Reservations.OpenAsync([new("a", 5), new("b", 1)]);
        Reservation reservation = await Reservations.ReserveAsync(new("o", 1),
            [new("a", 2), new("b", 2), new("ghost", 1)]);
        Assert.That(reservation.Outcome, Is.EqualTo(ReservationOutcome.TooLittleStock));
        Assert.That(reservation.Shortages, Is.EqualTo([new Shortage("b", 2, 1), new Shortage("ghost", 1, 0)]));
        Assert.That((Store.Levels.Find("a")!.Value.Reserved, Store.CountReservationsAsync(default).AsTask().Result),
            Is.EqualTo((0L, 0L)));
    }

    [Test]
    public async Task Given_a_reservation_when_it_is_repeated_then_nothing_changes_and_one_of_another_number_is_refused()
    {
        await Reservations.OpenAsync([new("a", 5)]);
        await Reservations.ReserveAsync(new("o", 1), [new("a", 2)]);
        Assert.That((await Reservations.ReserveAsync(new("o", 1), [new("a", 2)])).Outcome,
            Is.EqualTo(ReservationOutcome.Held));
        Assert.That((await Reservations.ReserveAsync(new("o", 2), [new("a", 2)])).Outcome,
            Is.EqualTo(ReservationOutcome.HeldByAnother));
        Assert.That((await Reservations.ReserveAsync(new("o", 2), [new("a", 4)])).Outcome,
            Is.EqualTo(ReservationOutcome.HeldByAnother), "nor does it say that the stock is too little");
        Assert.That(Store.Levels.Find("a")!.Value.Reserved, Is.EqualTo(2));
    }

    [Test]
    public async Task Given_any_call_when_it_is_made_twice_then_the_second_changes_nothing()
    {
        await Reservations.OpenAsync([new("a", 5)]);
        await Reservations.OpenAsync([new("a", 100)]);
        foreach ((string order, Func<IReadOnlyList<ReservationId>, Task> close) in new (string,
            Func<IReadOnlyList<ReservationId>, Task>)[]
            { ("shipped", Reservations.ShipAsync), ("released", Reservations.ReleaseAsync) })
        {
            await Reservations.ReserveAsync(new(order, 1), [new("a", 1)]);
            await Reservations.ConfirmAsync([new(order, 1)]);
            await Reservations.ConfirmAsync([new(order, 1)]);
            await close([new(order, 1)]);
            await close([new(order, 1)]);
        }

        StockLevel stock = Store.Levels.Find("a")!.Value;
        Assert.That((stock.OnHand, stock.Reserved), Is.EqualTo((4L, 0L)));
    }

    [TestCase("released", 10, 3)]
    [TestCase("shipped", 8, 3)]
    public async Task Given_a_reservation_that_is_named_twice_when_it_is_closed_then_its_units_move_once(
        string kind, long onHand, long reserved)
    {
        await Reservations.OpenAsync([new("a", 10)]);
        ReservationId closed = new("o", 1);
        await Reservations.ReserveAsync(closed, [new("a", 2)]);
        await Reservations.ReserveAsync(new("open", 1), [new("a", 3)]);
        CloseResult result = await Store.CloseAsync([closed, closed], MovementKind.Find(kind)!);
        Assert.That(result, Is.EqualTo(new CloseResult(1, new MovementTotals(1, 2))));
        StockLevel stock = Store.Levels.Find("a")!.Value;
        Assert.That((stock.OnHand, stock.Reserved), Is.EqualTo((onHand, reserved)));
    }

    [Test]
    public async Task Given_an_order_that_is_tried_again_when_calls_of_its_first_try_come_late_then_its_units_stay_held()
    {
        await Reservations.OpenAsync([new("a", 5)]);
        ReservationId first = new("o", 1), second = new("o", 2);
        await Reservations.ReserveAsync(first, [new("a", 1)]);
        await Reservations.ReleaseAsync([first]);
        await Reservations.ReserveAsync(second, [new("a", 2)]);
        await Reservations.ReleaseAsync([first]);
        await Reservations.ShipAsync([first]);
        await Reservations.ConfirmAsync([first]);
        StockLevel stock = Store.Levels.Find("a")!.Value;
        Assert.That((stock.OnHand, stock.Reserved), Is.EqualTo((5L, 2L)));
        Assert.That(await Reservations.UnconfirmedAsync(), Is.EqualTo([second]));
    }

    [Test]
    public async Task Given_reservations_when_some_are_confirmed_then_the_rest_are_told_as_unconfirmed()
    {
        await Reservations.OpenAsync([new("a", 9)]);
        foreach (string order in new[] { "one", "two", "three" }) await Reservations.ReserveAsync(new(order, 7),
            [new("a", 1)]);
        await Reservations.ConfirmAsync([new("two", 7)]);
        Assert.That(await Reservations.UnconfirmedAsync(),
            Is.EquivalentTo(new ReservationId[] { new("one", 7), new("three", 7) }));
    }

    [Test]
    public async Task Given_many_reservations_when_they_are_released_together_then_it_is_one_write_and_the_gauge_follows()
    {
        await Reservations.OpenAsync([new("a", 100)]);
        ReservationId[] ids = [.. Enumerable.Range(0, 100).Select(n => new ReservationId($"{n}", n))];
        foreach (ReservationId id in ids) await Reservations.ReserveAsync(id, [new("a", 1)]);
        double before = (await Files.MetricsAsync())[Commits];
        await Reservations.ReleaseAsync(ids);
        IReadOnlyDictionary<string, double> metrics = await Files.MetricsAsync();
        Assert.That((metrics[Commits] - before, metrics[OpenReservations]), Is.EqualTo((1, 0)));
        Assert.That(Store.Levels.Find("a")!.Value.Reserved, Is.Zero);
    }

    [Test]
    public async Task Given_a_clock_that_is_set_back_then_the_times_of_a_products_movements_never_go_back()
    {
        await Reservations.OpenAsync([new("a", 9)]);
        await Writes.WriteAsync(() =>
            WriteResult.Commit(Store.Ledger.Append(MovementKind.Received, "a", 1, null, DateTime.UtcNow.AddHours(1))));
        await Reservations.ReserveAsync(new("o", 1), [new("a", 1)]);
        long[] times = [.. Store.NewestMovementsAsync("a", 10, default)
            .AsTask().Result.Select(movement => movement.At)];
        Assert.That(times, Is.Ordered.Descending.And.Length.EqualTo(3));
        Assert.That(Store.Levels.Find("a")!.Value.LastUpdated, Is.EqualTo(times[0]));
    }

    [Test]
    public void Given_any_orders_at_once_then_no_unit_is_held_twice()
    {
        int history = 0;
        Gen.Select(Gen.Long[0, 30], Gen.Long[1, 7].Array[1, 30]).Sample((stock, wishes) =>
        {
            string product = $"p{Interlocked.Increment(ref history)}";
            Reservations.OpenAsync([new(product, stock)]).Wait();
            Task<Reservation>[] reservations =
                [.. wishes.Select((wish, n) => Reservations.ReserveAsync(new($"{product}-{n}", 0), [new(product, wish)])
                    .AsTask())];
            Task.WaitAll(reservations);
            long held = wishes.Where((_, n) => reservations[n].Result.Outcome == ReservationOutcome.Held).Sum();
            return held <= stock && Store.Levels.Find(product)!.Value.Reserved == held
                && wishes.Where((_, n) => reservations[n].Result.Outcome != ReservationOutcome.Held)
                    .All(wish => wish > stock - held);
        }, iter: 200, threads: 1);
    }

    [Test]
    public async Task Given_more_than_50_products_when_scraped_then_the_50_with_the_lowest_stock_have_a_series_and_those_that_no_longer_are_lose_it()
    {
        await Reservations.OpenAsync([.. Enumerable.Range(0, 120).Select(n => new OpeningStock($"p{n:000}", n))]);
        IReadOnlyDictionary<string, double> first = await Files.MetricsAsync();
        Assert.That(Levels(first), Is.EquivalentTo(Enumerable.Range(0, 50)
            .Select(n => (Series($"p{n:000}"), (double)n))));
        await Reservations.ReserveAsync(new("o", 1), [new("p119", 119)]);
        Assert.That(Levels(await Files.MetricsAsync()), Is.EquivalentTo(Enumerable.Range(0, 49)
            .Select(n => (Series($"p{n:000}"), (double)n)).Append((Series("p119"), 0d))));
    }

    [Test]
    public async Task Given_a_batch_that_runs_twice_for_a_neighbour_that_is_undone_when_it_has_a_reservation_then_its_movements_are_counted_once()
    {
        await Reservations.OpenAsync([new("a", 5), new("b", 5)]);
        using var areQueued = new ManualResetEventSlim();
        Task<int> holdsUp = Writes.WriteAsync(() =>
        {
            areQueued.Wait();
            return WriteResult.Commit(0);
        });
        Task<Reservation> reservation = Reservations.ReserveAsync(new("o", 1), [new("a", 2), new("b", 1)]).AsTask();
        int runs = 0;
        Task<int> undone = Writes.WriteAsync<int>(() =>
        {
            runs++;
            Store.Ledger.Append(MovementKind.Reserved, "a", 1, "other", DateTime.UnixEpoch);
            throw new InvalidOperationException("no");
        });
        areQueued.Set();

        await holdsUp;
        Assert.That((await reservation).Outcome, Is.EqualTo(ReservationOutcome.Held));
        Assert.That(async () => await undone, Throws.InvalidOperationException);
        Assert.That(runs, Is.EqualTo(2));
        IReadOnlyDictionary<string, double> metrics = await Files.MetricsAsync();
        Assert.That(metrics["""inventory_movements_total{kind="reserved",service="inventory-service"}"""],
            Is.EqualTo(2));
        Assert.That(metrics["""inventory_units_moved_total{kind="reserved",service="inventory-service"}"""],
            Is.EqualTo(3));
    }

    private static IEnumerable<(string, double)> Levels(IReadOnlyDictionary<string, double> metrics) =>
        metrics.Where(series => series.Key.StartsWith("inventory_stock_level{", StringComparison.Ordinal))
            .Select(series => (series.Key, series.Value));

    private static string Series(string product) =>
        $$"""inventory_stock_level{product_id="{{product}}",service="inventory-service"}""";
}
