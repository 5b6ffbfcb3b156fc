using System.IO.Compression;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Shop.Platform.Http;

namespace Shop.Platform.Pages;

/// <summary>
/// The style sheets, the scripts and the icon of the pages. Their names change with each build, so browsers may keep
/// them for ever; each is compressed once.
/// </summary>
internal sealed class Assets
{
    // The compiler's hash of the whole assembly. Hashing each file would load a cryptographic library into an idle
    // shop.
    private static readonly string Version = typeof(Assets).Module.ModuleVersionId.ToString("N")[..12];

    private readonly Dictionary<string, Asset> _byUrlName = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _urls = new(StringComparer.Ordinal);

    public Assets()
    {
        Add("shop.css", "text/css; charset=utf-8");
        Add("store.css", "text/css; charset=utf-8");
        Add("live.css", "text/css; charset=utf-8");
        foreach (string script in new[] { "follow.js", "shop.js", "store.js", "chart.js", "live.js" })
            Add(script, "text/javascript; charset=utf-8");
        Add("shop.svg", "image/svg+xml");
        Add("pictures.svg", "image/svg+xml");
    }

    /// <summary>The URL of a file.</summary>
    public string Url(string file) => _urls[file];

    /// <summary>The URL of the drawings of products.</summary>
    public static string PicturesUrl { get; } = $"/assets/{NameOf("pictures.svg")}";

    /// <summary>Answers <c>/assets/{file}</c>.</summary>
    public ValueTask<IResult> Find(HttpContext http)
    {
        string file = (string)http.GetRouteValue("file")!;
        return ValueTask.FromResult<IResult>(_byUrlName.TryGetValue(file, out Asset? asset) ? asset
            : Problem.NotFound("file", file));
    }

    private void Add(string file, string contentType)
    {
        using Stream resource = typeof(Assets).Assembly.GetManifestResourceStream(file)!;
        using var reader = new StreamReader(resource);
        string text = reader.ReadToEnd();
        // Imports in scripts are changed to these URLs.
        foreach ((string other, string url) in _urls)
            text = text.Replace($"from './{other}'", $"from '{url}'", StringComparison.Ordinal);
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        string name = NameOf(file);
        _byUrlName[name] = new Asset(bytes, contentType);
        _urls[file] = $"/assets/{name}";
    }

    private static string NameOf(string file) =>
        $"{Path.GetFileNameWithoutExtension(file)}.{Version}{Path.GetExtension(file)}";

    private sealed class Asset(byte[] bytes, string contentType) : IResult
    {
        // Compressed lazily: an idle shop starts without it.
        private readonly Lazy<byte[]> _brotli = new(() =>
        {
            using var compressed = new MemoryStream();
            using (var brotli = new BrotliStream(compressed, CompressionLevel.SmallestSize)) brotli.Write(bytes);
            return compressed.ToArray();
        });

        public Task ExecuteAsync(HttpContext httpContext)
        {
            HttpResponse response = httpContext.Response;
            bool isCompressed = AcceptHeader.NamesEncoding(httpContext.Request.Headers, "br");
            byte[] body = isCompressed ? _brotli.Value : bytes;
            response.ContentType = contentType;
            response.ContentLength = body.Length;
            if (isCompressed) response.Headers.ContentEncoding = "br";
            JsonResponse.Write(response, body);
            return Task.CompletedTask;
        }
    }
}
