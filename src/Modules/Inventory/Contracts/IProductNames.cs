namespace Shop.Inventory.Contracts;

/// <summary>
/// What the products are called, for people who look at their stock. The stock itself knows ids alone; whoever has the
/// catalogue provides this. An answer comes from memory, at once.
/// </summary>
public interface IProductNames
{
    /// <summary>The name of a product; null if it is not on sale.</summary>
    string? NameOf(string productId);

    /// <summary>The ids of the products whose names contain a text, in any case.</summary>
    IEnumerable<string> Search(string text);
}
