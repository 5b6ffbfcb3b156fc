using System.Data.Common;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Shop.EndToEnd.Tests;

/// <summary>A shop whose owner lets old orders go, seen from outside.</summary>
[TestFixture(Engine.Sqlite)]
[TestFixture(Engine.Postgres, Category = "CI")]
internal sealed class RetentionTests(Engine engine) : EngineFixture(engine)
{
    private const string Setting = "Shop:OrderRetention=3";

    private MovableClock _clock = null!;
    private ShopUnderTest _shop = null!;

    [SetUp]
    public async Task Start()
    {
        _clock = new MovableClock();
        _shop = await ShopUnderTest.StartAsync(services => services.AddSingleton<TimeProvider>(_clock), null, Setting);
    }

    [TearDown]
    public async Task Stop() => await _shop.DisposeAsync();

    [Test]
    public async Task Given_orders_of_all_kinds_when_some_are_old_then_these_are_gone_everywhere_and_the_books_agree()
    {
        string product = await _shop.ProductAsync(stock: 100);
        string created = await _shop.OrderAsync(product, 1), delivered = await _shop.OrderAsync(product, 2),
            cancelled = await _shop.OrderAsync(product, 3);
        await StepsAsync(delivered, "pay", "ship", "deliver");
        await StepsAsync(cancelled, "cancel");
        _clock.Move(TimeSpan.FromDays(2.9));
        string late = await _shop.OrderAsync(product, 4);
        await StepsAsync(late, "cancel");
        await _shop.RestartAsync();
        Assert.That(await IdsAsync("/orders"), Is.EqualTo([late, cancelled, delivered, created]), "below the edge");
        _clock.Move(TimeSpan.FromDays(0.2));
        await _shop.RestartAsync();
        await GoneAsync(2);
        Assert.That(await IdsAsync("/orders"), Is.EqualTo([late, created]));
        Assert.That(await IdsAsync($"/orders?product_id={product}"), Is.EqualTo([late, created]));
        Assert.That(await IdsAsync("/orders?customer_id=someone"), Is.EqualTo([late, created]));
        Assert.That(await IdsAsync("/orders?status=delivered"), Is.Empty);
        foreach (string gone in new[] { delivered, cancelled })
        {
            foreach (string path in new[] { $"/orders/{gone}", $"/orders/{gone}/events", $"/order/{gone}" })
                Assert.That((int)(await _shop.Orders.GetAsync(path)).StatusCode, Is.EqualTo(404), path);
            Assert.That((int)(await _shop.Orders.PostAsync($"/orders/{gone}/deliver")).Response.StatusCode,
                Is.EqualTo(404));
        }

        JsonNode[] movements = [.. (await _shop.Inventory.GetJsonAsync($"/inventory/{product}/movements"))
            .AsArray().Select(each => each!)];
        Assert.That(movements.Select(each => (string)each["kind"]!),
            Is.EqualTo(["released", "reserved", "reserved", "opening"]));
        Assert.That(((string)movements[^1]["id"]!, (long)movements[^1]["on_hand"]!, (long)movements[^1]["reserved"]!),
            Is.EqualTo(("0", 98, 0)));
        Assert.That(await _shop.StockAsync(product), Is.EqualTo((97, 98, 1)));
        Assert.That((int)(await _shop.Inventory.GetAsync($"/stock/{product}")).StatusCode, Is.EqualTo(200));
        string next = await _shop.OrderAsync(product, 5);
        Assert.That((await IdsAsync("/orders"))[0], Is.EqualTo(next));
        await BooksAgreeAsync();
    }

    [Test]
    public async Task Given_an_old_order_that_keys_were_bound_to_late_then_they_have_their_answers_for_48_hours_and_its_id_is_free_after_that()
    {
        string product = await _shop.ProductAsync(stock: 100);
        object body = new
        {
            order_id = "own",
            customer_id = "someone",
            items = new[] { new { product_id = product, quantity = 1 } },
        };
        (_, JsonNode? first) = await _shop.Orders.PostAsync("/orders", body);
        await StepsAsync("own", "pay", "ship", "deliver");
        _clock.Move(TimeSpan.FromDays(2.9));
        await _shop.Orders.PostAsync("/orders", body, ("Idempotency-Key", "late-place"));
        (_, JsonNode? delivered) = await _shop.Orders.PostAsync("/orders/own/deliver", null,
            ("Idempotency-Key", "late-step"));
        _clock.Move(TimeSpan.FromDays(1.9));
        await _shop.RestartAsync();
        await ReplaysAsync("/orders", body, "late-place", 201, first!);
        await ReplaysAsync("/orders/own/deliver", null, "late-step", 200, delivered!);
        _clock.Move(TimeSpan.FromDays(0.2));
        await _shop.RestartAsync();
        await GoneAsync(1);
        Assert.That((int)(await _shop.Orders.PostAsync("/orders/own/deliver", null, ("Idempotency-Key", "late-step")))
            .Response.StatusCode, Is.EqualTo(404));

        object other = new
        {
            order_id = "own",
            customer_id = "another",
            items = new[] { new { product_id = product, quantity = 7 } },
        };
        (HttpResponseMessage again, JsonNode? second) = await _shop.Orders.PostAsync("/orders", other);
        Assert.That(((int)again.StatusCode, again.Header("Idempotency-Replayed"), (string)second!["customer_id"]!),
            Is.EqualTo((201, (string?)null, "another")));
        await StepsAsync("own", "pay", "ship");
        Assert.That(await _shop.StockAsync(product), Is.EqualTo((92, 92, 0)));
        await BooksAgreeAsync();
    }

