using CsCheck;
using NSubstitute;
using Shop.Products.Contracts;
using Shop.Testing;

namespace Shop.Products.Tests;

internal sealed class CatalogueTests
{
    private static readonly Gen<Product> AnyProduct = Gen.Select(Gen.Int[0, 15], Gen.String[Gen.Char["abAB"], 1, 3],
        Gen.Long[1, 4], Gen.Long[0, 2],
        (id, name, price, time) => new Product($"prod_{id}", name, "", price, "c", 1, time, time));

    [Test]
    public void Given_any_puts_and_removals_then_every_order_holds_exactly_what_is_on_sale_sorted() =>
        Gen.Select(AnyProduct, Gen.Bool).Array[0, 40].Sample(steps =>
        {
            var catalogue = new Catalogue();
            var model = new Dictionary<string, Product>(StringComparer.Ordinal);
            foreach ((Product product, bool isRemoval) in steps)
            {
                if (isRemoval)
                {
                    catalogue.Remove(product.Id);
                    model.Remove(product.Id);
                }
                else
                {
                    catalogue.Put([new CatalogueEntry(product)]);
                    model[product.Id] = product;
                }
            }

            return catalogue.Count == model.Count && CatalogueOrder.All.All(order =>
                catalogue.View.InOrder(order).Select(entry => entry.Product)
                    .SequenceEqual(Sorted(model.Values, order.Name)));
        });

    [Test]
    public void Given_any_place_in_any_order_when_it_becomes_a_cursor_and_back_then_it_is_the_same_place() =>
        Gen.Select(AnyProduct, Gen.Int[0, 3], Gen.Bool).Sample((product, which, isDescending) =>
        {
            CatalogueOrder order = CatalogueOrder.All[which];
            CatalogueEntry? place = order.At(order.PlaceOf(product, isDescending), isDescending);
            return place is not null && order.Compare(place, new CatalogueEntry(product)) == 0
                && order.At(order.PlaceOf(product, !isDescending), isDescending) is null;
        });

    [Test]
    public async Task Given_ids_when_looked_up_then_there_is_an_entry_for_each_in_their_order_and_null_if_it_is_not_on_sale()
    {
        var catalogue = new Catalogue();
        catalogue.Put([new CatalogueEntry(new Product("a", "A", "", 100, "c", 1, 0, 0))]);
        using var files = new ModuleFiles(new ProductsModule());
        IProductStore store = Substitute.For<IProductStore>();
#pragma warning disable CA2012 // NSubstitute's way to say what a call returns
        store.FindMissingAsync("elsewhere", default).Returns(
            ValueTask.FromResult<CatalogueEntry?>(
                new CatalogueEntry(new Product("elsewhere", "E", "", 200, "c", 1, 0, 0))));
#pragma warning restore CA2012
        var products = new FindProduct(catalogue, store, new ProductMetrics(files.Context, catalogue), files.Context);
        IReadOnlyList<ProductOnSale?> found = await products.FindAsync(["ghost", "a", "elsewhere", "a"]);
        Assert.That(found.Select(product => product?.PriceCents), Is.EqualTo(new long?[] { null, 100, 200, 100 }));
    }

    [Test]
    public void Given_more_products_than_memory_then_the_rest_is_kept_in_outline_and_a_deletion_frees_memory()
    {
        CatalogueEntry[] entries = [.. Enumerable.Range(0, 10)
            .Select(number => new CatalogueEntry(Long($"p{number}")))];
        var catalogue = new Catalogue(4 * entries[0].Bytes + entries[0].Bytes / 2);
        catalogue.Put(entries);
        Assert.That(entries.Count(entry => !catalogue.Find(entry.Product.Id)!.IsOutline), Is.EqualTo(4));
        Assert.That(catalogue.Outlines, Is.EqualTo(6));
        Assert.That(catalogue.View.InOrder(CatalogueOrder.ById)
            .Select(entry => entry.Product.Id), Is.EqualTo(entries.Select(entry => entry.Product.Id)));
        foreach (int number in new[] { 0, 4, 5, 6, 7, 8 }) catalogue.Remove($"p{number}");
        catalogue.Put([entries[9]]);
        Assert.That((catalogue.Outlines, catalogue.Find("p9")!.IsOutline), Is.EqualTo((0, false)));
    }

    [Test]
    public void Given_products_that_are_being_written_then_their_memory_is_reserved_until_they_are_in_and_released_once()
    {
        long bytes = new CatalogueEntry(Long("p")).Bytes;
        var catalogue = new Catalogue(2 * bytes);
        MemoryReservation one = catalogue.Reserve(bytes), other = catalogue.Reserve(bytes),
            third = catalogue.Reserve(bytes);
        Assert.That((one.IsGranted, other.IsGranted, third.IsGranted), Is.EqualTo((true, true, false)));
        third.Dispose();
        catalogue.Put([new CatalogueEntry(Long("p"))]);
        one.Dispose();
        other.Dispose();
        using (MemoryReservation next = catalogue.Reserve(bytes)) Assert.That(next.IsGranted);
        catalogue.Put([new CatalogueEntry(Long("q"))]);
        using (MemoryReservation last = catalogue.Reserve(1)) Assert.That(last.IsGranted, Is.False);
    }

    [TestCase(49, true)]
    [TestCase(50, true)]
    [TestCase(51, false)]
    public void Given_categories_then_a_page_names_the_fifty_with_most_products_and_says_whether_they_are_all(
        int categories, bool areAll)
    {
        var catalogue = new Catalogue();
        // The first has one product, and each that follows one more.
        catalogue.Put(Enumerable.Range(1, categories).SelectMany(category => Enumerable.Range(0, category)
            .Select(n => new CatalogueEntry(
                new Product($"p{category}-{n}", "Name", "", 100, $"c{category:00}", 1, 0, 0)))));
        StorefrontCategories shown = catalogue.View.Categories;
        Assert.That(shown.AreAll, Is.EqualTo(areAll));
        Assert.That(shown.Names,
            Is.EqualTo(Enumerable.Range(1, categories).TakeLast(50).Select(category => $"c{category:00}")));
    }

    [TestCase(1, true, false)]
    [TestCase(2, true, true)]
    [TestCase(12, true, true)]
    [TestCase(13, true, false)]
    [TestCase(12, false, false)]
    public void Given_categories_then_each_has_a_link_if_there_is_a_choice_and_all_have_room(
        int categories, bool areAll, bool haveLinks)
    {
        string[] names = [.. Enumerable.Range(1, categories).Select(category => $"c{category}")];
        var model = new StoreModel(new Search(null, null, null, null, null, 1), [], 0,
            new StorefrontCategories(names, areAll), AcceptsForms: true, PageSize: 24, "EUR");
        Assert.That(model.LinksCategories, Is.EqualTo(haveLinks));
    }

    private static Product Long(string id) => new(id, "Name", new string('d', 2000), 100, "c", 1, 0, 0);

    private static IEnumerable<Product> Sorted(IEnumerable<Product> products, string order) => order switch
    {
        "name" => products.OrderBy(product => product.Name, StringComparer.OrdinalIgnoreCase)
            .ThenBy(product => product.Id, StringComparer.Ordinal),
        "price" => products.OrderBy(product => product.PriceCents)
            .ThenBy(product => product.Id, StringComparer.Ordinal),
        "created_at" => products.OrderBy(product => product.CreatedAt)
            .ThenBy(product => product.Id, StringComparer.Ordinal),
        _ => products.OrderBy(product => product.Id, StringComparer.Ordinal),
    };
}
