using Microsoft.Extensions.Logging;

namespace Shop.Platform.Data;

/// <summary>
/// Whether the database files of the shop belong together and agree. As soon as they are known to disagree, every
/// request that changes something is refused, so that nothing gets worse; reads still work. Only a restart ends this:
/// with other files, or after the verb <c>accept</c>.
/// </summary>
public sealed class DatabaseConsistency
{
    /// <summary>
    /// The value of <see cref="Accepted"/> by which the next start accepts whatever difference it finds.
    /// </summary>
    internal const long AcceptNext = long.MinValue;

    private volatile string? _difference;

    /// <summary>The difference in words; null if none is known.</summary>
    public string? Difference => _difference;

    /// <summary>Whether no difference is known.</summary>
    public bool Holds => _difference is null;

    /// <summary>The difference between reservations and open orders that the owner of the files has accepted.</summary>
    internal long Accepted { get; set; }

    /// <summary>
    /// Whether a difference between reservations and open orders is allowed. Only 0 is, unless the owner of the files
    /// has accepted a difference: that may shrink as its orders end, but never grow.
    /// </summary>
    public bool Allows(long difference)
    {
        if (Accepted == AcceptNext || difference == 0) Accepted = difference;
        return difference >= Math.Min(0, Accepted) && difference <= Math.Max(0, Accepted);
    }

    /// <summary>Reports a difference. The first one is kept.</summary>
    public void Report(string difference, ILogger log)
    {
        Interlocked.CompareExchange(ref _difference, difference, null);
        log.LogCritical(
            "The books disagree: {Difference}. Nothing is changed until other files are in place: "
            + "docs/runbooks/BooksDisagree.md says what to do", difference);
    }
}
