using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Shop.Platform.Data.Postgres;
using Shop.Products.Storage.Postgres;
using Shop.Testing;

namespace Shop.Products.Tests;

/// <summary>How a host keeps its catalogue in step with the products in PostgreSQL.</summary>
internal sealed class CatalogueFeedTests
{
    /// <summary>The first read of the products waits here, with what it has read.</summary>
    private const string HoldFirstRead = """
        CREATE SEQUENCE reads;
        CREATE FUNCTION hold_first_read() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('reads') = 1 THEN PERFORM pg_advisory_lock(1); END IF;
            RETURN true;
        END $$;
        ALTER TABLE products RENAME TO all_products;
        CREATE VIEW products AS SELECT * FROM all_products WHERE hold_first_read()
        """;

    private ModuleSchema _schema = null!;
    private Catalogue _catalogue = null!;
    private CatalogueFeed _feed = null!;

    [SetUp]
    public async Task Open()
    {
        _schema = await ModuleSchema.OpenAsync(new ProductsModule());
        _catalogue = new Catalogue();
        _feed = new CatalogueFeed(_schema.Context.Postgres, _catalogue, NullLogger.Instance);
        await _schema.ExecuteAsync("""
            INSERT INTO products (id, name, description, price_cents, category, version, created_at, updated_at)
            VALUES ('lamp', 'Lamp', '', 100, 'Home', 1, 0, 0)
            """);
    }

    [TearDown]
    public async Task Close()
    {
        await _feed.DisposeAsync();
        await _schema.DisposeAsync();
    }

    [TestCase("a change")]
    [TestCase("all products")]
    public async Task Given_a_slow_read_of_a_product_when_it_is_changed_and_read_again_then_the_catalogue_keeps_the_later_version(
        string slow)
    {
        await _schema.ExecuteAsync(HoldFirstRead);
        await using NpgsqlConnection holding = await _schema.OpenSessionAsync();
        await ModuleSchema.ExecuteAsync(holding, "SELECT pg_advisory_lock(1)");
        Task first = slow == "a change" ? _feed.ReadAsync(["lamp"]) : _feed.StartAsync();
        await Eventually.IsAsync(async () => await NumberAsync(
            """
            SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database
            WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
            """), 1);
        await _schema.ExecuteAsync("UPDATE all_products SET version = 2, price_cents = 200");
        Task second = _feed.ReadAsync(["lamp"]);
        // A read that does not wait for the first one is there long before these are.
        for (int i = 0; i < 200 && !second.IsCompleted; i++) await NumberAsync("SELECT 1");
        await ModuleSchema.ExecuteAsync(holding, "SELECT pg_advisory_unlock(1)");
        await Task.WhenAll(first, second);
        Assert.That(_catalogue.Find("lamp")?.Product.Version, Is.EqualTo(2));
    }

    [TestCase(1000)]
    [TestCase(1001)]
    [TestCase(2001)]
    public async Task Given_more_products_than_are_read_at_once_when_a_host_starts_then_it_has_each(int products)
    {
        await _schema.ExecuteAsync($"""
            INSERT INTO products (id, name, description, price_cents, category, version, created_at, updated_at)
            SELECT 'p' || number, 'Lamp', '', 100, 'Home', 1, 0, 0 FROM generate_series(2, {products}) AS number
            """);
        await _feed.StartAsync();
        Assert.That(_catalogue.Count, Is.EqualTo(products));
    }

    [TestCase(0, true)]
    [TestCase(5, false)]
    public async Task Given_a_host_that_reads_changes_again_then_it_has_missed_some_if_they_are_not_kept_for_as_long(
        int minutes, bool hasMissed)
    {
        await using var changes = new PostgresChanges(_schema.Context.Postgres, NullLogger.Instance)
        {
            MaxLag = TimeSpan.FromMinutes(minutes),
        };
        await changes.BeginAsync();
        int missed = 0;
        var delivered = new TaskCompletionSource();
        changes.Follow(
            ids =>
            {
                if (ids.Contains("last")) delivered.SetResult();
                return Task.CompletedTask;
            },
            missed: () =>
            {
                missed++;
                return Task.CompletedTask;
            });
        await AddChangeAsync("last");
        await delivered.Task.WaitAsync(Eventually.Patience);
        Assert.That(missed > 0, Is.EqualTo(hasMissed));
    }

