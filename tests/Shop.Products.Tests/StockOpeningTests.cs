using NSubstitute;
using Shop.Inventory.Contracts;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;
using Shop.Testing;

namespace Shop.Products.Tests;

internal sealed class StockOpeningTests
{
    [Test]
    public async Task Given_an_inventory_that_is_full_when_a_product_is_created_then_its_units_wait_with_it_until_they_are_taken()
    {
        using var files = new ModuleFiles(new ProductsModule());
        var store = new ProductStore(files.Context.Database);
        IInventory inventory = Substitute.For<IInventory>();
        var opening = new StockInitialization(store, inventory);
        await store.Writes.WriteAsync(() => WriteResult.Commit(store.Insert(new Product("a", "A", "", 100, "c", 1, 0, 0), 7)));

        bool isFull = true;
        inventory.OpenAsync(default!).ReturnsForAnyArgs(_ => isFull ? throw new WriteQueueFullException("inventory") : Task.CompletedTask);
        await opening.OpenAsync("a", 7);
        Assert.That(store.Unopened(), Is.EqualTo([new OpeningStock("a", 7)]));
        Assert.That(opening.ReconcileAsync, Throws.TypeOf<WriteQueueFullException>());

        isFull = false;
        inventory.ClearReceivedCalls();
        await opening.ReconcileAsync();
        await inventory.Received(1).OpenAsync(Arg.Is<IReadOnlyList<OpeningStock>>(products => products.SequenceEqual(new[] { new OpeningStock("a", 7) })));
        Assert.That(store.Unopened(), Is.Empty);
    }
}
