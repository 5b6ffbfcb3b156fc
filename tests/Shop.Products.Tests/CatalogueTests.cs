using CsCheck;

namespace Shop.Products.Tests;

internal sealed class CatalogueTests
{
    private static readonly Gen<Product> AnyProduct = Gen.Select(Gen.Int[0, 15], Gen.String[Gen.Char["abAB"], 1, 3], Gen.Long[1, 4], Gen.Long[0, 2],
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
                catalogue.View.InOrder(order).Select(entry => entry.Product).SequenceEqual(Sorted(model.Values, order.Name)));
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
    public async Task Given_ids_when_looked_up_then_one_entry_each_in_their_order_and_null_for_what_is_not_sold()
    {
        var catalogue = new Catalogue();
        catalogue.Put([new CatalogueEntry(new Product("a", "A", "", 100, "c", 1, 0, 0))]);
        var found = await catalogue.FindAsync(["ghost", "a", "a"]);
        Assert.That(found.Select(product => product?.PriceCents), Is.EqualTo(new long?[] { null, 100, 100 }));
    }

    private static IEnumerable<Product> Sorted(IEnumerable<Product> products, string order) => order switch
    {
        "name" => products.OrderBy(product => product.Name, StringComparer.OrdinalIgnoreCase).ThenBy(product => product.Id, StringComparer.Ordinal),
        "price" => products.OrderBy(product => product.PriceCents).ThenBy(product => product.Id, StringComparer.Ordinal),
        "created_at" => products.OrderBy(product => product.CreatedAt).ThenBy(product => product.Id, StringComparer.Ordinal),
        _ => products.OrderBy(product => product.Id, StringComparer.Ordinal),
    };
}
