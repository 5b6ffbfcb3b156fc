using Microsoft.Extensions.Logging;

namespace Shop.Platform.Data;

/// <summary>
/// Whether the database files of the shop belong together and agree. Once they are known not to, every request that
/// changes something is refused, so that
/// nothing gets worse; reads go on. Only a start with other files, or with these and their owner's word for them, ends
/// it.
/// </summary>
public sealed class DatabaseConsistency
{
    /// <summary>Accepts whatever the next start finds.</summary>
    internal const long AcceptNext = long.MinValue;

    private volatile string? _difference;

    /// <summary>What differs, in words; null while nothing is known to.</summary>
    public string? Difference => _difference;

    /// <summary>Whether nothing is known to differ.</summary>
    public bool Holds => _difference is null;

    /// <summary>By how many reservations the books may differ, because their owner said so.</summary>
    internal long Accepted { get; set; }

    /// <summary>Whether so many more reservations than open orders are as should be: none, unless the owner of the
    /// files has accepted that they differ. Such a difference
    /// shrinks as the orders concerned come to their end, and never grows.</summary>
    public bool Allows(long difference)
    {
        if (Accepted == AcceptNext || difference == 0) Accepted = difference;
        return difference >= Math.Min(0, Accepted) && difference <= Math.Max(0, Accepted);
    }

    /// <summary>Something differs. The first that was found stays.</summary>
    public void Report(string difference, ILogger log)
    {
        Interlocked.CompareExchange(ref _difference, difference, null);
        log.LogCritical(
            "The books disagree: {Difference}. Nothing is changed until other files are in place: "
            + "docs/runbooks/BooksDisagree.md says what to do", difference);
    }
}
