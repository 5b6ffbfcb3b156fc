namespace Shop.Inventory.Contracts;

/// <summary>The products that every shop with demo data has.</summary>
public static class DemoProducts
{
    /// <summary>How many there are.</summary>
    public const int Count = 200;

    /// <summary>The id of one of them, from 0 on.</summary>
    public static string Id(int index) => $"prod_{index}";

    /// <summary>The id of any of them; the first are the most popular.</summary>
    public static string Any() => Id((int)(Count * Math.Pow(Random.Shared.NextDouble(), 2)));
}
