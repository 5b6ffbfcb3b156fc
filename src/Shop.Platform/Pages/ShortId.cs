namespace Shop.Platform.Pages;

/// <summary>An id as a person says it. It is enough to tell apart what stands on a page; links have the whole
/// id.</summary>
public static class ShortId
{
    /// <summary>The last eight digits of a UUID, as <c>95DA-B0BD</c>; any other id is as short as it is.</summary>
    public static string Of(string id) => Guid.TryParseExact(id, "D", out _)
        ? $"{id.AsSpan(28, 4)}-{id.AsSpan(32)}".ToUpperInvariant() : id;
}
