namespace Shop.Platform.Security;

/// <summary>
/// Who may use a route, once keys are set. Each route says so when it is mapped; a route that says nothing needs a key
/// that may write. Whether requests of a route are counted is independent of it.
/// </summary>
internal sealed class Access
{
    private Access()
    {
    }

    /// <summary>Clients with a key that may write.</summary>
    public static Access Write { get; } = new();

    /// <summary>Everybody; with <c>Shop:ReadsNeedKey</c> clients with any key.</summary>
    public static Access Read { get; } = new();

    /// <summary>
    /// The root: its card is as open as a document; the page that browsers get instead needs what <see cref="Read"/>
    /// needs.
    /// </summary>
    public static Access InfoOrPage { get; } = new();

    /// <summary>Clients with the key of <c>Shop:MetricsKey</c>; everybody if it is not set.</summary>
    public static Access Metrics { get; } = new();

    /// <summary>
    /// Shows figures of the metrics: needs the key of <c>Shop:MetricsKey</c> if it is set, else what <see cref="Read"/>
    /// needs.
    /// </summary>
    public static Access Figures { get; } = new();

    /// <summary>Everybody: documents, scripts and styles.</summary>
    public static Access Open { get; } = new();

    /// <summary>
    /// Everybody, under any host name: a probe may know the shop by a name that the settings do not list.
    /// </summary>
    public static Access Health { get; } = new();
}
