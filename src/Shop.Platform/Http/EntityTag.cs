using System.Security.Cryptography;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Shop.Platform.Http;

/// <summary>Entity tags and the two conditions on them (RFC 9110, section 13).</summary>
public static class EntityTag
{
    /// <summary>The strong tag of a representation: the same bytes have the same tag.</summary>
    public static string Of(ReadOnlySpan<byte> representation) =>
        $"\"{Convert.ToHexStringLower(SHA256.HashData(representation).AsSpan(0, 12))}\"";

    /// <summary>Whether <c>If-None-Match</c> names the tag: then the client has it already. Weak tags count.</summary>
    public static bool IsNamedBy(StringValues ifNoneMatch, string tag)
    {
        if (ifNoneMatch.Count == 0) return false;
        if (ifNoneMatch.Count == 1 && ifNoneMatch[0] == tag) return true;
        return Matches(ifNoneMatch, tag, useStrongComparison: false);
    }

    /// <summary>Whether <c>If-Match</c> allows a change of what has this tag: it does where the header is missing. Weak tags don't count.</summary>
    public static bool Allows(StringValues ifMatch, string tag) => ifMatch.Count == 0 || Matches(ifMatch, tag, useStrongComparison: true);

    private static bool Matches(StringValues header, string tag, bool useStrongComparison)
    {
        if (!EntityTagHeaderValue.TryParseList(header, out IList<EntityTagHeaderValue>? tags)) return false;
        var current = new EntityTagHeaderValue(tag);
        return tags.Any(named => named.Equals(EntityTagHeaderValue.Any) || named.Compare(current, useStrongComparison));
    }
}
