namespace Shop.Platform.Http;

/// <summary>
/// Marks the routes whose answers are worth compressing. A single product or order is not: it has a strong entity tag, and fits
/// in a packet.
/// </summary>
internal sealed class Compressible
{
    public static Compressible Mark { get; } = new();
}
