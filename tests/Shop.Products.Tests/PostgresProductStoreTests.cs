using Microsoft.AspNetCore.Http;
using Npgsql;
using Shop.Platform.Http;
using Shop.Platform.Requests;
using Shop.Products.Storage.Postgres;
using Shop.Testing;

namespace Shop.Products.Tests;

/// <summary>The products in PostgreSQL, as several hosts change and read them at once.</summary>
internal sealed class PostgresProductStoreTests
{
    private static readonly ProductDetails Lamp = new("Lamp", "", 100, "Home");

    [TestCase("create")]
    [TestCase("delete")]
    public async Task Given_equal_changes_on_two_hosts_that_wait_for_the_same_product_then_one_is_made_and_the_other_answered_as_that(
        string change)
    {
        await using ModuleSchema schema = await ModuleSchema.OpenAsync(new ProductsModule()),
            other = await ModuleSchema.OpenAsync(new ProductsModule(), schema.Address);
        Host[] hosts = [new(schema), new(other)];
        foreach (Host host in hosts) await host.Store.StartAsync();
        if (change == "delete")
            Assert.That((await hosts[0].CreateAsync(null)).Outcome, Is.EqualTo(ProductOutcome.Done));
        // Until this ends, the product can be neither created nor changed.
        await using NpgsqlConnection connection = await schema.OpenSessionAsync();
        await using NpgsqlTransaction holding = await connection.BeginTransactionAsync();
        await ModuleSchema.ExecuteAsync(connection, change == "delete"
            ? "SELECT FROM products WHERE id = 'lamp' FOR UPDATE"
            : """
            INSERT INTO products (id, name, description, price_cents, category, version, created_at, updated_at)
            VALUES ('lamp', 'Lamp', '', 100, 'Home', 1, 0, 0)
            """);
        IdempotencyKey key = IdempotencyKey.Of("key", change, "lamp")!;
        Task<ProductResult>[] changes =
            [.. hosts.Select(host => change == "delete" ? host.DeleteAsync(key) : host.CreateAsync(key))];
        await schema.WaitForLocksAsync(2);
        await holding.RollbackAsync();
        Assert.That((await Task.WhenAll(changes)).Select(result => result.Outcome),
            Is.EquivalentTo(new[] { ProductOutcome.Done, ProductOutcome.Replayed }));
        foreach (Host host in hosts) await host.Store.DisposeAsync();
    }

    [Test]
    public async Task Given_a_product_that_another_host_adds_while_a_host_reads_its_catalogue_then_that_host_has_it()
    {
        await using ModuleSchema schema = await ModuleSchema.OpenAsync(new ProductsModule());
        await using NpgsqlConnection connection = await schema.OpenSessionAsync();
        await using NpgsqlTransaction adding = await connection.BeginTransactionAsync();
        await ModuleSchema.ExecuteAsync(connection, """
            LOCK TABLE changes IN ACCESS EXCLUSIVE MODE;
            INSERT INTO products (id, name, description, price_cents, category, version, created_at, updated_at)
            VALUES ('lamp', 'Lamp', '', 100, 'Home', 1, 0, 0);
            INSERT INTO changes (host, ids) VALUES (1, '{lamp}')
            """);
        var host = new Host(schema);
        Task start = host.Store.StartAsync().AsTask();
        await schema.WaitForLocksAsync(1);
        await adding.CommitAsync();
        await start;
        await Eventually.IsSoAsync(() => host.Catalogue.Find("lamp") is not null);
        await host.Store.DisposeAsync();
    }

    private sealed class Host
    {
        public Host(ModuleSchema schema) => Store = new PostgresProductStore(schema.Context, Catalogue);

        public Catalogue Catalogue { get; } = new();

        public PostgresProductStore Store { get; }

        public async Task<ProductResult> CreateAsync(IdempotencyKey? key)
        {
            using MemoryReservation memory = Catalogue.Reserve(1);
            return await Store.CreateAsync(new NewProduct("lamp", Lamp, 0), memory, key);
        }

        public async Task<ProductResult> DeleteAsync(IdempotencyKey key) => await Store.DeleteAsync(
            "lamp", new ChangeConditions(Preconditions.Of(new DefaultHttpContext().Request)), key);
    }
}
