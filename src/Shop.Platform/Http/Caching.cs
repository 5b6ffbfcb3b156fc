using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Shop.Platform.Http;

/// <summary>
/// How the answers of a route may be cached, and which headers of the request they depend on. A route without one of
/// these has <see cref="NoStore"/>.
/// </summary>
internal sealed class Caching
{
    private readonly StringValues _control;
    private readonly StringValues _vary;

    private Caching(string control, string vary, bool isCompressible) =>
        (_control, _vary, IsCompressible) = (control, vary, isCompressible);

    /// <summary>For answers that change and have no entity tag: they must not be cached.</summary>
    public static Caching NoStore { get; } = new("no-store", "Accept", isCompressible: false);

    /// <summary>
    /// The same, for bodies that are worth compressing. A single product or order is not: it has a strong entity tag,
    /// and fits in a packet.
    /// </summary>
    public static Caching NoStoreCompressed { get; } =
        new("no-store", "Accept, Accept-Encoding", isCompressible: true);

    /// <summary>For answers with an entity tag: they may be cached, and are revalidated each time.</summary>
    public static Caching Revalidated { get; } = new("no-cache", "Accept", isCompressible: false);

    /// <summary>For files whose name changes with their content.</summary>
    public static Caching Immutable { get; } =
        new("public, max-age=31536000, immutable", "Accept-Encoding", isCompressible: true);

    /// <summary>Whether the answers are worth compressing.</summary>
    public bool IsCompressible { get; }

    /// <summary>The caching of a route, or of a request without one.</summary>
    public static Caching Of(Endpoint? endpoint) => endpoint?.Metadata.GetMetadata<Caching>() ?? NoStore;

    /// <summary>Adds the headers to an answer.</summary>
    public void AddTo(IHeaderDictionary headers)
    {
        headers.CacheControl = _control;
        headers.Vary = _vary;
    }
}