    [Test]
    public async Task Given_a_clock_that_is_set_back_after_orders_went_then_their_keys_say_so_and_nothing_fails()
    {
        string product = await _shop.ProductAsync(stock: 100);
        (_, JsonNode? order) = await _shop.Orders.PostAsync("/orders", Http.Order(product),
            ("Idempotency-Key", "place"));
        string id = (string)order!["order_id"]!;
        await _shop.Orders.PostAsync($"/orders/{id}/cancel", null, ("Idempotency-Key", "cancel"));
        // The keys are purged at a start, too: these come back from a copy.
        string[] keys = ["place", "cancel"];
        var kept = Rows("SELECT * FROM idempotency_keys");
        _clock.Move(TimeSpan.FromDays(4));
        await _shop.RestartAsync();
        await GoneAsync(1);
        await _shop.CloseAsync();
        foreach (object[] row in kept) Insert(row);
        _clock.Move(TimeSpan.FromDays(-4));
        await using ShopUnderTest again = await ShopUnderTest.StartAsync(
            services => services.AddSingleton<TimeProvider>(_clock), _shop.DataDirectory, Setting);
        (HttpResponseMessage placed, JsonNode? problem) = await again.Orders.PostAsync("/orders", Http.Order(product),
            ("Idempotency-Key", keys[0]));
        Assert.That(((int)placed.StatusCode, (string)problem!["type"]!),
            Is.EqualTo((409, "urn:shop:problem:order-deleted")));
        Assert.That((int)(await again.Orders.PostAsync($"/orders/{id}/cancel", null, ("Idempotency-Key", keys[1])))
            .Response.StatusCode, Is.EqualTo(404));
    }

    private static async Task BooksAgreeAsync(string directory)
    {
        (int code, string output) = await ShopVerb.RunAsync("check", $"--Shop:DataDirectory={directory}");
        Assert.That(code, Is.Zero, output);
    }

    private async Task BooksAgreeAsync()
    {
        await _shop.CloseAsync();
        if (Current == Engine.Sqlite) await BooksAgreeAsync(_shop.DataDirectory); // the verb reads files
    }

    private async Task StepsAsync(string id, params string[] steps)
    {
        foreach (string step in steps)
        {
            Assert.That((int)(await _shop.Orders.PostAsync($"/orders/{id}/{step}")).Response.StatusCode,
                Is.EqualTo(200), step);
        }
    }

    private async Task ReplaysAsync(string path, object? body, string key, int status, JsonNode answer)
    {
        (HttpResponseMessage response, JsonNode? json) = await _shop.Orders.PostAsync(
            path, body, ("Idempotency-Key", key));
        Assert.That(((int)response.StatusCode, response.Header("Idempotency-Replayed")), Is.EqualTo((status, "true")));
        Assert.That(JsonNode.DeepEquals(json, answer), Is.True);
    }

    // A round begins at each start. Movements go after orders, and these few in one write.
    private async Task GoneAsync(int orders)
    {
        await Until(async () => (await Exposition.OfAsync(_shop.Orders))["orders_deleted_total"] >= orders);
        await Until(async () =>
            (await Exposition.OfAsync(_shop.Inventory))["inventory_movements_deleted_total"] >= 2 * orders);
    }

    private static async Task Until(Func<Task<bool>> isSo)
    {
        for (long start = System.Diagnostics.Stopwatch.GetTimestamp(); !await isSo();)
            Assert.That(System.Diagnostics.Stopwatch.GetElapsedTime(start),
                Is.LessThan(TimeSpan.FromMinutes(1)), "it did not come about");
    }

    private async Task<string[]> IdsAsync(string path)
    {
        (HttpResponseMessage response, JsonNode? orders) = await _shop.Orders.SendJsonAsync(HttpMethod.Get, path);
        string[] ids = [.. orders!.AsArray().Select(order => (string)order!["order_id"]!)];
        Assert.That(response.Header("X-Total-Count"), Is.EqualTo($"{ids.Length}"));
        return ids;
    }

    private List<object[]> Rows(string sql)
    {
        using DbConnection connection = OpenOrders();
        using DbCommand command = connection.CreateCommand();
        command.CommandText = sql;
        using DbDataReader reader = command.ExecuteReader();
        var rows = new List<object[]>();
        while (reader.Read())
        {
            object[] row = new object[reader.FieldCount];
            reader.GetValues(row);
            rows.Add(row);
        }

        return rows;
    }

    private void Insert(object[] key)
    {
        using DbConnection connection = OpenOrders();
        using DbCommand command = connection.CreateCommand();
        command.CommandText = "INSERT INTO idempotency_keys VALUES (@a, @b, @c, @d) ON CONFLICT DO NOTHING";
        foreach ((string name, object value) in new[] { "a", "b", "c", "d" }.Zip(key))
        {
            DbParameter parameter = command.CreateParameter();
            (parameter.ParameterName, parameter.Value) = (name, value);
            command.Parameters.Add(parameter);
        }

        command.ExecuteNonQuery();
    }

    private DbConnection OpenOrders()
    {
        DbConnection connection = Current == Engine.Postgres
            ? new NpgsqlConnection(
                PostgresCluster.Shared.DatabaseOf(_shop.DataDirectory) + ";Pooling=false;Search Path=orders")
            : new SqliteConnection($"Data Source={Path.Combine(_shop.DataDirectory, "orders.db")};Pooling=False");
        connection.Open();
        return connection;
    }
}
