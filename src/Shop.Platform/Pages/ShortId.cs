namespace Shop.Platform.Pages;

/// <summary>A short form of an id for people, which is unique enough on a page; links have the whole id.</summary>
public static class ShortId
{
    /// <summary>The last eight digits of a UUID, as <c>95DA-B0BD</c>; any other id as it is.</summary>
    public static string Of(string id) => Guid.TryParseExact(id, "D", out _)
        ? $"{id.AsSpan(28, 4)}-{id.AsSpan(32)}".ToUpperInvariant() : id;
}
