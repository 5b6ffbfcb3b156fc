using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Shop.Platform.Http;

namespace Shop.Platform.Requests;

/// <summary>The header that makes a POST safe to repeat.</summary>
public static class IdempotencyKey
{
    /// <summary>Name of the request header.</summary>
    public const string Header = "Idempotency-Key";

    /// <summary>Name of the header on an answer that was given before.</summary>
    public const string ReplayedHeader = "Idempotency-Replayed";

    /// <summary>How long a key is kept: twice what the contract promises.</summary>
    public static readonly TimeSpan Retention = TimeSpan.FromHours(48);

    /// <summary>The header as a parameter of the OpenAPI document.</summary>
    public static readonly TextField Field = new(Header, 1, 255)
    {
        Description = "Makes the request safe to repeat: the same content gets the same answer, with Idempotency-Replayed: true; other content is a 409. Kept for 48 hours.",
        Example = "\"9b2f6c1e-checkout-17\"",
    };

    /// <summary>Reads the key, or notes what is wrong with it.</summary>
    /// <returns>The key; null where there is none.</returns>
    public static string? Read(HttpContext http, Faults faults)
    {
        StringValues header = http.Request.Headers[Header];
        if (header.Count == 0) return null;
        string? key = header.Count == 1 ? header[0] : null;
        if (key is { Length: >= 1 and <= 255 } && !key.AsSpan().ContainsAnyExceptInRange('!', '~')) return key;
        faults.Add(Header, "must be one value of 1 to 255 visible ASCII characters");
        return null;
    }

    /// <summary>409: the key belongs to a request with other content.</summary>
    public static Problem Reused { get; } = Problem.Conflict($"The {Header} was used for another request.", "idempotency-key-reused");

    /// <summary>Says that this answer was given before.</summary>
    public static void MarkReplayed(HttpContext http) => http.Response.Headers[ReplayedHeader] = "true";

    /// <summary>The content of a request as 32 bytes: equal content, equal fingerprint.</summary>
    public static byte[] Fingerprint(params ReadOnlySpan<string?> content)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[sizeof(int)];
        foreach (string? part in content)
        {
            byte[] bytes = part is null ? [] : Encoding.UTF8.GetBytes(part);
            // With the length before each part, no two contents read the same.
            BitConverter.TryWriteBytes(length, part is null ? -1 : bytes.Length);
            hash.AppendData(length);
            hash.AppendData(bytes);
        }

        return hash.GetHashAndReset();
    }
}
