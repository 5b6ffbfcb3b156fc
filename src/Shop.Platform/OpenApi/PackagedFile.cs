using System.IO.Compression;
using Microsoft.AspNetCore.Http;
using Scalar.AspNetCore;
using Shop.Platform.Http;

namespace Shop.Platform.OpenApi;

/// <summary>
/// A file of the package for <c>/docs</c>. It is in memory once and sent in pieces, so a slow client needs little
/// memory.
/// </summary>
/// <param name="name">Its name, as <c>scalar.js</c>.</param>
internal sealed class PackagedFile(string name)
{
    private const int Piece = 16 * 1024;

    private readonly string _type = Path.GetExtension(name) == ".js" ? "text/javascript; charset=utf-8"
        : "image/svg+xml";

    // Loaded lazily: an idle shop starts without it, and no browser needs the second.
    private readonly Lazy<byte[]> _packed = new(() => Read(name));
    private readonly Lazy<byte[]> _plain = new(() => Unpacked(Read(name)));

    /// <summary>Answers a request for it.</summary>
    public async Task SendAsync(HttpContext http)
    {
        bool acceptsGzip = AcceptHeader.NamesEncoding(http.Request.Headers, "gzip");
        byte[] file = (acceptsGzip ? _packed : _plain).Value;
        HttpResponse response = http.Response;
        response.ContentType = _type;
        response.ContentLength = file.Length;
        response.Headers.Append("Vary", "Accept-Encoding");
        if (acceptsGzip) response.Headers.ContentEncoding = "gzip";
        if (HttpMethods.IsHead(http.Request.Method)) return;
        for (int at = 0; at < file.Length; at += Piece)
            await response.Body.WriteAsync(file.AsMemory(at, Math.Min(Piece, file.Length - at)), http.RequestAborted);
    }

    private static byte[] Read(string name)
    {
        using Stream packed = typeof(ScalarOptions).Assembly.GetManifestResourceStream($"ScalarStaticAssets.{name}")!;
        byte[] bytes = new byte[packed.Length];
        packed.ReadExactly(bytes);
        return bytes;
    }

    private static byte[] Unpacked(byte[] packed)
    {
        using var plain = new MemoryStream();
        using (var unpacking = new GZipStream(new MemoryStream(packed), CompressionMode.Decompress)) unpacking.CopyTo(
            plain);
        return plain.ToArray();
    }
}
