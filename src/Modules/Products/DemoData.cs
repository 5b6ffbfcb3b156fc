using Shop.Platform.Data.Sqlite;

namespace Shop.Products;

/// <summary>Fills an empty catalogue: 200 products in eight categories, <c>prod_0</c> to <c>prod_199</c>.</summary>
internal static class DemoData
{
    private const int Plentiful = 190;
    private const long Plenty = 1_000_000;

    private static readonly (string Category, string[] Kinds, string[] Things, int Cents)[] Shelves =
    [
        ("Books", ["Illustrated", "Pocket", "Annotated", "Collected", "New"], ["atlas", "cookbook", "dictionary", "field guide", "poems"], 1290),
        ("Clothing", ["Cotton", "Linen", "Merino", "Recycled", "Striped"], ["cardigan", "scarf", "shirt", "socks", "trousers"], 2450),
        ("Electronics", ["Compact", "Foldable", "Pocket", "Silent", "Wireless"], ["charger", "headphones", "keyboard", "radio", "speaker"], 4990),
        ("Garden", ["Cedar", "Copper", "Galvanised", "Terracotta", "Willow"], ["bird house", "planter", "rake", "trellis", "watering can"], 1875),
        ("Home", ["Ceramic", "Oak", "Smoked glass", "Walnut", "Woven"], ["bowl", "desk lamp", "mirror", "side table", "vase"], 3490),
        ("Kitchen", ["Bamboo", "Cast-iron", "Enamel", "Stainless", "Stoneware"], ["chopping board", "kettle", "knife", "pan", "teapot"], 2990),
        ("Sports", ["Beginner's", "Club", "Lightweight", "Outdoor", "Racing"], ["backpack", "bicycle pump", "racket", "skipping rope", "tent"], 3950),
        ("Toys", ["Magnetic", "Painted", "Stacking", "Wind-up", "Wooden"], ["animals", "blocks", "puzzle", "robot", "train"], 1595),
    ];

    public static Task<List<CatalogueEntry>> FillAsync(ProductStore store, Catalogue catalogue, long now) => store.Writes.WriteAsync(
        () =>
        {
            var entries = new List<CatalogueEntry>();
            foreach (var (details, number) in Products().Select((details, number) => (details, number)))
            {
                var product = new Product($"prod_{store.NextNumber()}", details.Name, details.Description, details.PriceCents, details.Category, 1, now, now);
                // The last ten are low or out, so that there is something to see and to refuse.
                store.Insert(product, number < Plentiful ? Plenty : number - Plentiful);
                entries.Add(new CatalogueEntry(product));
            }

            return WriteResult.Commit(entries);
        },
        catalogue.Put);

    private static IEnumerable<ProductDetails> Products()
    {
        for (int thing = 0; thing < 5; thing++)
        {
            for (int kind = 0; kind < 5; kind++)
            {
                foreach ((string category, string[] kinds, string[] things, int cents) in Shelves)
                {
                    string name = $"{kinds[kind]} {things[thing]}";
                    yield return new ProductDetails(name, $"{name}, from the {category.ToLowerInvariant()} shelf.", cents + (kind * 350) + (thing * 800), category);
                }
            }
        }
    }
}
