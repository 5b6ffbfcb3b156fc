namespace Shop.Platform.Http;

/// <summary>
/// Clients for requests of the shop to itself. They leave out the proxy of the environment (<c>HTTP_PROXY</c>), which
/// would read the key, and whose answer would pass for the shop's.
/// </summary>
public static class DirectHttpClient
{
    /// <summary>Makes a client.</summary>
    public static HttpClient Create() => new(new SocketErrorHandler(new SocketsHttpHandler { UseProxy = false }));
}
