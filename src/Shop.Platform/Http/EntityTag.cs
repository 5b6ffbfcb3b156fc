using System.Security.Cryptography;

namespace Shop.Platform.Http;

/// <summary>Entity tags (RFC 9110, section 8.8.3). <see cref="Preconditions"/> are compared with them.</summary>
public static class EntityTag
{
    /// <summary>The strong tag of a representation: the same bytes have the same tag.</summary>
    public static string Of(ReadOnlySpan<byte> representation) =>
        $"\"{Convert.ToHexStringLower(SHA256.HashData(representation).AsSpan(0, 12))}\"";
}
