using System.Collections.Concurrent;
using System.Diagnostics;
using Shop.Inventory.Contracts;
using Shop.Orders.Storage.Postgres;
using Shop.Platform.Requests;
using Shop.Testing;

namespace Shop.Orders.Tests;

/// <summary>The orders in PostgreSQL, as two hosts use them at once.</summary>
internal sealed class PostgresOrderStoreTests
{
    private static readonly DateTime Now = new(2026, 1, 31, 12, 0, 0, DateTimeKind.Utc);

    private ModuleSchema _here = null!, _there = null!;
    private PostgresOrderStore _one = null!, _other = null!;

    [OneTimeSetUp]
    public async Task Open()
    {
        _here = await ModuleSchema.OpenAsync(new OrdersModule());
        _there = await ModuleSchema.OpenAsync(new OrdersModule(), _here.Address);
        _one = new PostgresOrderStore(_here.Context.Postgres, _here.Context.Log);
        _other = new PostgresOrderStore(_there.Context.Postgres, _there.Context.Log);
    }

    [OneTimeTearDown]
    public async Task Close()
    {
        await _one.DisposeAsync();
        await _other.DisposeAsync();
        await _here.DisposeAsync();
        await _there.DisposeAsync();
    }

    [Test]
    public async Task Given_a_reservation_that_was_given_up_then_it_gets_no_order_and_another_try_at_the_id_does()
    {
        ReservationId first = new("tried twice", 1), second = new("tried twice", 2);
        Assert.That(await _one.ResolveAsync([first]), Is.Empty);
        Assert.That(await PlaceAsync(_other, first), Is.EqualTo(PlaceResult.OrderIdInUse));
        Assert.That(await _one.FindAsync("tried twice"), Is.Null);
        Assert.That(await PlaceAsync(_other, second), Is.EqualTo(PlaceResult.Placed));
        Assert.That(await _one.ResolveAsync([first, second, new("unknown", 1)]), Is.EqualTo(new[] { second }));
        Assert.That(await PlaceAsync(_other, first), Is.EqualTo(PlaceResult.OrderIdInUse));
    }

    [Test]
    public async Task Given_reservations_that_were_given_up_a_month_ago_when_others_are_then_their_marks_go_and_younger_ones_stay()
    {
        await using ModuleSchema schema = await ModuleSchema.OpenAsync(new OrdersModule());
        await schema.ExecuteAsync("""
            INSERT INTO reservations (order_id, number, has_order, given_up) VALUES
                ('a month', 1, false, now() - interval '31 days'), ('not yet', 2, false, now() - interval '29 days')
            """);
        await using var store = new PostgresOrderStore(schema.Context.Postgres, schema.Context.Log);
        Assert.That(await store.ResolveAsync([new("now", 3)]), Is.Empty);
        Assert.That(await schema.Context.Postgres.RowsAsync("SELECT order_id FROM reservations ORDER BY order_id",
            row => row.GetString(0), CancellationToken.None), Is.EqualTo(new[] { "not yet", "now" }));
    }

    [Test]
    public async Task Given_an_old_order_whose_stock_has_yet_to_follow_or_that_keys_were_bound_to_late_then_it_stays_so_long()
    {
        await using ModuleSchema schema = await ModuleSchema.OpenAsync(new OrdersModule());
        await using var store = new PostgresOrderStore(schema.Context.Postgres, schema.Context.Log);
        DateTime now = DateTime.UnixEpoch.AddDays(40_000);
        byte[] fingerprint = IdempotencyKey.FingerprintOf("content");
        foreach ((string id, string status) in new[]
        {
            ("pending", OrderStatus.Created), ("bound", OrderStatus.Delivered), ("forgotten", OrderStatus.Delivered),
        })
        {
            var order = new Order(id, "ada", status, 100, 0, 0, [new OrderLine("p", "P", 1, 100)]);
            await store.PlaceAsync(order, new ReservationId(id, 1), fingerprint, null);
        }

        await store.ChangeStatusAsync("pending", OrderStatus.Cancelled, null, DateTime.UnixEpoch);
        await BindAsync("bound", "late", now.AddDays(-2));
        await BindAsync("bound", "by a clock that was set back", now.AddDays(-9));
        await BindAsync("forgotten", "a millisecond too early", now.AddDays(-2).AddMilliseconds(-1));
        Assert.That(await DeleteAsync(), Is.EqualTo(1));
        Assert.That(await store.FindExistingAsync(["pending", "bound", "forgotten"]),
            Is.EquivalentTo(new[] { "pending", "bound" }));
        await store.CompleteStockChangesAsync([new ReservationId("pending", 1)]);
        Assert.That(await DeleteAsync(), Is.EqualTo(1));
        Assert.That((await store.CountByStatusAsync()).Values.Sum(), Is.EqualTo(1));

        async Task BindAsync(string orderId, string key, DateTime at) => Assert.That(
            (await store.ReplayAsync(IdempotencyKey.Of(key, "content"), orderId, fingerprint, at)).Outcome,
            Is.EqualTo(ReplayOutcome.Replayed));

        async Task<int> DeleteAsync()
        {
            int deleted = 0;
            foreach (string status in OrderStatus.Final)
                deleted += (await store.DeleteAsync(status, now.AddDays(-3), 0, now)).Orders;
            return deleted;
        }
    }

