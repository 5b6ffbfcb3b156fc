namespace Shop.Platform.Live;

/// <summary>A request of demo traffic to a service.</summary>
/// <param name="Method">Its method.</param>
/// <param name="Path">Its path and query.</param>
/// <param name="Body">Its JSON body; null if it has none.</param>
public sealed record DemoRequest(HttpMethod Method, string Path, string? Body = null)
{
    /// <summary>The request that follows from its answer; null if there is none.</summary>
    public Func<HttpResponseMessage, DemoRequest?>? Then { get; init; }
}
