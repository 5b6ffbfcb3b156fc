namespace Shop.Products;

/// <summary>The products of an empty catalogue: 200 in eight categories, <c>prod_0</c> to <c>prod_199</c>.</summary>
internal static class DemoData
{
    private const int Plentiful = 190;
    private const long Plenty = 1_000_000;

    private static readonly (string Category, string[] Kinds, string[] Things, int Cents)[] Shelves =
    [
        ("Books", ["Illustrated", "Pocket", "Annotated", "Collected", "New"],
            ["atlas", "cookbook", "dictionary", "field guide", "poems"], 1290),
        ("Clothing", ["Cotton", "Linen", "Merino", "Recycled", "Striped"],
            ["cardigan", "scarf", "shirt", "socks", "trousers"], 2450),
        ("Electronics", ["Compact", "Foldable", "Pocket", "Silent", "Wireless"],
            ["charger", "headphones", "keyboard", "radio", "speaker"], 4990),
        ("Garden", ["Cedar", "Copper", "Galvanised", "Terracotta", "Willow"],
            ["bird house", "planter", "rake", "trellis", "watering can"], 1875),
        ("Home", ["Ceramic", "Oak", "Smoked glass", "Walnut", "Woven"],
            ["bowl", "desk lamp", "mirror", "side table", "vase"], 3490),
        ("Kitchen", ["Bamboo", "Cast-iron", "Enamel", "Stainless", "Stoneware"],
            ["chopping board", "kettle", "knife", "pan", "teapot"], 2990),
        ("Sports", ["Beginner's", "Club", "Lightweight", "Outdoor", "Racing"],
            ["backpack", "bicycle pump", "racket", "skipping rope", "tent"], 3950),
        ("Toys", ["Magnetic", "Painted", "Stacking", "Wind-up", "Wooden"],
            ["animals", "blocks", "puzzle", "robot", "train"], 1595),
    ];

    // The last ten are low or out of stock, so that a new shop shows low stock and refuses some orders.
    public static IReadOnlyList<NewProduct> Products { get; } = [.. All().Select((details, number) =>
        new NewProduct(null, details, number < Plentiful ? Plenty : number - Plentiful))];

    private static IEnumerable<ProductDetails> All()
    {
        for (int thing = 0; thing < 5; thing++)
        {
            for (int kind = 0; kind < 5; kind++)
            {
                foreach ((string category, string[] kinds, string[] things, int cents) in Shelves)
                {
                    string name = $"{kinds[kind]} {things[thing]}";
                    string description = $"{name}, from the {category.ToLowerInvariant()} shelf.";
                    yield return new ProductDetails(name, description, cents + (kind * 350) + (thing * 800), category);
                }
            }
        }
    }
}
