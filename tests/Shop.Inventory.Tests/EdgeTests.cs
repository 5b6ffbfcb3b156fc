using Shop.Inventory.Contracts;
using Shop.Inventory.Storage.Sqlite;
using Shop.Platform.Data.Sqlite;

namespace Shop.Inventory.Tests;

/// <summary>What is bounded in number: at its edge, below it and above it.</summary>
internal sealed class EdgeTests : StockFixture
{
    [TestCase(0, 100, new long[] { 100, 90 })]
    [TestCase(91, 100, new long[] { 100, 91 })]
    [TestCase(91, 100, new long[] { 91, 100, 95 })]
    [TestCase(0, 20, new long[] { 20, 18 })]
    [TestCase(19, 20, new long[] { 19, 20 })]
    [TestCase(0, 20, new long[] { 20, 20 })]
    [TestCase(0, 9, new long[] { 9, 8 })]
    [TestCase(0, 1, new long[] { 0, 0 })]
    public void Given_levels_then_the_axis_of_their_line_starts_at_0_unless_all_changes_are_less_than_a_tenth_of_it(
        long bottom, long top, long[] levels)
    {
        var chart = new LevelChart(levels);
        Assert.That((chart.Bottom, chart.Top), Is.EqualTo((bottom, top)));
    }

    [Test]
    public async Task Given_levels_around_the_edges_then_none_is_out_one_to_nine_are_low_and_ten_is_in_stock()
    {
        await Reservations.OpenAsync(
            [.. new long[] { 0, 1, 9, 10, 11 }.Select(level => new OpeningStock($"p{level}", level))]);
        Assert.That(await StatesAsync(), Is.EqualTo((1, 2, 2)));
        await Reservations.ReserveAsync(new("o", 1), [new("p1", 1), new("p10", 1)]);
        Assert.That(await StatesAsync(), Is.EqualTo((2, 2, 1)), "what is reserved can't be sold");

        async Task<(double Out, double Low, double InStock)> StatesAsync()
        {
            IReadOnlyDictionary<string, double> metrics = await Files.MetricsAsync();
            double Of(string state) =>
                metrics.Single(series => series.Key.StartsWith("inventory_products{", StringComparison.Ordinal)
                && series.Key.Contains($"\"{state}\"", StringComparison.Ordinal)).Value;
            return (Of("out"), Of("low"), Of("in_stock"));
        }
    }

    [TestCase(49)]
    [TestCase(50)]
    [TestCase(51)]
    public async Task Given_products_then_the_fifty_with_the_lowest_levels_have_a_series_and_it_goes_when_they_are_not_among_them(
        int products)
    {
        await Reservations.OpenAsync(
            [.. Enumerable.Range(1, products).Select(level => new OpeningStock($"p{level}", level))]);
        Assert.That(await ShownAsync(),
            Is.EquivalentTo(Enumerable.Range(1, Math.Min(50, products)).Select(level => ($"p{level}", (double)level))));
        await MoveAsync(MovementKind.Received, "p1", 1000);
        IEnumerable<(string, double)> expected = Enumerable.Range(2, products - 1)
            .Select(level => ($"p{level}", (double)level)).Append(("p1", 1001d)).Take(50);
        Assert.That(await ShownAsync(), Is.EquivalentTo(expected));

        async Task<(string ProductId, double Level)[]> ShownAsync() => [.. (await Files.MetricsAsync())
            .Where(series => series.Key.StartsWith("inventory_stock_level{", StringComparison.Ordinal))
            .Select(series => (series.Key.Split("product_id=\"")[1].Split('"')[0], series.Value))];
    }

