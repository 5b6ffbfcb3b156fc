using System.Buffers;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using Shop.Platform.Http;
using Shop.Platform.Requests;

namespace Shop.Platform.Pages;

/// <summary>
/// A form that a page posted. Only the shop's own pages may post: a browser sends the page's origin in <c>Origin</c>.
/// </summary>
internal static class FormPost
{
    /// <summary>The statuses of a form's answer: another page, the same page with its errors, or a refusal.</summary>
    public static readonly IReadOnlyList<int> Statuses = [303, 400, 403, 404, 408, 409, 413, 415, 429];

    /// <summary>Reads the form. Returns the answer to a refused form; null if it is accepted.</summary>
    public static async ValueTask<IResult?> ValidateOriginAsync(HttpContext http)
    {
        if (!http.Request.HasFormContentType
            || !MediaTypeHeaderValue.TryParse(http.Request.ContentType, out MediaTypeHeaderValue? type)
            || !RequestBody.IsUtf8(type.Charset))
            return new Problem(StatusCodes.Status415UnsupportedMediaType,
                "This accepts only a form of the shop's own pages.");
        if (!Site.IsOwnOrigin(http, http.Request.Headers.Origin))
            return new Problem(StatusCodes.Status403Forbidden, "Only forms of the shop's own pages are accepted.");
        (ReadOnlySequence<byte> bytes, Problem? refusal) = await RequestBody.ReadBytesAsync(http);
        if (refusal is not null) return refusal;
        byte[] body = bytes.ToArray();
        http.Request.BodyReader.AdvanceTo(bytes.End);
        http.Request.Body = new MemoryStream(body);
        try
        {
            await http.Request.ReadFormAsync();
            return null;
        }
        catch (Exception exception) when (exception is InvalidDataException or IOException) // or it ends too early
        {
            return new Problem(StatusCodes.Status400BadRequest, $"The form can't be read: {exception.Message}");
        }
    }
}
