using Shop.Inventory.Contracts;

namespace Shop.Products;

/// <summary>The names of the products on sale, for the pages of the stock.</summary>
internal sealed class ProductNames(Catalogue catalogue) : IProductNames
{
    public string? NameOf(string productId) => catalogue.Find(productId)?.Product.Name;

    public IEnumerable<string> Search(string text)
    {
        string wanted = SearchText.Of(text);
        return catalogue.View.InOrder(CatalogueOrder.ById)
            .Where(entry => SearchText.Contains(entry.SearchName, wanted))
            .Select(entry => entry.Product.Id);
    }
}
