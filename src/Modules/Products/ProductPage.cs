using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Shop.Platform.Http;
using Shop.Platform.Requests;

namespace Shop.Products;

/// <summary>A page of the catalogue as bytes, for every client that asks for the same page.</summary>
internal sealed class ProductPage(byte[] json, StringValues total, StringValues link) : IResult
{
    /// <summary>Estimated bytes of memory.</summary>
    public int Bytes => json.Length + 2 * link.ToString().Length + 200;

    /// <summary>The page of these products. The headers of the page must be on the response already.</summary>
    public static ProductPage Of(HttpResponse response, IReadOnlyList<CatalogueEntry> entries)
    {
        byte[] json = new byte[2 + Math.Max(0, entries.Count - 1) + entries.Sum(static entry => entry.Json.Length)];
        int end = 0;
        json[end++] = (byte)'[';
        for (int i = 0; i < entries.Count; i++)
        {
            if (i > 0) json[end++] = (byte)',';
            entries[i].Json.CopyTo(json, end);
            end += entries[i].Json.Length;
        }

        json[end] = (byte)']';
        return new ProductPage(json, response.Headers[Paging.TotalHeader], response.Headers.Link);
    }

    public Task ExecuteAsync(HttpContext httpContext)
    {
        if (JsonResponse.Refusal(httpContext, json.Length) is { } refusal) return refusal.ExecuteAsync(httpContext);
        HttpResponse response = httpContext.Response;
        response.ContentType = JsonResponse.ContentType;
        response.ContentLength = json.Length;
        response.Headers[Paging.TotalHeader] = total;
        response.Headers.Link = link;
        JsonResponse.Write(response, json);
        return Task.CompletedTask;
    }
}
