using Shop.Inventory.Contracts;
using Shop.Platform.Data.Sqlite;

namespace Shop.Products.Storage.Sqlite;

/// <summary>Compares the catalogue with the stock.</summary>
internal static class ProductConsistencyCheck
{
    public static IEnumerable<string> Differences(DatabaseFile file, StockConsistency stock)
    {
        var products = file.Rows("SELECT id, unopened_stock IS NULL FROM products",
            static row => (Id: row.GetString(0), IsStocked: row.GetBoolean(1)))
            .ToDictionary(product => product.Id, product => product.IsStocked, StringComparer.Ordinal);
        foreach (string id in stock.Products())
        {
            // The product may not be marked yet: that comes after Inventory has its stock.
            if (!products.Remove(id)) yield return $"{id} has a stock, but is no product";
        }

        foreach ((string id, _) in products.Where(product => product.Value))
            yield return $"{id} is a product, but has no stock";
    }
}
