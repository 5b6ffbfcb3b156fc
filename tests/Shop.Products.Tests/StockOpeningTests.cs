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

    [TestCase(1000)]
    [TestCase(1001)]
    [TestCase(2001)]
    public async Task Given_more_products_than_are_told_of_at_once_then_Inventory_hears_of_each_that_is_new_and_of_each_that_is_gone(int number)
    {
        using var files = new ModuleFiles(new ProductsModule());
        var store = new ProductStore(files.Context.Database);
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
        await store.Writes.WriteAsync(() =>
        {
            foreach (OpeningStock product in products)
            {
                store.Insert(new Product(product.ProductId, "A", "", 100, "c", 1, 0, 0), product.Quantity);
                store.Delete(product.ProductId, 1);
            }

            return WriteResult.Commit(0);
        });
        await new StockInitialization(store, inventory).ReconcileAsync();
        Assert.That(opened, Is.EquivalentTo(products));
        Assert.That(retired, Is.EquivalentTo(products.Select(product => product.ProductId)));
        Assert.That((store.Unopened().Count, store.Unretired().Count), Is.EqualTo((0, 0)));
    }
}
