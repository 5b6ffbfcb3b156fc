namespace Shop.Platform.Requests;

/// <summary>Finds the known name that a misspelt name most likely stands for.</summary>
public static class NameSuggestion
{
    /// <summary>Longer names are not compared: the cost is the product of the two lengths.</summary>
    private const int MaxName = 64;

    /// <summary>
    /// The known name that is nearest: the same but for case and separators, or one or two letters off.
    /// </summary>
    /// <returns>Null if none is near.</returns>
    public static string? Nearest(string written, IEnumerable<string> known)
    {
        if (written.Length > MaxName) return null;
        string bare = Bare(written);
        if (bare.Length == 0) return null;
        (string Name, int Distance)[] near = [.. known.Select(name => (name, Distance(bare, Bare(name))))
            .Where(pair => pair.Item2 <= Tolerance(bare.Length))];
        return near.Length == 0 ? null : near.MinBy(pair => pair.Distance).Name;
    }

    /// <summary>The question behind an error: <c>; did you mean limit?</c></summary>
    /// <returns>Nothing if no known name is near.</returns>
    public static string DidYouMean(string written, IEnumerable<string> known) =>
        Nearest(written, known) is { } name ? $"; did you mean {name}?" : "";

    private static int Tolerance(int length) => length switch { < 3 => 0, < 6 => 1, _ => 2 };

    private static string Bare(string name) => string.Concat(name.Where(char.IsLetterOrDigit)).ToLowerInvariant();

    // Letters that are missing, too many, wrong, or swapped with their neighbour.
    private static int Distance(string one, string other)
    {
        int[,] steps = new int[one.Length + 1, other.Length + 1];
        for (int i = 0; i <= one.Length; i++) steps[i, 0] = i;
        for (int j = 0; j <= other.Length; j++) steps[0, j] = j;
        for (int i = 1; i <= one.Length; i++)
        {
            for (int j = 1; j <= other.Length; j++)
            {
                int replaced = steps[i - 1, j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1);
                steps[i, j] = Math.Min(replaced, 1 + Math.Min(steps[i - 1, j], steps[i, j - 1]));
                if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
                    steps[i, j] = Math.Min(steps[i, j], steps[i - 2, j - 2] + 1);
            }
        }

        return steps[one.Length, other.Length];
    }
}
