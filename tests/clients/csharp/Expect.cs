namespace Shop.Clients;

/// <summary>What must hold; the first that does not ends the run.</summary>
internal static class Expect
{
    public static int Passed { get; private set; }

    public static void That(bool holds, string sentence)
    {
        if (!holds) throw new InvalidOperationException($"It does not hold that {sentence}.");
        Passed++;
    }

    public static async Task<T> FailsAsync<T>(Func<Task> call)
        where T : Exception
    {
        try
        {
            await call();
        }
        catch (T failure)
        {
            return failure;
        }

        throw new InvalidOperationException($"A call succeeded where {typeof(T)} was due.");
    }
}
