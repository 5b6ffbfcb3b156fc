using Microsoft.AspNetCore.Html;

namespace Shop.Platform.Pages;

/// <summary>
/// The picture of a product: a drawing chosen by its name, on a background chosen by its category, in the colours of
/// its material. It depends on nothing else, so a product looks the same on every page.
/// </summary>
public static class ProductPicture
{
    /// <summary>
    /// Palettes of store.css; products without a known material have one of those from the seventh on.
    /// </summary>
    private const int Palettes = 14, FirstFree = 7;

    // The drawings of pictures.svg by their categories.
    private static readonly (string Category, string[] Things)[] Shelves =
    [
        ("books", ["atlas", "cookbook", "dictionary", "field guide", "poems"]),
        ("clothing", ["cardigan", "scarf", "shirt", "socks", "trousers"]),
        ("electronics", ["charger", "headphones", "keyboard", "radio", "speaker"]),
        ("garden", ["bird house", "planter", "rake", "trellis", "watering can"]),
        ("home", ["bowl", "desk lamp", "mirror", "side table", "vase"]),
        ("kitchen", ["chopping board", "kettle", "knife", "pan", "teapot"]),
        ("sports", ["backpack", "bicycle pump", "racket", "skipping rope", "tent"]),
        ("toys", ["animals", "blocks", "puzzle", "robot", "train"]),
    ];

    // The first palettes, in their order, are those of materials: light and dark wood, copper, …
    private static readonly string[][] Materials =
    [
        ["oak", "cedar", "bamboo", "wooden", "willow", "woven"], ["walnut"], ["copper"], ["terracotta"],
        ["stainless", "galvanised", "magnetic"], ["cast", "smoked"], ["ceramic", "stoneware", "linen"],
    ];

    private static readonly Dictionary<string, string> ShelfOfThing = Shelves
        .SelectMany(shelf => shelf.Things.Select(thing => (thing, shelf.Category)))
        .ToDictionary(pair => pair.thing, pair => pair.Category, StringComparer.OrdinalIgnoreCase);

    /// <summary>The picture as SVG. It is hidden from screen readers.</summary>
    /// <param name="id">The product's id.</param>
    /// <param name="name">Its name.</param>
    /// <param name="category">Its category, if the page knows it.</param>
    public static IHtmlContent Of(string id, string name, string? category = null)
    {
        string[] words = name.Split([' ', '-', '\''], StringSplitOptions.RemoveEmptyEntries);
        string? thing = Thing(words);
        (string shelf, string[] things) = Shelves.FirstOrDefault(
            shelf => shelf.Category.Equals(category, StringComparison.OrdinalIgnoreCase));
        uint hash = Hash(id);
        string drawing = (thing ?? things?[hash % things.Length] ?? "parcel").Replace(' ', '-');
        string ground = shelf ?? (thing is not null && category is null ? ShelfOfThing[thing] : "other");
        int material = Array.FindIndex(Materials,
            names => words.Length > 0 && names.Contains(words[0], StringComparer.OrdinalIgnoreCase));
        long palette = material >= 0 ? material : FirstFree + (hash % (Palettes - FirstFree));
        return new HtmlString($"""
            <svg class="picture shelf-{ground} palette-{palette}" viewBox="0 0 160 120" aria-hidden="true"><circle
            class="halo" cx="{55 + (hash >> 8) % 50}" cy="56" r="{40 + (hash >> 16) % 14}"/><ellipse class="shade"
            cx="80" cy="108" rx="46" ry="6"/><use href="{Assets.PicturesUrl}#{drawing}" x="29" y="6"
            width="102" height="102"/></svg>
            """);
    }

    // The noun is at the end of a name: a "Walnut desk lamp" is a lamp.
    private static string? Thing(string[] words)
    {
        for (int i = words.Length - 1; i >= 0; i--)
        {
            if (i > 0 && ShelfOfThing.ContainsKey($"{words[i - 1]} {words[i]}"))
                return $"{words[i - 1]} {words[i]}".ToLowerInvariant();
            if (ShelfOfThing.ContainsKey(words[i])) return words[i].ToLowerInvariant();
        }

        return null;
    }

    // The same on every host and after every start, which string.GetHashCode is not (FNV-1a).
    private static uint Hash(string text)
    {
        uint hash = 2166136261;
        foreach (char character in text) hash = (hash ^ character) * 16777619;
        return hash;
    }
}
