namespace Shop.Inventory.Contracts;

/// <summary>The products that every shop with demo data has.</summary>
public static class DemoProducts
{
    /// <summary>The number of products.</summary>
    public const int Count = 200;

    /// <summary>The id of a product, by its number from 0 on.</summary>
    public static string Id(int index) => $"prod_{index}";

    /// <summary>The id of a random product; low numbers come most often.</summary>
    public static string Any() => Id((int)(Count * Math.Pow(Random.Shared.NextDouble(), 2)));
}
