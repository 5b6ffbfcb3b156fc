using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Shop.Platform.Security;

/// <summary>
/// The keys that clients may send as <c>Authorization: Bearer …</c>. Only their SHA-256 is known here: a key is 256
/// random bits, so its hash reveals nothing and needs no salt.
/// </summary>
public sealed class ApiKeys
{
    private const string Scheme = "Bearer ";

    private readonly IReadOnlyList<ApiKey> _keys;

    private ApiKeys(IReadOnlyList<ApiKey> keys) => _keys = keys;

    /// <summary>How a key is written in the settings.</summary>
    public const string Format =
        "name:write:hash or name:read:hash, separated by commas, "
        + "where hash is the key's SHA-256 in 64 hexadecimal digits";

    /// <summary>Whether there are any: without keys, everybody may do everything.</summary>
    public bool Any => _keys.Count > 0;

    /// <summary>Reads keys from a setting.</summary>
    /// <returns>Null if it can't be read.</returns>
    public static ApiKeys? Parse(string setting)
    {
        var keys = new List<ApiKey>();
        foreach (string entry in setting.Split(',',
            StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = entry.Split(':');
            if (parts is not [{ Length: > 0 } name, "write" or "read", var hash] || ParseHash(hash) is not { } bytes)
                return null;
            if (keys.Any(key => key.Name == name)) return null;
            keys.Add(new ApiKey(name, parts[1] == "write", bytes));
        }

        return new ApiKeys(keys);
    }

    /// <summary>A hash in hexadecimal digits.</summary>
    /// <returns>Null if it is not a hash.</returns>
    public static byte[]? ParseHash(string hash) =>
        hash.Length == 2 * SHA256.HashSizeInBytes && hash.All(char.IsAsciiHexDigit) ? Convert.FromHexString(hash)
            : null;

    /// <summary>A new key, and its hash for the settings.</summary>
    public static (string Key, string Hash) Make()
    {
        string key = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        return (key, Convert.ToHexStringLower(Hash(key)));
    }

    /// <summary>The key that the client sent; null if it sent none.</summary>
    public static string? BearerToken(IHeaderDictionary headers)
    {
        StringValues authorization = headers.Authorization;
        return authorization.Count == 1 && authorization[0] is { } value
            && value.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            ? value[Scheme.Length..].Trim()
            : null;
    }

    /// <summary>Whether a key has this hash, in constant time.</summary>
    public static bool Matches(string key, byte[] hash) => CryptographicOperations.FixedTimeEquals(Hash(key), hash);

    /// <summary>
    /// The key with this text; null if it is unknown. Every key is compared, so that the time reveals nothing.
    /// </summary>
    internal ApiKey? Find(string shown)
    {
        byte[] hash = Hash(shown);
        ApiKey? found = null;
        foreach (ApiKey key in _keys)
        {
            if (CryptographicOperations.FixedTimeEquals(hash, key.Hash)) found = key;
        }

        return found;
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}

/// <summary>A known key.</summary>
/// <param name="Name">Whose it is.</param>
/// <param name="MayWrite">Whether it may do more than read.</param>
/// <param name="Hash">Its SHA-256.</param>
internal sealed record ApiKey(string Name, bool MayWrite, byte[] Hash);