    [Test]
    public async Task Given_movements_around_the_ends_of_runs_then_every_list_and_count_is_what_a_model_says()
    {
        await Reservations.OpenAsync([new("p0", 0), new("p1", 0), new("p2", 0)]);
        var made = new List<(long Id, string ProductId)>();
        foreach (int more in new[] { 1, 1022, 1, 1, 1022, 1, 1, 1500 })
        {
            made.AddRange(await Writes.WriteAsync(() => // which may run twice
            {
                string[] products = [.. Enumerable.Range(made.Count, more).Select(n => $"p{n % 3}")];
                return WriteResult.Commit(products.Select(product =>
                    (Store.Ledger.Append(MovementKind.Received, product, 1, null, DateTime.UnixEpoch)!.Value.Id,
                        product)).ToArray());
            }));
            foreach (string product in new[] { "p0", "p2" })
            {
                long[] all = [.. made.Where(movement => movement.ProductId == product).Select(movement => movement.Id)
                    .Reverse()];
                foreach (long? before in new long?[] { null, made.Count, made.Count - 1, 1025, 1024, 1023, 2 })
                {
                    foreach (int limit in new[] { 1, 340, 5000 })
                    {
                        Assert.That(Store.ListMovementsAsync(product, before, limit,
                            default).AsTask().Result.Page.Rows.Select(row => row.Id),
                            Is.EqualTo(all.Where(id => before is null || id < before).Take(limit)),
                                $"{limit} of {product} before {before} of {made.Count}");
                    }
                }

                foreach (long atMost in new[] { all.Length - 1L, all.Length, all.Length + 1L })
                    Assert.That(Count(product, Math.Max(1, atMost)),
                        Is.EqualTo(Math.Min(all.Length, Math.Max(1, atMost))));
            }
        }
    }

    [TestCase(249)]
    [TestCase(250)]
    [TestCase(251)]
    [TestCase(999)]
    [TestCase(1000)]
    [TestCase(1001)]
    [TestCase(2001)]
    public async Task Given_old_movements_as_many_as_are_read_or_written_at_once_then_all_of_them_are_compacted_and_the_young_stay(
        int old)
    {
        await Reservations.OpenAsync([new("a", 0)]);
        DateTime edge = DateTime.UtcNow.AddHours(1);
        await Writes.WriteAsync(() =>
        {
            for (int n = 0; n < old; n++) Store.Ledger.Append(MovementKind.Received, "a", 2, null, edge);
            for (int n = 0; n < 3; n++) Store.Ledger.Append(MovementKind.Received, "a", 1, null,
                edge.AddMilliseconds(1));
            return WriteResult.Commit(0);
        });
        await new StockCheckpoint(Store.Ledger, Writes).RunAsync();
        await Reservations.CompactMovementsAsync(edge, NoneExists, default);
        Assert.That(Store.NewestMovementsAsync("a", 10, default).AsTask().Result.Select(row => (row.Kind, row.OnHand)),
            Is.EqualTo(new[] { ("received", (2L * old) + 3), ("received", (2L * old) + 2), ("received", (2L * old) + 1),
                ("opening", 2L * old) }));
        Assert.That((await Files.MetricsAsync())["""inventory_movements_deleted_total{service="inventory-service"}"""],
            Is.EqualTo(old));
    }

    [Test]
    public async Task Given_a_list_that_ends_with_an_opening_balance_when_it_has_as_many_rows_as_are_asked_for_then_the_balance_is_one_of_them()
    {
        await Reservations.OpenAsync([new("a", 5)]);
        await new StockCheckpoint(Store.Ledger, Writes).RunAsync();
        await Reservations.CompactMovementsAsync(DateTime.UtcNow.AddHours(1), NoneExists, default);
        for (int n = 0; n < 2; n++) await MoveAsync(MovementKind.Received, "a", 1);
        string[] Kinds(int limit) =>
            [.. Store.NewestMovementsAsync("a", limit, default).AsTask().Result.Select(row => row.Kind)];
        Assert.That((Kinds(2), Kinds(3), Kinds(4)), Is.EqualTo((
            new[] { "received", "received" }, new[] { "received", "received", "opening" },
            new[] { "received", "received", "opening" })));
        Assert.That(new long[] { 2, 3, 4 }.Select(atMost => Count("a", atMost)),
            Is.EqualTo(new[] { 2, 3, 3 }));
    }

    private long Count(string product, long atMost) =>
        Files.Context.Database.Read(connection => Store.CountMovements(connection, product, atMost));

    private Task<AppendedMovement?> MoveAsync(MovementKind kind, string productId, long units) =>
        Writes.WriteAsync(() =>
            WriteResult.Commit(Store.Ledger.Append(kind, productId, units, null, DateTime.UtcNow)));
}
