using NSubstitute;
using Shop.Inventory.Contracts;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;
using Shop.Products.Storage.Sqlite;
using Shop.Testing;

namespace Shop.Products.Tests;

internal sealed class StockInitializationTests
{
    [Test]
    public async Task Given_an_inventory_that_is_full_when_a_product_is_created_then_its_initial_stock_waits_with_it_until_inventory_has_it()
    {
        using var files = new ModuleFiles(new ProductsModule());
        var catalogue = new Catalogue();
        var store = new SqliteProductStore(files.Context, catalogue);
        IInventory inventory = Substitute.For<IInventory>();
        var stock = new StockInitialization(store, inventory);
        await CreateAsync(store, catalogue, "a");

        bool isFull = true;
        inventory.OpenAsync(default!)
            .ReturnsForAnyArgs(_ => isFull ? throw new WriteQueueFullException("inventory") : Task.CompletedTask);
        await stock.InitializeAsync("a", 7);
        Assert.That(await store.WithInitialStockPendingAsync(), Is.EqualTo([new OpeningStock("a", 7)]));
        Assert.That(stock.ReconcileAsync, Throws.TypeOf<WriteQueueFullException>());

        isFull = false;
        inventory.ClearReceivedCalls();
        await stock.ReconcileAsync();
        await inventory.Received(1)
            .OpenAsync(Arg.Is<IReadOnlyList<OpeningStock>>(products =>
                products.SequenceEqual(new[] { new OpeningStock("a", 7) })));
        Assert.That(await store.WithInitialStockPendingAsync(), Is.Empty);
    }

    [Test]
    public async Task Given_an_inventory_that_refuses_writes_when_the_shop_starts_then_it_tries_again_and_not_for_ever()
    {
        var clock = new ManualClock();
        using var files = new ModuleFiles(new ProductsModule(), clock: clock);
        var catalogue = new Catalogue();
        var store = new SqliteProductStore(files.Context, catalogue);
        await CreateAsync(store, catalogue, "a");
        int refusals = 2;
        IInventory inventory = Substitute.For<IInventory>();
        inventory.OpenAsync(default!).ReturnsForAnyArgs(
            _ => refusals-- > 0 ? throw new WriteQueueFullException("inventory") : Task.CompletedTask);
        var stock = new StockInitialization(store, inventory);
        Task start = files.Context.RetryRefusedAsync(stock.ReconcileAsync);
        for (int tries = 1; tries <= 2; tries++)
        {
            await clock.UntilWaitingAsync(TimeSpan.FromMilliseconds(200));
            await inventory.ReceivedWithAnyArgs(tries).OpenAsync(default!);
            await clock.PassAsync(TimeSpan.FromMilliseconds(200));
        }

        await start.WaitAsync(Eventually.Patience);
        Assert.That(await store.WithInitialStockPendingAsync(), Is.Empty);

        await CreateAsync(store, catalogue, "b");
        refusals = int.MaxValue;
        start = files.Context.RetryRefusedAsync(stock.ReconcileAsync);
        await clock.UntilWaitingAsync(TimeSpan.FromMilliseconds(200));
        await clock.PassAsync(files.Context.Settings.RequestTimeout);
        Assert.That(() => start.WaitAsync(Eventually.Patience), Throws.TypeOf<WriteQueueFullException>());
    }

    [TestCase(1000)]
    [TestCase(1001)]
    [TestCase(2001)]
    public async Task Given_more_products_than_are_told_of_at_once_then_Inventory_hears_of_each_that_is_new_and_of_each_that_is_gone(
        int number)
    {
        using var files = new ModuleFiles(new ProductsModule());
        var store = new SqliteProductStore(files.Context, new Catalogue());
        var opened = new List<OpeningStock>();
        var retired = new List<string>();
        IInventory inventory = Substitute.For<IInventory>();
        inventory.OpenAsync(default!).ReturnsForAnyArgs(call =>
        {
            opened.AddRange(call.Arg<IReadOnlyList<OpeningStock>>());
            return Task.CompletedTask;
        });
        inventory.RetireAsync(default!).ReturnsForAnyArgs(call =>
        {
            retired.AddRange(call.Arg<IReadOnlyList<string>>());
            return Task.CompletedTask;
        });
        OpeningStock[] products = [.. Enumerable.Range(0, number).Select(n => new OpeningStock($"p{n}", n))];
        await files.Context.Database.Writes.WriteAsync(() =>
        {
            foreach (OpeningStock product in products)
            {
                store.Table.Insert(new NewProduct(product.ProductId, new ProductDetails("A", "", 100, "c"),
                    product.Quantity), 0);
                store.Table.Delete(product.ProductId, 1);
            }

            return WriteResult.Commit(0);
        });
        await new StockInitialization(store, inventory).ReconcileAsync();
        Assert.That(opened, Is.EquivalentTo(products));
        Assert.That(retired, Is.EquivalentTo(products.Select(product => product.ProductId)));
        Assert.That((await store.WithInitialStockPendingAsync()).Count
            + (await store.WithRetirementPendingAsync()).Count, Is.Zero);
    }

    // With seven units, of which Inventory is not told.
    private static async Task CreateAsync(SqliteProductStore store, Catalogue catalogue, string id)
    {
        using MemoryReservation memory = catalogue.Reserve(1);
        await store.CreateAsync(new NewProduct(id, new ProductDetails("A", "", 100, "c"), 7), memory, null);
    }
}