    [Test]
    public async Task Given_two_reservations_of_one_id_on_two_hosts_at_once_then_one_becomes_the_order()
    {
        async Task<PlaceResult[]> PlaceAllAsync(PostgresOrderStore store, long number) => await Task.WhenAll(
            Enumerable.Range(0, 100).Select(n => PlaceAsync(store, new ReservationId($"twice {n}", number)).AsTask()));
        PlaceResult[][] results = await Task.WhenAll(PlaceAllAsync(_one, 1), PlaceAllAsync(_other, 2));
        for (int n = 0; n < results[0].Length; n++)
        {
            Assert.That(new[] { results[0][n], results[1][n] },
                Is.EquivalentTo(new[] { PlaceResult.Placed, PlaceResult.OrderIdInUse }));
        }
    }

    [Test]
    public async Task Given_reservations_that_one_host_settles_while_another_places_their_orders_then_both_say_the_same_of_each()
    {
        ReservationId[] all = [.. Enumerable.Range(0, 400).Select(n => new ReservationId($"race {n:000}", n))];
        Task<(ReservationId Id, PlaceResult Result)[]> placing = Task.WhenAll(
            all.Select(async id => (id, await PlaceAsync(_one, id))));
        var settled = new HashSet<ReservationId>();
        foreach (ReservationId[] some in all.Reverse().Chunk(20)) settled.UnionWith(await _other.ResolveAsync(some));
        (ReservationId Id, PlaceResult Result)[] placed = await placing;
        Assert.That(placed.Where(each => each.Result == PlaceResult.Placed).Select(each => each.Id),
            Is.EquivalentTo(settled));
        Assert.That((await _one.FindExistingAsync([.. all.Select(id => id.OrderId)])),
            Is.EquivalentTo(settled.Select(id => id.OrderId)));
    }

    [Test]
    public async Task Given_one_key_for_other_orders_on_two_hosts_at_once_then_one_is_placed_and_its_neighbours_are_not_harmed()
    {
        IdempotencyKey[] keys = [.. Enumerable.Range(0, 100).Select(n => IdempotencyKey.Of($"key {n}", "content")!)];
        async Task<PlaceResult[]> PlaceAllAsync(PostgresOrderStore store, string host) => await Task.WhenAll(
            keys.Select((key, n) =>
                store.PlaceAsync(Of($"{host} {n}"), new ReservationId($"{host} {n}", 0), null, key).AsTask()));
        PlaceResult[][] results = await Task.WhenAll(PlaceAllAsync(_one, "one"), PlaceAllAsync(_other, "other"));
        for (int n = 0; n < keys.Length; n++)
        {
            Assert.That(new[] { results[0][n], results[1][n] },
                Is.EquivalentTo(new[] { PlaceResult.Placed, PlaceResult.KeyInUse }));
            ReplayResult found = await _one.ReplayAsync(keys[n], null, keys[n].Fingerprint, Now);
            Assert.That((found.Outcome, found.Order!.Id),
                Is.EqualTo((ReplayOutcome.Replayed, $"{(results[0][n] == PlaceResult.Placed ? "one" : "other")} {n}")));
        }
    }

