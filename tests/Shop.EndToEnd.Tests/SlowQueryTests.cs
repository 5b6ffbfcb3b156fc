using System.Net;
using Microsoft.Data.Sqlite;

namespace Shop.EndToEnd.Tests;

/// <summary>Lists over many rows: what they cost, and what they must not hold up.</summary>
internal sealed class SlowQueryTests
{
    private const int Orders = 100_000;

    private ShopUnderTest _shop = null!;

    [OneTimeSetUp]
    public async Task FillAsync()
    {
        _shop = await ShopUnderTest.StartAsync();
        await _shop.StopAsync();
        await using (var connection =
            new SqliteConnection($"Data Source={Path.Combine(_shop.DataDirectory, "orders.db")};Pooling=False"))
        {
            connection.Open();
            await using SqliteCommand fill = connection.CreateCommand();
            fill.CommandText = $"""
                BEGIN;
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {Orders})
                INSERT INTO orders (seq, id, customer_id, status, total_cents, created_at, updated_at)
                SELECT i, 'o' || i, 'c' || (i % 50), 'delivered', 100, i, i FROM n;
                INSERT INTO order_lines (order_seq, line, product_id, name, quantity, unit_price_cents)
                SELECT seq, 0, 'prod_0', 'P', 1, 100 FROM orders;
                INSERT INTO orders_by_product (run, product_id, order_seq)
                SELECT seq / 1024, 'prod_0', seq FROM orders WHERE seq < {Orders / 1024 * 1024};
                INSERT INTO orders_by_customer (run, customer_id, order_seq)
                SELECT seq / 1024, customer_id, seq FROM orders WHERE seq < {Orders / 1024 * 1024}
                ORDER BY 1, 2, 3;
                COMMIT;
                """;
            await fill.ExecuteNonQueryAsync();
        }

        await _shop.RestartAsync(isRunning: false);
    }

    [OneTimeTearDown]
    public async Task DisposeAsync() => await _shop.DisposeAsync();

    [Test]
    public async Task Given_lists_that_look_at_each_order_when_health_and_products_are_asked_for_then_they_do_not_wait_behind_them()
    {
        // No order is cancelled, so each list looks at all of them.
        Task<HttpResponseMessage>[] lists = [.. Enumerable.Range(0, 64)
            .Select(_ => _shop.Orders.GetAsync("/orders?product_id=prod_0&status=cancelled&limit=1"))];
        for (int i = 0; i < 10; i++)
        {
            foreach ((HttpClient client, string path) in new[]
            {
                (_shop.Orders, "/health/live"), (_shop.Products, "/products/prod_0"),
                (_shop.Inventory, "/inventory/prod_0"),
            })
            {
                using HttpResponseMessage response = await client.GetAsync(path);
                Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            }
        }

        Assert.That(lists.Count(list => !list.IsCompleted),
            Is.GreaterThan(lists.Length / 2), "lists that have not been answered yet");
        HttpResponseMessage[] answers = await Task.WhenAll(lists);
        Assert.That(answers.Select(answer => answer.StatusCode),
            Is.All.EqualTo(HttpStatusCode.OK).Or.EqualTo(HttpStatusCode.ServiceUnavailable));
    }

    [Test]
    public async Task Given_more_orders_than_are_counted_then_the_total_says_that_there_are_more_and_a_total_that_is_cheap_stays_exact()
    {
        Assert.That(await TotalAsync("/orders?product_id=prod_0&limit=1"), Is.EqualTo(("10000", "gte")));
        Assert.That(await TotalAsync("/orders?product_id=prod_0&status=delivered&limit=1"),
            Is.EqualTo(("10000", "gte")));
        Assert.That(await TotalAsync("/orders?customer_id=c7&limit=1"), Is.EqualTo(($"{Orders / 50}", (string?)null)));
        Assert.That(await TotalAsync("/orders?product_id=prod_0&status=paid"), Is.EqualTo(("0", (string?)null)));
        Assert.That(await TotalAsync("/orders?status=delivered&limit=1"), Is.EqualTo(($"{Orders}", (string?)null)));
    }

    private async Task<(string? Total, string? Relation)> TotalAsync(string path)
    {
        using HttpResponseMessage response = await _shop.Orders.GetAsync(path);
        return (response.Header("X-Total-Count"), response.Header("X-Total-Count-Relation"));
    }
}
