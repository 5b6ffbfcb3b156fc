using Microsoft.AspNetCore.Http;
using Shop.Inventory.Contracts;
using Shop.Platform.Http;
using Shop.Products.Storage.Postgres;
using Shop.Products.Storage.Sqlite;
using Shop.Testing;

namespace Shop.Products.Tests;

/// <summary>What holds in both stores.</summary>
[TestFixture(false)]
[TestFixture(true)]
internal sealed class ProductStoreTests(bool isInPostgres)
{
    private ModuleFiles? _files;
    private ModuleSchema? _schema;
    private Catalogue _catalogue = null!;
    private IProductStore _store = null!;

    [SetUp]
    public async Task OpenAsync()
    {
        if (isInPostgres) _schema = await ModuleSchema.OpenAsync(new ProductsModule());
        else _files = new ModuleFiles(new ProductsModule());
        await StartAsync();
    }

    [TearDown]
    public async Task CloseAsync()
    {
        await StopAsync();
        _files?.Dispose();
        if (_schema is not null) await _schema.DisposeAsync();
    }

    [Test]
    public async Task Given_a_product_that_is_deleted_before_Inventory_has_its_stock_then_it_is_to_be_retired_after_that()
    {
        await CreateAsync("early", 7);
        await CreateAsync("sold", 0);
        await DeleteAsync("early");
        Assert.That((await _store.WithInitialStockPendingAsync()).OrderBy(product => product.ProductId),
            Is.EqualTo(new[] { new OpeningStock("early", 7), new OpeningStock("sold", 0) }));
        Assert.That(await _store.WithRetirementPendingAsync(), Is.Empty, "Inventory does not know it yet");
        await _store.MarkStockedAsync([new OpeningStock("early", 7)]);
        Assert.That(await _store.WithInitialStockPendingAsync(), Is.EqualTo(new[] { new OpeningStock("sold", 0) }));
        Assert.That(await _store.WithRetirementPendingAsync(), Is.EqualTo(new[] { "early" }));
        await _store.MarkRetiredAsync(["early"]);
        Assert.That(await _store.WithRetirementPendingAsync(), Is.Empty);
    }

    [Test]
    public async Task Given_demo_products_that_were_all_deleted_when_the_shop_starts_again_then_they_stay_away()
    {
        await _store.SeedAsync([.. DemoData.Products.Take(3)]);
        Assert.That(Ids(), Is.EqualTo(new[] { "prod_0", "prod_1", "prod_2" }));
        foreach (string id in Ids()) await DeleteAsync(id);
        await RestartAsync();
        await _store.SeedAsync([.. DemoData.Products.Take(3)]);
        Assert.That(Ids(), Is.Empty);
        await CreateAsync(null, 1);
        Assert.That(Ids(), Is.EqualTo(new[] { "prod_3" }), "no number is given twice");
    }

    [Test]
    public async Task Given_a_product_that_is_replaced_then_it_keeps_its_id_and_when_it_was_created_also_after_a_start()
    {
        Product before = (await CreateAsync("p", 1)).Entry!.Product;
        var details = new ProductDetails("Other", "Longer", 7_07, "There");
        var change = new ChangeConditions(Preconditions.Of(new DefaultHttpContext().Request));
        Product after = before;
        // A millisecond or more later.
        for (int version = 2; after.UpdatedAt == before.CreatedAt; version++)
        {
            after = (await _store.ReplaceAsync("p", details, change, null)).Entry!.Product;
            Assert.That(after, Is.EqualTo(
                new Product("p", "Other", "Longer", 707, "There", version, before.CreatedAt, after.UpdatedAt)));
        }

        Assert.That(_catalogue.Find("p")!.Product, Is.EqualTo(after));
        await RestartAsync();
        Assert.That(_catalogue.Find("p")!.Product, Is.EqualTo(after));
        Assert.That(await _store.ReadAsync("p", default), Is.EqualTo(after));
    }

    private string[] Ids() =>
        [.. _catalogue.View.InOrder(CatalogueOrder.ById).Select(entry => entry.Product.Id)];

    private async Task<ProductResult> CreateAsync(string? id, long stock)
    {
        using MemoryReservation memory = _catalogue.Reserve(1);
        return await _store.CreateAsync(
            new NewProduct(id, new ProductDetails("A thing", "", 100, "Home"), stock), memory, null);
    }

    private async Task DeleteAsync(string id) => Assert.That((await _store.DeleteAsync(id,
        new ChangeConditions(Preconditions.Of(new DefaultHttpContext().Request)), null)).Outcome,
        Is.EqualTo(ProductOutcome.Done));

    private async Task RestartAsync()
    {
        await StopAsync();
        await StartAsync();
    }

    private async Task StartAsync()
    {
        _catalogue = new Catalogue();
        _store = _schema is not null ? new PostgresProductStore(_schema.Context, _catalogue)
            : new SqliteProductStore(_files!.Context, _catalogue);
        await _store.StartAsync();
    }

    private async Task StopAsync()
    {
        if (_store is IAsyncDisposable store) await store.DisposeAsync();
    }
}