    [Test]
    public async Task Given_a_batch_that_the_database_refuses_when_its_orders_are_placed_one_by_one_then_its_span_and_that_of_the_bad_order_have_failed()
    {
        const int Bad = 50;
        var commits = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source == _here.Context.Traces,
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = span =>
            {
                if (span.OperationName == "COMMIT orders") commits.Enqueue(span);
            },
        };
        ActivitySource.AddActivityListener(listener);
        using Activity request = _here.Context.Traces.StartActivity("request")!;
        Task<PlaceResult>[] placing = [.. Enumerable.Range(0, 100)
            .Select(n => Of($"traced {n}") with { CustomerId = n == Bad ? "\0" : "ada" })
            .Select(order => _one.PlaceAsync(order, new ReservationId(order.Id, 0), null, null).AsTask())];
        Assert.That(async () => await placing[Bad], Throws.Exception);
        Assert.That(await Task.WhenAll(placing.Where((_, n) => n != Bad)), Is.All.EqualTo(PlaceResult.Placed));
        Assert.That(
            commits.Where(commit => commit.Status == ActivityStatusCode.Error)
                .Select(commit => (int)commit.GetTagItem("db.operation.batch.size")! > 1),
            Is.EquivalentTo(new[] { true, false }));
    }

    [Test]
    public async Task Given_many_orders_when_they_are_listed_again_and_again_then_postgres_keeps_the_plan(
        [Values] bool isFiltered)
    {
        const int Orders = 5000, Times = 20; // on each of two connections: the migration needs both
        await using ModuleSchema here = await ModuleSchema.OpenAsync(
            new OrdersModule(), PostgresCluster.Shared.CreateDatabase() + ";Maximum Pool Size=2");
        await here.ExecuteAsync($"""
            INSERT INTO orders (id, customer_id, status, total_cents, created_at, updated_at, reservation)
            SELECT 'order ' || n, 'ada', 'created', 100, n, n, n FROM generate_series(1, {Orders}) n;
            INSERT INTO order_lines (order_id, line, product_id, name, quantity, unit_price_cents)
            SELECT 'order ' || n, 0, 'prod_0', 'Thing', 1, 100 FROM generate_series(1, {Orders}) n;
            ANALYZE orders, order_lines
            """);
        var queries = new OrderQueries(here.Context.Postgres);
        var filter = isFiltered ? new OrderFilter("created", "ada") : new OrderFilter();
        foreach (int limit in (int[])[1, 2, 10, 20, 100, 1000])
        {
            for (int i = 0; i < 2 * Times; i++)
            {
                OrderPage page = await queries.ListAsync(filter, null, limit, default);
                Assert.That(page.Orders.Select(order => order.CreatedAt),
                    Is.EqualTo(Enumerable.Range(0, limit).Select(n => (long)Orders - n)));
                Assert.That(await queries.ListNewestAsync(filter, limit, default), Has.Count.EqualTo(limit));
            }
        }

        // PostgreSQL plans a statement anew five times before it decides to keep a plan.
        IReadOnlyList<(string Statement, long Kept, long Anew)> plans = await here.Context.Postgres.RowsAsync("""
            SELECT statement, generic_plans, custom_plans FROM pg_prepared_statements
            WHERE statement LIKE '%ORDER BY o.seq DESC%'
            """, static row => (row.GetString(0), row.GetInt64(1), row.GetInt64(2)), default);
        Assert.That(plans, Is.Not.Empty);
        Assert.That(plans, Has.All.Matches<(string Statement, long Kept, long Anew)>(
            plan => plan.Anew <= 5 && plan.Kept > plan.Anew));
    }

    [Test]
    public async Task Given_a_key_that_is_too_old_then_it_stands_for_the_next_request()
    {
        var key = IdempotencyKey.Of("old", "content");
        Assert.That(await _one.PlaceAsync(Of("before"), new("before", 0), null, key), Is.EqualTo(PlaceResult.Placed));
        Assert.That(await _one.PlaceAsync(Of("too early"), new("too early", 0), null, key),
            Is.EqualTo(PlaceResult.KeyInUse));
        DateTime later = Now + IdempotencyKey.Retention + TimeSpan.FromSeconds(1);
        Order after = Of("after") with { CreatedAt = Platform.Timestamp.ToMilliseconds(later) };
        Assert.That(await _one.PlaceAsync(after, new("after", 0), null, key), Is.EqualTo(PlaceResult.Placed));
        Assert.That((await _other.ReplayAsync(key, null, key!.Fingerprint, later)).Order?.Id, Is.EqualTo("after"));
    }

    [Test]
    public async Task Given_more_old_keys_and_batches_than_one_transaction_deletes_when_two_hosts_clean_up_then_all_old_ones_are_gone()
    {
        const int Old = 25_000;
        await using ModuleSchema here = await ModuleSchema.OpenAsync(new OrdersModule()),
            there = await ModuleSchema.OpenAsync(new OrdersModule(), here.Address);
        long oldest = Platform.Timestamp.ToMilliseconds(Now - IdempotencyKey.Retention);
        await here.ExecuteAsync($"""
            INSERT INTO idempotency_keys (key, fingerprint, answer, at)
            SELECT 'key ' || n, '', '', {oldest} - least(n, 1) FROM generate_series(0, {Old}) n;
            INSERT INTO batches (id, at)
            SELECT gen_random_uuid(), now() - least(n, 1) * interval '61 minutes' FROM generate_series(0, {Old}) n;
            """);
        await Task.WhenAll(here.Context.OwnDatabase.MaintainAsync(Now), there.Context.OwnDatabase.MaintainAsync(Now));
        IReadOnlyList<string> kept = await here.Context.Postgres.RowsAsync(
            "SELECT key FROM idempotency_keys", row => row.GetString(0), CancellationToken.None);
        Assert.That(kept, Is.EqualTo(new[] { "key 0" }));
        IReadOnlyList<bool> batches = await here.Context.Postgres.RowsAsync(
            "SELECT at < now() - interval '1 hour' FROM batches", row => row.GetBoolean(0), CancellationToken.None);
        Assert.That(batches, Is.Not.Empty.And.All.False);
    }

    [Test]
    public async Task Given_a_status_that_two_hosts_change_at_once_then_one_does_and_the_counts_are_right()
    {
        IReadOnlyDictionary<string, long> before = await _one.CountByStatusAsync();
        string[] ids = [.. Enumerable.Range(0, 100).Select(n => $"changed {n}")];
        await Task.WhenAll(ids.Select(id => PlaceAsync(_one, new ReservationId(id, 7)).AsTask()));
        ChangeStatusResult[][] results = await Task.WhenAll(
            Task.WhenAll(ids.Select(id => _one.ChangeStatusAsync(id, OrderStatus.Paid, null, Now).AsTask())),
            Task.WhenAll(
                ids.Reverse().Select(id => _other.ChangeStatusAsync(id, OrderStatus.Cancelled, null, Now).AsTask())));
        Assert.That(results[1].Select(result => result.Outcome), Is.All.EqualTo(ChangeStatusOutcome.Changed));
        Assert.That(results[0].Select(result => result.Outcome),
            Is.All.EqualTo(ChangeStatusOutcome.Changed).Or.EqualTo(ChangeStatusOutcome.NotAllowed));
        var paid = results[0].Where(result => result.Outcome == ChangeStatusOutcome.Changed)
            .Select(result => result.Order!.Id).ToHashSet();
        foreach (ChangeStatusResult cancelled in results[1])
        {
            Assert.That(cancelled.Before!.Status,
                Is.EqualTo(paid.Contains(cancelled.Order!.Id) ? OrderStatus.Paid : OrderStatus.Created));
            Assert.That(cancelled.Reservation, Is.EqualTo(new ReservationId(cancelled.Order.Id, 7)));
            Assert.That(
                string.Join(' ', (await _one.EventsAsync(cancelled.Order.Id)).Select(happened => happened.Status)),
                Is.EqualTo(paid.Contains(cancelled.Order.Id) ? "created paid cancelled" : "created cancelled"));
        }

        IReadOnlyDictionary<string, long> after = await _other.CountByStatusAsync();
        Assert.That(after[OrderStatus.Cancelled] - before[OrderStatus.Cancelled], Is.EqualTo(100));
        Assert.That(after[OrderStatus.Created], Is.EqualTo(before[OrderStatus.Created]));
        Assert.That(after[OrderStatus.Paid], Is.EqualTo(before[OrderStatus.Paid]));
    }

    [Test]
    public async Task Given_several_changes_of_an_order_in_one_batch_then_each_is_decided_after_the_one_before()
    {
        await PlaceAsync(_one, new("steps", 3));
        string[] statuses =
        [
            OrderStatus.Paid, OrderStatus.Paid, OrderStatus.Created, OrderStatus.Shipped, OrderStatus.Cancelled,
            OrderStatus.Delivered,
        ];
        ChangeStatusResult[] results =
            await Task.WhenAll(statuses.Select(status => _one.ChangeStatusAsync("steps", status, null, Now).AsTask()));
        Assert.That(results.Select(result => result.Outcome), Is.EqualTo(new[]
        {
            ChangeStatusOutcome.Changed, ChangeStatusOutcome.Unchanged, ChangeStatusOutcome.NotAllowed,
            ChangeStatusOutcome.Changed, ChangeStatusOutcome.NotAllowed, ChangeStatusOutcome.Changed,
        }));
        Assert.That((await _one.EventsAsync("steps")).Select(happened => happened.Status),
            Is.EqualTo(new[] { OrderStatus.Created, OrderStatus.Paid, OrderStatus.Shipped, OrderStatus.Delivered }));
        Assert.That((await _other.FindAsync("steps"))!.Status, Is.EqualTo(OrderStatus.Delivered));
    }

    [Test]
    public async Task Given_changes_that_the_stock_has_to_follow_then_their_host_has_them_alone_at_first_and_one_host_each_time_after_that()
    {
        await using ModuleSchema here = await ModuleSchema.OpenAsync(new OrdersModule()),
            there = await ModuleSchema.OpenAsync(new OrdersModule(), here.Address);
        PostgresOrderStore one = new(here.Context.Postgres, here.Context.Log),
            other = new(there.Context.Postgres, there.Context.Log);
        ReservationId[] all = [.. Enumerable.Range(0, 50).Select(n => new ReservationId($"{n}", n))];
        await Task.WhenAll(all.Select(id => PlaceAsync(one, id).AsTask()));
        await Task.WhenAll(
            all.Select(id => one.ChangeStatusAsync(id.OrderId, OrderStatus.Cancelled, null, Now).AsTask()));
        Assert.That(await other.PendingStockChangesAsync(), Is.Empty);
        await here.ExecuteAsync("UPDATE pending_stock SET due_at = now()");
        IReadOnlyList<StockChange>[] taken = await Task.WhenAll(one.PendingStockChangesAsync().AsTask(),
            other.PendingStockChangesAsync().AsTask());
        Assert.That(taken.SelectMany(some => some),
            Is.EquivalentTo(all.Select(id => new StockChange(id, OrderStatus.Cancelled))));
        await other.CompleteStockChangesAsync(all[..49]);
        await here.ExecuteAsync("UPDATE pending_stock SET due_at = now()");
        Assert.That(await one.PendingStockChangesAsync(),
            Is.EqualTo(new[] { new StockChange(all[49], OrderStatus.Cancelled) }));
    }

    [Test]
    public async Task Given_an_order_then_every_part_of_it_is_read_as_it_was_written()
    {
        Order order = new("all of it", "Zoë \"\\ 𝄞", OrderStatus.Created, 12_345, 1, 2,
            [new("p1", "Näme {1,2} 'x'", 10_000, 1), new("p0", "", 1, 100_000_000), new("p1", "Näme", 3, 5)]);
        byte[] fingerprint = IdempotencyKey.FingerprintOf("content");
        Assert.That(await _one.PlaceAsync(order, new(order.Id, long.MaxValue), fingerprint, null),
            Is.EqualTo(PlaceResult.Placed));
        Order found = (await _other.FindAsync(order.Id))!;
        Assert.That(found with { Lines = order.Lines }, Is.EqualTo(order));
        Assert.That(found.Lines, Is.EqualTo(order.Lines));
        Assert.That((await _other.ReplayAsync(null, order.Id, fingerprint, Now)).Outcome,
            Is.EqualTo(ReplayOutcome.Replayed));
        Assert.That((await _other.ReplayAsync(null, order.Id, [1], Now)).Outcome,
            Is.EqualTo(ReplayOutcome.OrderIdReused));
        Assert.That((await _other.ListAsync(new OrderFilter(CustomerId: order.CustomerId), null, 10, default)).Total,
            Is.EqualTo(new RowTotal(1)));
        Assert.That((await _other.ListAsync(new OrderFilter(CustomerId: "nobody\0"), null, 10, default)).Orders,
            Is.Empty, "no text of PostgreSQL's");
    }

    private static Order Of(string id) =>
        new(id, "someone", OrderStatus.Created, 300, Platform.Timestamp.ToMilliseconds(Now),
            Platform.Timestamp.ToMilliseconds(Now), [new OrderLine("p", "P", 3, 100)]);

    private static ValueTask<PlaceResult> PlaceAsync(PostgresOrderStore store, ReservationId id) =>
        store.PlaceAsync(Of(id.OrderId), id, null, null);
}