    // While an older transaction is open, the feed knows by their numbers which changes were delivered.
    [TestCase(false)]
    [TestCase(true)]
    public async Task Given_changes_that_cannot_be_read_at_first_when_they_can_be_again_then_each_is_delivered(
        bool isOlderOpen)
    {
        await using NpgsqlConnection connection = await _schema.OpenSessionAsync();
        await using NpgsqlTransaction older = await connection.BeginTransactionAsync();
        if (isOlderOpen) await ModuleSchema.ExecuteAsync(connection, OfAnotherHost("older"));
        await using var changes = new PostgresChanges(_schema.Context.Postgres, NullLogger.Instance);
        await changes.BeginAsync();
        var delivered = new ConcurrentQueue<string>();
        int tries = 0;
        changes.Follow(ids =>
        {
            if (++tries % 2 == 1) throw new InvalidOperationException("not now");
            foreach (string id in ids) delivered.Enqueue(id);
            return Task.CompletedTask;
        }, missed: () => Task.CompletedTask);
        foreach (string id in new[] { "lamp", "vase" })
        {
            await AddChangeAsync(id);
            await Eventually.IsSoAsync(() => delivered.Contains(id));
        }

        Assert.That(delivered, Is.EqualTo(new[] { "lamp", "vase" }));
    }

    [Test]
    public async Task Given_a_change_that_is_committed_long_after_others_then_each_is_delivered_once()
    {
        await using NpgsqlConnection connection = await _schema.OpenSessionAsync();
        await using NpgsqlTransaction late = await connection.BeginTransactionAsync();
        await ModuleSchema.ExecuteAsync(connection, OfAnotherHost("late"));
        await using var changes = new PostgresChanges(_schema.Context.Postgres, NullLogger.Instance);
        await changes.BeginAsync();
        ConcurrentQueue<string> delivered = Follow(changes);
        foreach (string id in new[] { "one", "two", "three" })
        {
            await AddChangeAsync(id);
            await Eventually.IsSoAsync(() => delivered.Contains(id));
        }

        await late.CommitAsync();
        await Eventually.IsSoAsync(() => delivered.Contains("late"));
        Assert.That(delivered, Is.EqualTo(new[] { "one", "two", "three", "late" }));
    }

    [Test]
    public async Task Given_a_poll_that_breaks_off_between_two_changes_then_the_host_gets_both_after_all()
    {
        await using var changes = new PostgresChanges(_schema.Context.Postgres, NullLogger.Instance);
        await changes.BeginAsync();
        // At the first poll, the second of the changes can't be read.
        await _schema.ExecuteAsync("""
            CREATE SEQUENCE polls;
            ALTER TABLE changes RENAME TO all_changes;
            CREATE VIEW changes AS SELECT transaction, ids, at,
                CASE WHEN ids = '{second}' AND nextval('polls') = 1 THEN NULL ELSE host END AS host FROM all_changes
            """);
        foreach (string id in new[] { "first", "second" })
            await _schema.ExecuteAsync($"INSERT INTO all_changes (host, ids) VALUES (1, '{{{id}}}')");
        ConcurrentQueue<string> delivered = Follow(changes);
        await Eventually.IsAsync(
            () => Task.FromResult(delivered.Distinct()), Is.EquivalentTo(new[] { "first", "second" }));
    }

    [Test]
    public async Task Given_old_changes_when_a_host_follows_the_feed_then_those_of_ten_minutes_ago_go_and_no_younger_ones()
    {
        await _schema.ExecuteAsync("""
            INSERT INTO changes (host, ids, at)
            SELECT 1, ARRAY['a' || age], now() - age * interval '1 minute' FROM unnest(ARRAY[0, 5, 9, 11, 60]) AS age
            """);
        await _feed.StartAsync();
        await Eventually.IsAsync(async () => await _schema.Context.Postgres.RowsAsync(
            "SELECT ids[1] FROM changes ORDER BY at DESC", row => row.GetString(0), CancellationToken.None),
            new[] { "a0", "a5", "a9" });
        await using var changes = new PostgresChanges(_schema.Context.Postgres, NullLogger.Instance);
        Assert.That(changes.MaxLag, Is.LessThan(TimeSpan.FromMinutes(9)), "a host that misses one reads all again");
    }

    private async Task<long> NumberAsync(string sql) =>
        (await _schema.Context.Postgres.RowsAsync(sql, row => Convert.ToInt64(row.GetValue(0)),
            CancellationToken.None))[0];

    /// <summary>As another host adds a change to the feed.</summary>
    private Task AddChangeAsync(string id) => _schema.ExecuteAsync(OfAnotherHost(id));

    private static string OfAnotherHost(string id) => $"INSERT INTO changes (host, ids) VALUES (1, '{{{id}}}')";

    /// <summary>Follows the feed.</summary>
    /// <returns>The ids that it delivers.</returns>
    private static ConcurrentQueue<string> Follow(PostgresChanges changes)
    {
        var delivered = new ConcurrentQueue<string>();
        changes.Follow(
            ids =>
            {
                foreach (string id in ids) delivered.Enqueue(id);
                return Task.CompletedTask;
            },
            missed: () => Task.CompletedTask);
        return delivered;
    }
}
