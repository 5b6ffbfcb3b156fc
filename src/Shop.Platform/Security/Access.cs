namespace Shop.Platform.Security;

/// <summary>
/// Who may use a route if keys are set. Each route declares it; a route without a declaration needs a key that may
/// write.
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
    /// The root: its JSON is as open as a document; the page for browsers needs the same as <see cref="Read"/>.
    /// </summary>
    public static Access InfoOrPage { get; } = new();

    /// <summary>Clients with the key of <c>Shop:MetricsKey</c>; everybody if it is not set.</summary>
    public static Access Metrics { get; } = new();

    /// <summary>
    /// Shows values of metrics: needs the key of <c>Shop:MetricsKey</c> if it is set, else the same as <see
    /// cref="Read"/>.
    /// </summary>
    public static Access Figures { get; } = new();

    /// <summary>Everybody: documents, scripts and styles.</summary>
    public static Access Open { get; } = new();

    /// <summary>Everybody, under any host name: a probe may use a name that the settings do not list.</summary>
    public static Access Health { get; } = new();
}
