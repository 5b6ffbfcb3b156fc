namespace Shop.Inventory.Contracts;

/// <summary>
/// The names of the products, for pages of the stock, which itself knows only ids. The module with the catalogue
/// implements this, from memory.
/// </summary>
public interface IProductNames
{
    /// <summary>The name of a product; null if it is not on sale.</summary>
    string? NameOf(string productId);

    /// <summary>The ids of the products whose names contain a text, in any case.</summary>
    IEnumerable<string> Search(string text);
}
