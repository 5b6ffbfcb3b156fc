namespace Shop.Platform.Security;

/// <summary>
/// Who may use a route, once keys are set. Each route says so when it is mapped; one that says nothing takes a key that may write.
/// Whether a route is counted as a request is another matter.
/// </summary>
internal sealed class Access
{
    private Access()
    {
    }

    /// <summary>Whoever has a key that may write.</summary>
    public static Access Write { get; } = new();

    /// <summary>Everybody; with <c>Shop:ReadsNeedKey</c> whoever has a key.</summary>
    public static Access Read { get; } = new();

    /// <summary>At the root: the card is as open as a document, and the page that browsers get instead is data to read.</summary>
    public static Access CardOrPage { get; } = new();

    /// <summary>Whoever has the key of <c>Shop:MetricsKey</c>; everybody if there is none.</summary>
    public static Access Metrics { get; } = new();

    /// <summary>What shows figures of the metrics: takes the key of <c>Shop:MetricsKey</c> if there is one, and else what reading takes.</summary>
    public static Access Figures { get; } = new();

    /// <summary>Everybody: documents, and what pages are drawn with.</summary>
    public static Access Open { get; } = new();

    /// <summary>Everybody, by whatever name the shop was asked: who probes it may know it by any.</summary>
    public static Access Health { get; } = new();
}
