using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Shop.Platform.Http;
using Shop.Platform.Security;

namespace Shop.Platform.Requests;

/// <summary>
/// The key that makes a request safe to repeat. It belongs to the API key of the request, if there are API keys, and is
/// bound to the request's content.
/// </summary>
/// <param name="Text">
/// The key as it is stored: as the client sent it, after the name of its API key and a space. No key contains a space.
/// </param>
/// <param name="Fingerprint">Method, path and content of the request, by <see cref="FingerprintOf"/>.</param>
public sealed record IdempotencyKey(string Text, byte[] Fingerprint)
{
    /// <summary>Name of the request header.</summary>
    public const string Header = "Idempotency-Key";

    /// <summary>Name of the header of a replayed answer.</summary>
    public const string ReplayedHeader = "Idempotency-Replayed";

    /// <summary>How long an answer is kept.</summary>
    public static readonly TimeSpan Retention = TimeSpan.FromHours(48);

    /// <summary>The oldest time of a key that is kept now.</summary>
    internal static long Oldest(DateTime now) => (now - Retention).ToMilliseconds();

    /// <summary>The header as a parameter of the OpenAPI document.</summary>
    public static readonly TextField Field = new(Header, 1, 255)
    {
        Description =
            "Makes the request safe to repeat: 1 to 255 visible ASCII characters. The same method, path and content "
            + "get the same answer for 48 hours, with Idempotency-Replayed: true, and nothing changes again; any other "
            + "request is answered 409. A request that was refused may be sent again with its key. A key belongs to "
            + "the API key that it came with.",
        Example = "\"9b2f6c1e-checkout-17\"",
    };

    /// <summary>409: the key belongs to a request with other content.</summary>
    public static Problem Reused { get; } =
        Problem.Conflict($"The {Header} was used for another request.", "idempotency-key-reused");

    /// <summary>
    /// The texts under which its answer may be stored: while the shop had no API keys, keys were stored without a name.
    /// </summary>
    internal IEnumerable<string> Texts
    {
        get
        {
            yield return Text;
            int owner = Text.LastIndexOf(' ');
            if (owner >= 0) yield return Text[(owner + 1)..];
        }
    }

    /// <summary>Reads the key as it is stored, or adds an error.</summary>
    /// <returns>The key; null if there is none.</returns>
    public static string? Read(HttpContext http, ValidationErrors errors)
    {
        StringValues header = http.Request.Headers[Header];
        if (header.Count == 0) return null;
        if (header.Count == 1 && OfClient(http, header[0]) is { } key) return key;
        errors.Add(Header, "must be one value of 1 to 255 visible ASCII characters");
        return null;
    }

    /// <summary>The key that a client has sent, in the header or in a form, as it is stored.</summary>
    /// <returns>Null if the text is no key.</returns>
    public static string? OfClient(HttpContext http, string? text)
    {
        if (!IsKey(text)) return null;
        return http.Features.Get<ApiKey>() is { } owner ? $"{owner.Name} {text}" : text;
    }

    /// <summary>A key, bound to its request's content.</summary>
    /// <returns>Null if there is no key.</returns>
    public static IdempotencyKey? Of(string? text, params ReadOnlySpan<string?> content) =>
        text is null ? null : new IdempotencyKey(text, FingerprintOf(content));

    /// <summary>Marks an answer as replayed, if it is.</summary>
    public static void MarkReplayed(HttpContext http, bool isReplayed)
    {
        if (isReplayed) http.Response.Headers[ReplayedHeader] = "true";
    }

    /// <summary>The hash of a request's content, 32 bytes.</summary>
    /// <param name="content">
    /// First the operation, then its arguments.
    /// </param>
    public static byte[] FingerprintOf(params ReadOnlySpan<string?> content)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[sizeof(int)];
        foreach (string? part in content)
        {
            byte[] bytes = part is null ? [] : Encoding.UTF8.GetBytes(part);
            // The length before each part makes the encoding unambiguous.
            BitConverter.TryWriteBytes(length, part is null ? -1 : bytes.Length);
            hash.AppendData(length);
            hash.AppendData(bytes);
        }

        return hash.GetHashAndReset();
    }

    internal bool IsBoundTo(ReadOnlySpan<byte> fingerprint) => fingerprint.SequenceEqual(Fingerprint);

    private static bool IsKey(string? text) =>
        text is { Length: >= 1 and <= 255 } && !text.AsSpan().ContainsAnyExceptInRange('!', '~');
}
