using System.Text.RegularExpressions;
using Shop.Platform.Requests;

namespace Shop.Products;

/// <summary>The fields of a product that a client may send.</summary>
internal static partial class ProductFields
{
    public static readonly TextField Name = new("name", 1, 200)
    {
        Description = "What the product is called.",
        Example = "\"Walnut desk lamp\"",
        IsRequired = true,
    };

    public static readonly MoneyField Price = new("price", 1, 100_000_000)
    {
        Description = "Price of one unit, at most two decimals.",
        Example = "79.90",
        IsRequired = true,
    };

    public static readonly TextField Description = new("description", 0, 2000)
    {
        Description = "A few sentences about the product.",
        Example = "\"Warm light, and a base that stays where it is put.\"",
        Default = "",
        IsMultiline = true,
    };

    public static readonly TextField Category = new("category", 1, 100)
    {
        Description = "The category of the product.",
        Example = "\"Home\"",
        Default = "Uncategorized",
    };

    public static readonly WholeNumberField InitialStock = new("initial_stock", 0, 1_000_000_000)
    {
        Description = "Units in stock from the start.",
        Example = "25",
        Default = 0,
    };

    public static readonly TextField Id = new("id", 1, 64)
    {
        Description = "An id of your own; if there is none, the shop makes an id.",
        Example = "\"walnut-desk-lamp\"",
        Pattern = IdPattern(),
        PatternInWords = "lower-case letters, digits, _ and -",
    };

    /// <summary>The fields that PUT replaces, and POST begins with.</summary>
    public static readonly IReadOnlyList<Field> Details = [Name, Price, Description, Category];

    /// <summary>
    /// Reads the fields that PUT replaces, and POST begins with. Check the body's error before using them.
    /// </summary>
    public static ProductDetails ReadDetails(this BodyObject body) =>
        new(body.Read(Name) ?? "", body.Read(Description)!, body.Read(Price) ?? 0, body.Read(Category)!);

    [GeneratedRegex("^[a-z0-9_-]+\\z", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex IdPattern();
}
