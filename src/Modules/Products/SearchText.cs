using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Shop.Products;

/// <summary>
/// Normalizes text for a search that ignores case: <c>é</c> is <c>e</c> with an accent, whichever way it was typed, and
/// <c>ß</c> is <c>ss</c>. Stored text is not changed.
/// </summary>
internal static class SearchText
{
    // Without ICU, which would cost an idle shop 30 MB, the runtime can't normalize. Loaded lazily: most text is ASCII.
    private static readonly Lazy<FrozenDictionary<char, string>> Decompositions = new(Load);

    /// <summary>Whether a text contains another; both come from <see cref="Of"/>.</summary>
    public static bool Contains(string text, string part) => text.Contains(part, StringComparison.OrdinalIgnoreCase);

    /// <summary>A text, ready to be compared.</summary>
    public static string Of(string text)
    {
        if (Ascii.IsValid(text)) return text;
        var folded = new StringBuilder(text.Length + 8);
        foreach (char character in text)
        {
            if (Decompositions.Value.TryGetValue(character, out string? parts)) folded.Append(parts);
            else folded.Append(character);
        }

        return folded.ToString();
    }

    // Lines of Unicode's canonical decompositions for Latin, Greek, Cyrillic and their neighbours: "00E9 0065 0301".
    private static FrozenDictionary<char, string> Load()
    {
        var parts = new Dictionary<char, string> { ['ß'] = "ss", ['\u1E9E'] = "ss" };
        using Stream resource = typeof(SearchText).Assembly.GetManifestResourceStream("Decompositions.txt")!;
        using var reader = new StreamReader(resource);
        while (reader.ReadLine() is { } line)
        {
            string[] codes = line.Split(' ');
            parts[Character(codes[0])] = string.Concat(codes[1..].Select(Character));
        }

        string Whole(string text) => string.Concat(text.Select(character =>
            parts.TryGetValue(character, out string? deeper) ? Whole(deeper) : character.ToString()));
        return parts.ToFrozenDictionary(pair => pair.Key, pair => Whole(pair.Value));
    }

    private static char Character(string code) =>
        (char)int.Parse(code, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
