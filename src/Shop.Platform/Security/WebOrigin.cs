namespace Shop.Platform.Security;

/// <summary>An origin as browsers compare it: scheme, host and port.</summary>
internal readonly record struct WebOrigin(string Scheme, string Host, int Port)
{
    /// <summary>Reads an <c>Origin</c> header, or an address without a path.</summary>
    /// <returns>Null for the text <c>null</c>, and if it is not an http or https origin.</returns>
    public static WebOrigin? Parse(string? text) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https"
            && uri.PathAndQuery == "/" && uri.UserInfo.Length == 0 && uri.Fragment.Length == 0
            ? new WebOrigin(uri.Scheme, HostName.Canonical(uri.IdnHost), uri.Port)
            : null;

    /// <summary>The port that an address of this scheme has if it names none.</summary>
    public int DefaultPort => Scheme == "https" ? 443 : 80;
}
