using Shop.Platform.Http;

namespace Shop.Platform.Data;

/// <summary>How a request that may be repeated went: it has a value or a problem.</summary>
/// <param name="Value">What was made, now or the first time.</param>
/// <param name="Problem">Why nothing was made.</param>
/// <param name="IsReplayed">Whether it is the answer to an earlier, equal request.</param>
public readonly record struct Reply<T>(T? Value, Problem? Problem, bool IsReplayed)
    where T : class;

/// <summary>Makes the replies.</summary>
public static class Reply
{
    /// <summary>It was made.</summary>
    public static Reply<T> Done<T>(T value)
        where T : class => new(value, null, false);

    /// <summary>It had been made before.</summary>
    public static Reply<T> Again<T>(T value)
        where T : class => new(value, null, true);

    /// <summary>It was not made.</summary>
    public static Reply<T> Refused<T>(Problem problem)
        where T : class => new(null, problem, false);
}
